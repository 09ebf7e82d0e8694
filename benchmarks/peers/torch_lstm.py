"""Write the LSTMs as PyTorch's TorchScript exporter writes them, with the weights of zoo's.

usage: .peers/bin/python -m benchmarks.peers.torch_lstm FOLDER

Reads FOLDER/weights/NAME.npz, which `benchmarks.peers.export_text` wrote. Writes FOLDER/peers/NAME.torchscript.onnx:
int64 ids and mask [batch, length] in, logits out, batch and length open; the longest text of a batch comes first.

PyTorch 2.14's newer exporter writes LSTMs whose answers are not those of the network: its logits differ by as much as
the logits. It also takes no packed sequences, and fixes the length. It is not compared with.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np

NAMES = ["input_ids", "attention_mask"]
OPSET = 18


def main() -> None:
    """Export every network that has weights."""
    parser = argparse.ArgumentParser(description="Export the LSTMs with PyTorch's TorchScript exporter.")
    parser.add_argument("folder", type=Path, help="what benchmarks.peers.export_text wrote to")
    folder = parser.parse_args().folder

    import torch

    from benchmarks.peers.lstm_networks import Network

    (folder / "peers").mkdir(exist_ok=True)
    for path in sorted((folder / "weights").glob("*.npz")):
        with np.load(path) as file:
            weights = dict(file)
        example = torch.ones((2, 16), dtype=torch.int64)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Network(weights).eval(),
                (example, example),
                folder / "peers" / f"{path.stem}.torchscript.onnx",
                dynamo=False,
                input_names=NAMES,
                output_names=["logits"],
                opset_version=OPSET,
                dynamic_axes={name: {0: "batch", 1: "length"} for name in NAMES},
            )


if __name__ == "__main__":
    main()
