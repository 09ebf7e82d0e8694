"""Write the logits of timm's networks for images of another size than that of their weights.

usage: .peers/bin/python -m benchmarks.peers.other_sizes WEIGHTS OUT IMAGE_SIZE

WEIGHTS has the files of `export_timm --weights`. Writes OUT/FAMILY-SIZE.npz and links the weights beside it. timm
resamples a ViT's position embeddings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.peers.table import with_weights

SMALLEST = {"inception": 75}
"""The side of the smallest image, in pixels, that timm's networks of a family take, where that is more than 64."""


def main() -> None:
    """Write the logits of every network of a folder that takes images of the size."""
    parser = argparse.ArgumentParser(description="Write the logits of timm's networks for images of another size.")
    parser.add_argument("weights", type=Path, help="the folder that export_timm --weights wrote")
    parser.add_argument("out", type=Path, help="the folder to write to")
    parser.add_argument("image_size", type=int, help="the side of the images in pixels")
    asked = parser.parse_args()
    networks = [peer for peer in with_weights(asked.weights) if asked.image_size >= SMALLEST.get(peer.family, 0)]

    from safetensors.torch import load_file
    from timm.models.vision_transformer import checkpoint_filter_fn

    from benchmarks.peers import timm_networks

    asked.out.mkdir(parents=True, exist_ok=True)
    images = timm_networks.random_images(3, asked.image_size, seed=asked.image_size)
    for peer in networks:
        state = load_file(asked.weights / f"{peer.name}.safetensors")
        classes = timm_networks.count_classes(peer, state)
        network = timm_networks.create(peer, classes=classes, image_size=asked.image_size)
        network.load_state_dict(checkpoint_filter_fn(state, network) if peer.family == "vit" else state)
        answers = timm_networks.logits(network, images)
        timm_networks.save_answers(asked.out / f"{peer.name}.npz", images, answers)
        timm_networks.link_weights(peer, asked.weights, asked.out)


if __name__ == "__main__":
    main()
