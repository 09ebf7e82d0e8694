"""Write the float64 logits of timm's networks, which tell rounding from errors if float32 logits differ.

usage: .peers/bin/python -m benchmarks.peers.float64_logits FOLDER [--only NAME...]

FOLDER has the files of `export_timm --weights`, `other_channels` or `other_sizes`. Writes FOLDER/FAMILY-SIZE.exact.npz.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.peers.table import add_only, peers, with_weights


def main() -> None:
    """Write the logits of a folder's networks for the images of their float32 logits."""
    parser = argparse.ArgumentParser(description="Write the float64 logits of timm's networks.")
    parser.add_argument("folder", type=Path, help="the folder that export_timm, other_channels or other_sizes wrote")
    add_only(parser)
    asked = parser.parse_args()
    folder, wanted = asked.folder, peers(asked.only)
    networks = [peer for peer in with_weights(folder) if peer in wanted]

    import numpy as np
    import torch
    from safetensors.torch import load_file
    from timm.models import adapt_input_conv
    from timm.models.vision_transformer import checkpoint_filter_fn

    from benchmarks.peers import timm_networks

    for peer in networks:
        answers = np.load(folder / f"{peer.name}.npz")
        images = torch.from_numpy(answers["image"]).permute(0, 3, 1, 2)
        network = timm_networks.create(
            peer, classes=answers["logits"].shape[1], image_size=images.shape[-1], channels=images.shape[1]
        )
        state = load_file(folder / f"{peer.name}.safetensors")
        # The weights are for three channels and 224 pixels, even if the images have others.
        stem = f"{network.pretrained_cfg['first_conv']}.weight"
        state[stem] = adapt_input_conv(images.shape[1], state[stem])
        network.load_state_dict(checkpoint_filter_fn(state, network) if peer.family == "vit" else state)
        np.savez(folder / f"{peer.name}.exact.npz", logits=timm_networks.logits(network, images.double()))


if __name__ == "__main__":
    main()
