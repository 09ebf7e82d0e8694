"""Ask timm's networks in float64: where float32 answers differ, this tells rounding from another network.

usage: .peers/bin/python -m benchmarks.peers.float64_logits FOLDER      writes FOLDER/FAMILY-SIZE.exact.npz

FOLDER has the files of `export_timm --weights`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.peers.table import with_weights


def main() -> None:
    """Ask every network of a folder about the images that its float32 answers are for."""
    parser = argparse.ArgumentParser(description="Write the float64 logits of timm's networks.")
    parser.add_argument("folder", type=Path, help="what export_timm --weights wrote")
    folder = parser.parse_args().folder
    networks = with_weights(folder)

    import numpy as np
    import torch
    from safetensors.torch import load_file

    from benchmarks.peers import timm_networks

    for peer in networks:
        answers = np.load(folder / f"{peer.name}.npz")
        images = torch.from_numpy(answers["image"]).permute(0, 3, 1, 2)
        network = timm_networks.create(peer, classes=answers["logits"].shape[1], image_size=images.shape[-1])
        network.load_state_dict(load_file(folder / f"{peer.name}.safetensors"))
        np.savez(folder / f"{peer.name}.exact.npz", logits=timm_networks.logits(network, images.double()))


if __name__ == "__main__":
    main()
