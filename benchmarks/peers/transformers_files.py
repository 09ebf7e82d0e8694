"""Write files of transformers' networks: their answers, and ONNX files from both of PyTorch's exporters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers.transformers_networks import Network

OPSET = 18
ANSWERS = "answers.npz"


def randomize(module: torch.nn.Module, seed: int) -> None:
    """Change scales and biases by up to 0.1, so that a comparison notices any part that is left out."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.ndim < 2 and tensor.is_floating_point():
                tensor += (torch.rand(tensor.shape, generator=generator) - 0.5) * 0.2


def write_answers(module: torch.nn.Module, inputs: dict[str, torch.Tensor], folder: Path) -> None:
    """Write the inputs and the network's answers to them."""
    with torch.no_grad():
        expected = module(*inputs.values())
    np.savez(folder / ANSWERS, expected=expected.numpy(), **{name: value.numpy() for name, value in inputs.items()})


def write_vocabulary(folder: Path) -> None:
    """Write a tokenizer of made-up words beside a network of texts, because zoo refuses a folder without a tokenizer.

    It has a word for every row of the network's embeddings.
    """
    count = json.loads((folder / "config.json").read_text())["vocab_size"]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{number}" for number in range(count - 5))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    settings = {"do_lower_case": True, "tokenizer_class": "BertTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_onnx(module: Any, network: Network, folder: Path) -> None:
    """Write the network with both exporters."""
    inputs = network.examples()
    common: dict[str, Any] = {"input_names": list(inputs), "output_names": ["logits"]}
    axes = {**dict.fromkeys(inputs, network.dimensions), "logits": {0: "batch"}}
    values = tuple(inputs.values())
    torch.onnx.export(
        module, values, folder / "script.onnx", dynamic_axes=axes, opset_version=OPSET, dynamo=False, **common
    )
    shapes = ({axis: torch.export.Dim(name) for axis, name in network.dimensions.items()},) * len(values)
    torch.onnx.export(
        module,
        values,
        folder / "dynamo.onnx",
        dynamic_shapes=(shapes,),  # of the one argument `*inputs`
        dynamo=True,
        external_data=False,
        **common,
    )
