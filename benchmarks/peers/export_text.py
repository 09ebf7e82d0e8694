"""Write networks of texts as ONNX files with random weights, and the weights for the peers.

usage: .venv/bin/python -m benchmarks.peers.export_text FOLDER

Writes FOLDER/ours/FAMILY-SIZE.onnx, and FOLDER/weights/FAMILY-SIZE.npz with the weights by `layer/variable`.
`benchmarks.peers.torch_lstm` writes the peers' files with these weights.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from zoo.models.lstm.sizes import CLASSES, ROWS


def main() -> None:
    """Export every size."""
    parser = argparse.ArgumentParser(description="Export networks of texts to ONNX, with random weights.")
    parser.add_argument("folder", type=Path, help="the folder to write to")
    folder = parser.parse_args().folder

    import keras
    import onnx

    from tests.export.text_networks import converted
    from zoo import complexity, weights_file
    from zoo.export.onnx import passes
    from zoo.export.onnx.conversion import _fold_constants
    from zoo.models.lstm.network import build

    for name in ("ours", "weights"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for size in ROWS:
        keras.utils.set_random_seed(0)
        preprocessing = SimpleNamespace(vocabulary=range(size.input_shape[1]))
        ids, mask = (keras.Input((None,), dtype="int64", name=name) for name in ("input_ids", "attention_mask"))
        model = keras.Model([ids, mask], build(ids, mask, CLASSES, preprocessing, **size.options).logits)
        print(size.name, complexity.parameters(model), complexity.multiply_adds(model), flush=True)
        arrays = {key: weight.numpy() for key, weight in weights_file.weights(model).items()}
        np.savez(folder / "weights" / f"lstm-{size.name}.npz", **arrays)
        proto = converted(model)
        passes.apply(proto, "converted")
        with tempfile.TemporaryDirectory() as scratch:
            source, target = Path(scratch) / "converted.onnx", Path(scratch) / "folded.onnx"
            onnx.save(proto, source)
            _fold_constants(source, target)
            proto = onnx.load(target)
        passes.apply(proto, "folded")
        onnx.save(proto, folder / "ours" / f"lstm-{size.name}.onnx")


if __name__ == "__main__":
    main()
