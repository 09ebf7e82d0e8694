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
from typing import Any

import numpy as np
import torch

NAMES = ["input_ids", "attention_mask"]
OPSET = 18


class Network(torch.nn.Module):
    """Embeddings, LSTM layers, and a dense layer over the last states.

    Weights are Keras': [inputs, 4 · units], gates in the order input, forget, cell, output, as PyTorch has them, too.
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        table = torch.from_numpy(weights["embedding/embeddings"])
        self.embedding = torch.nn.Embedding.from_pretrained(table)
        layers = {name.partition("/")[0] for name in weights if name.startswith("lstm")}
        directions = ["forward", "backward"] if "lstm1_backward" in layers else ["forward"]
        units = weights["lstm1_forward/recurrent_kernel"].shape[0]
        self.depth = len(layers) // len(directions)
        self.lstm = torch.nn.LSTM(
            table.shape[1], units, self.depth, batch_first=True, bidirectional=len(directions) == 2
        )
        state = {}
        for layer in range(self.depth):
            for direction, ending in zip(directions, ("", "_reverse"), strict=False):
                name, end = f"lstm{layer + 1}_{direction}", f"l{layer}{ending}"
                state[f"weight_ih_{end}"] = torch.from_numpy(weights[f"{name}/kernel"].T.copy())
                state[f"weight_hh_{end}"] = torch.from_numpy(weights[f"{name}/recurrent_kernel"].T.copy())
                state[f"bias_ih_{end}"] = torch.from_numpy(weights[f"{name}/bias"])
                state[f"bias_hh_{end}"] = torch.zeros(4 * units)
        self.lstm.load_state_dict(state)
        kernel = torch.from_numpy(weights["logits/kernel"])
        self.logits = torch.nn.Linear(*kernel.shape)
        self.logits.load_state_dict({"weight": kernel.T, "bias": torch.from_numpy(weights["logits/bias"])})

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        """Logits [batch, classes]."""
        x = self.embedding(input_ids)
        # PyTorch 2.14 fails to export packed sequences without first states.
        start = torch.zeros(self.depth * (1 + self.lstm.bidirectional), input_ids.shape[0], self.lstm.hidden_size)
        x = torch.nn.utils.rnn.pack_padded_sequence(x, attention_mask.sum(1), batch_first=True)
        _, (states, _) = self.lstm(x, (start, start))
        last = states[-(2 if self.lstm.bidirectional else 1) :]
        return self.logits(torch.cat(list(last), 1) if self.lstm.bidirectional else last[0])


def main() -> None:
    """Export every network that has weights."""
    parser = argparse.ArgumentParser(description="Export the LSTMs with PyTorch's TorchScript exporter.")
    parser.add_argument("folder", type=Path, help="what benchmarks.peers.export_text wrote to")
    folder = parser.parse_args().folder
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
