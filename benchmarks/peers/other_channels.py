"""Write the logits of timm's networks for images without three channels, with timm's own adaptation of the stem.

usage: .peers/bin/python -m benchmarks.peers.other_channels WEIGHTS OUT CHANNELS [--only NAME...]

WEIGHTS has the files of `export_timm --weights` for 224 pixels. Writes OUT/FAMILY-SIZE.npz and links the weights,
which keep their three channels, beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.peers.table import add_only, peers, with_weights

IMAGE_SIZE = 224


def main() -> None:
    """Write the logits of a folder's networks, with one number of channels."""
    parser = argparse.ArgumentParser(description="Write the logits of timm's networks for other numbers of channels.")
    parser.add_argument("weights", type=Path, help="the folder that export_timm --weights wrote")
    parser.add_argument("out", type=Path, help="the folder to write to")
    parser.add_argument("channels", type=int)
    add_only(parser)
    asked = parser.parse_args()
    wanted = peers(asked.only)
    networks = [peer for peer in with_weights(asked.weights) if peer in wanted]

    from safetensors.torch import load_file
    from timm.models import adapt_input_conv

    from benchmarks.peers import timm_networks

    asked.out.mkdir(parents=True, exist_ok=True)
    images = timm_networks.random_images(asked.channels, IMAGE_SIZE, seed=asked.channels)
    for peer in networks:
        state = load_file(asked.weights / f"{peer.name}.safetensors")
        classes = timm_networks.count_classes(peer, state)
        network = timm_networks.create(peer, classes=classes, image_size=IMAGE_SIZE, channels=asked.channels)
        stem = f"{network.pretrained_cfg['first_conv']}.weight"
        network.load_state_dict(state | {stem: adapt_input_conv(asked.channels, state[stem])})
        answers = timm_networks.logits(network, images)
        timm_networks.save_answers(asked.out / f"{peer.name}.npz", images, answers)
        timm_networks.link_weights(peer, asked.weights, asked.out)


if __name__ == "__main__":
    main()
