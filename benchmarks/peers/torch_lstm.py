"""Write the LSTMs as ONNX files with PyTorch's TorchScript exporter and the weights of zoo's networks.

usage: .peers/bin/python -m benchmarks.peers.torch_lstm FOLDER

Reads FOLDER/weights/NAME.npz, which `benchmarks.peers.export_text` wrote. Writes FOLDER/peers/NAME.torchscript.onnx:
int64 ids and mask [batch, length] in, logits out, batch and length open; the longest text of a batch comes first.

The newer exporter of PyTorch 2.14 is not used: the logits of its LSTMs differ from the network's by as much as the
logits themselves. It also cannot export packed sequences, and fixes the length.
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
    parser.add_argument("folder", type=Path, help="the folder that benchmarks.peers.export_text wrote")
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
