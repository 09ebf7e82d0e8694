"""Epochs of torchvision's ImageFolder, for `benchmarks.input_pipeline`.

Reads one epoch for each line of standard input, and prints the number of images and the seconds.

usage: .peers/bin/python -m benchmarks.peers.torchvision_input FOLDER SMALLEST_CROP
"""

from __future__ import annotations

import argparse
import sys
import time

SIDE, BATCH, WORKERS = 224, 32, 2


def main() -> None:
    """Read one epoch for each line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="a folder for each class")
    parser.add_argument("smallest_crop", type=float, help="the smallest area of a crop, as a share of the image")
    asked = parser.parse_args()
    import torch
    from torchvision import datasets, transforms

    changes = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIDE, scale=(asked.smallest_crop, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    loader = torch.utils.data.DataLoader(
        datasets.ImageFolder(asked.folder, changes), BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True
    )
    for _ in sys.stdin:
        start = time.perf_counter()
        images = sum(len(labels) for _, labels in loader)
        print(images, time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
