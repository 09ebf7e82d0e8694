"""Run `zoo scale` of a family at three sizes and three widths on a part of Fashion-MNIST.

Every size is trained at every width, and a power law is fitted to the nine networks. They train on the same images with
the family's recipe, changed by the arguments below. A network that is already in SCRATCH is not trained again, so you
can repeat the command after an interruption.

usage: python -m benchmarks.scale FAMILY DATA_DIR SCRATCH [--sizes small,base,large] [--widths 0.125,0.25,0.5]
           [--images 400] [--tested 200] [--epochs 3] [--side 28] [--set KEY=VALUE …]
       writes results/scale.json and docs/drawings/scale-FAMILY.png
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from benchmarks.fine_tuning import write
from benchmarks.measured import RESULTS, portable, record, recorded, zoo
from zoo import files
from zoo.data.example import Example
from zoo.data.load import read_source

DRAWINGS = RESULTS.parent / "docs" / "drawings"


def main() -> None:
    """Train, export and measure the networks of a family, and record its law."""
    parser = argparse.ArgumentParser()
    parser.add_argument("family")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--sizes", default="small,base,large")
    parser.add_argument("--widths", default="0.125,0.25,0.5")
    parser.add_argument("--images", type=int, default=400, help="training images of each class")
    parser.add_argument("--tested", type=int, default=200, help="test images of each class")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--side", type=int, default=28, help="side of the networks' input, in pixels")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of measuring per latency")
    parser.add_argument("--set", action="append", default=[], help="a change of every recipe")
    asked = parser.parse_args()
    images = asked.scratch / f"images-{asked.images}-{asked.tested}"
    if not images.exists():
        _, raw = read_source("tfds:fashion_mnist", "image", asked.data_dir.resolve())
        with files.staged_folder(images) as staging:
            write(staging, first_of_each_class(raw.examples, asked.images, asked.tested), raw.labels, range(10))
    changes = [f"image.size={asked.side}", *asked.set]
    made = zoo(
        "scale",
        asked.family,
        *("--sizes", asked.sizes),
        *("--widths", asked.widths),
        *("--data", f"folder:{images}"),
        *("--epochs", asked.epochs),
        *("--seconds", asked.seconds),
        *(word for change in changes for word in ("--set", change)),
        *("--out", asked.scratch / asked.family),
    )
    figures = {
        **made["results"],
        "training_seconds": sum(row["train_seconds"] for row in made["results"]["networks"]),
        "images_of_each_class": {"train": asked.images, "test": asked.tested},
        "command": portable(made["provenance"]["command"]),
    }
    shutil.copyfile(asked.scratch / asked.family / "scale.png", DRAWINGS / f"scale-{asked.family}.png")
    record("scale", recorded("scale") | {asked.family: figures})


def first_of_each_class(examples: Any, images: int, tested: int) -> list[Example]:
    """Return the given numbers of training and test images of each class, the first ones of the data."""
    left = {"train": dict.fromkeys(range(10), images), "test": dict.fromkeys(range(10), tested)}
    chosen = []
    for example in examples:
        if left.get(example.split, {}).get(example.target, 0) > 0:
            left[example.split][example.target] -= 1
            chosen.append(example)
    return chosen


if __name__ == "__main__":
    main()
