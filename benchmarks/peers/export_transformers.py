"""Write transformers' networks: folders of weights with the answers that zoo is compared with, and ONNX files.

usage: .peers/bin/python -m benchmarks.peers.export_transformers OUT [--only NAME...] [--folder NAME=FOLDER...] [--onnx]
       [--seed 0]

OUT/FAMILY-SIZE has random weights as transformers saves them, and `answers.npz`: the inputs by the contract's names,
and `expected`, the logits, or the text's vector where the network has no head. A --folder of real weights is copied
and asked for its vectors. With --onnx there are OUT/FAMILY-SIZE/script.onnx and dynamo.onnx, by both of PyTorch's
exporters, with open dimensions.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from benchmarks.peers.transformers_networks import NETWORKS, MeanVector, Network

OPSET = 18
ANSWERS = "answers.npz"


def main() -> None:
    """Write every network that is asked for."""
    parser = argparse.ArgumentParser(description="Write transformers' networks, their answers, and ONNX files.")
    parser.add_argument("out", type=Path, help="the folder to write to")
    parser.add_argument("--only", nargs="*", default=list(NETWORKS), help="networks as FAMILY-SIZE")
    parser.add_argument("--folder", nargs="*", default=[], help="real weights of a network, as FAMILY-SIZE=FOLDER")
    parser.add_argument("--onnx", action="store_true", help="write ONNX files, too")
    parser.add_argument("--seed", type=int, default=0, help="[0]")
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    for name in asked.only:
        network = NETWORKS[name]
        module = network.create(False).eval()
        randomize(module, asked.seed)
        folder = asked.out / name
        module.saved.save_pretrained(folder)
        write_answers(module, network.examples(), folder)
        if asked.onnx:
            write_onnx(network.create(True).eval(), network, folder)
        print(f"{name}: {sum(one.numel() for one in module.parameters()):,} parameters", flush=True)
    for given in asked.folder:
        name, _, source = given.partition("=")
        folder = asked.out / f"{name}.real"
        shutil.copytree(source, folder, dirs_exist_ok=True)
        module = MeanVector(transformers.AutoModel.from_pretrained(folder)).eval()
        write_answers(module, NETWORKS[name].examples(), folder)


def randomize(module: torch.nn.Module, seed: int) -> None:
    """Move scales and biases by up to 0.1, so that no part of the network can be left out unnoticed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.ndim < 2 and tensor.is_floating_point():
                tensor += (torch.rand(tensor.shape, generator=generator) - 0.5) * 0.2


def write_answers(module: torch.nn.Module, inputs: dict[str, torch.Tensor], folder: Path) -> None:
    """Write the inputs and what the network makes of them."""
    with torch.no_grad():
        expected = module(*inputs.values())
    np.savez(folder / ANSWERS, expected=expected.numpy(), **{name: value.numpy() for name, value in inputs.items()})


def write_onnx(module: Any, network: Network, folder: Path) -> None:
    """Write the network by both exporters."""
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


if __name__ == "__main__":
    main()
