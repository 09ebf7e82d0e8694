"""Write timm's networks with random weights as ONNX files, and with --weights also their weights and logits.

usage: .peers/bin/python -m benchmarks.peers.export_timm OUT [--only NAME...] [--weights] [--image-size 224]
       [--classes 1000] [--seed 0]

OUT/FAMILY-SIZE.onnx takes `image`, float32 NCHW with an open batch, and gives `logits`. With --weights there are also
OUT/FAMILY-SIZE.safetensors, the state dict, and OUT/FAMILY-SIZE.npz, two images (float32 NHWC, as fed to the network)
with the logits that timm's network gives them. All networks of a command draw from one stream of random numbers, in the
order of the table: the same command gives the same weights, but another --only may give other weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers.table import Peer, add_only, peers

if TYPE_CHECKING:
    import torch

OPSET = 18


def main() -> None:
    """Write every network that is asked for."""
    parser = argparse.ArgumentParser(description="Write timm's networks with random weights as ONNX files.")
    parser.add_argument("out", type=Path, help="the folder to write to")
    add_only(parser)
    parser.add_argument("--weights", action="store_true", help="write state dicts, images and their logits, too")
    parser.add_argument("--image-size", type=int, default=224, help="the side of the images in pixels [224]")
    parser.add_argument("--classes", type=int, default=1000, help="[1000]")
    parser.add_argument("--seed", type=int, default=0, help="[0]")
    asked = parser.parse_args()

    import torch

    torch.manual_seed(asked.seed)
    asked.out.mkdir(parents=True, exist_ok=True)
    for peer in peers(asked.only):
        parameters = write(peer, asked.out, asked.image_size, asked.classes, asked.seed, weights=asked.weights)
        print(f"{peer.name}: timm's {peer.timm}, {parameters:,} parameters", flush=True)


def write(peer: Peer, out: Path, image_size: int, classes: int, seed: int, *, weights: bool) -> int:
    """Write one network's files and return the number of its parameters."""
    import torch
    from safetensors.torch import save_file

    from benchmarks.peers import timm_networks

    network = timm_networks.create(peer, classes=classes, image_size=image_size)
    images = torch.randn(2, 3, image_size, image_size)
    randomize(network, images, seed)
    torch.onnx.export(
        network,
        (images,),
        out / f"{peer.name}.onnx",
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={name: {0: "batch"} for name in ("image", "logits")},
        opset_version=OPSET,
        dynamo=False,
    )
    if weights:
        state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        save_file(state, out / f"{peer.name}.safetensors")
        timm_networks.save_answers(out / f"{peer.name}.npz", images, timm_networks.logits(network, images))
    return sum(parameter.numel() for parameter in network.parameters())


def randomize(network: torch.nn.Module, images: torch.Tensor, seed: int) -> None:
    """Change weights that are 0 or 1 in a fresh network, so that a comparison notices any part that is left out.

    Scales and biases change by up to 0.1. BatchNorm then takes the statistics that it sees on `images`, so that the
    signal keeps its size from layer to layer and an error in any layer reaches the logits.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            vector = tensor.ndim < 2 and tensor.is_floating_point()
            if vector and not name.endswith(("running_mean", "running_var")):
                tensor += (torch.rand(tensor.shape, generator=generator) - 0.5) * 0.2
        for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
            norm.momentum = 1.0
            norm.train()
        network(images)
    network.eval()


if __name__ == "__main__":
    main()
