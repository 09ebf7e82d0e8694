"""Effect of progressive resizing, a training that begins with smaller images: one network on Fashion-MNIST.

The network is trained with its family's recipe, and then for the same number of epochs with images that grow to the
same size, on the same seeds. The weights of the last epoch are used, so that no image selects them. The effect is the
accuracy on the 10,000 test images with growing images minus the accuracy without, with the 95 % interval of paired
proportions; the pairs are the answers of both networks to the same image, over all seeds. The training seconds are
recorded in total and per epoch; the first epoch of every stage includes a compilation. They include reading the images,
but not evaluation. There is no trial export before a training. A finished run in SCRATCH is not trained again; an
unfinished one is continued; one with another recipe is refused.

usage: python -m benchmarks.progressive DATA_DIR SCRATCH [--network resnet-small] [--epochs 12] [--seeds 0 1]
           [--first-size 20] [--stages 3] [--set KEY=VALUE …]      writes results/progressive.json

DATA_DIR is where TensorFlow Datasets keeps `fashion_mnist`. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ingredients import SOURCE, WITHOUT, effect, right, trained
from benchmarks.measured import record, recorded
from zoo import run
from zoo.data.load import load


@dataclass(frozen=True)
class Trained:
    """The networks of all seeds: correct answers, bool [seeds, images], and the seconds of each epoch."""

    right: np.ndarray
    seconds: list[list[float]]

    @property
    def train_seconds(self) -> float:
        """The seconds of all epochs of all seeds."""
        return sum(map(sum, self.seconds))


def of_seeds(network: str, data_dir: Path, scratch: Path, name: str, settings: list[str], seeds: list[int]) -> Trained:
    """Train a network on all seeds, except those whose runs are in `scratch`."""
    rows, seconds = [], []
    for seed in seeds:
        folder = scratch / f"{network}-{name}-{seed}"
        done = trained(network, data_dir, [*settings, f"seed={seed}"], folder)
        assert done.recipe is not None
        test = load(SOURCE, "image", split=done.recipe.split, data_dir=data_dir).test
        rows.append(right(folder, done, test))
        epochs = (folder / run.METRICS).read_text(encoding="utf-8").splitlines()
        seconds.append([json.loads(epoch)["seconds"] for epoch in epochs])
    return Trained(np.stack(rows), seconds)


def main() -> None:
    """Train the network with images of one size and with growing ones, on all seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--network", default="resnet-small", help="FAMILY-SIZE")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--first-size", type=int, default=20)
    parser.add_argument("--stages", type=int, default=3)
    parser.add_argument("--set", dest="settings", nargs="+", default=[], help="further keys of both recipes")
    options = parser.parse_args()
    data_dir, scratch = options.data_dir.resolve(), options.scratch
    common = [*WITHOUT, f"epochs={options.epochs}", *options.settings]
    growing = [f"image.first_size={options.first_size}", f"image.size_stages={options.stages}"]

    def networks(name: str, settings: list[str]) -> Trained:
        epochs_and_name = f"{options.epochs}-{name}"
        return of_seeds(options.network, data_dir, scratch, epochs_and_name, [*common, *settings], options.seeds)

    without = networks("one-size", [])
    grown = networks(f"from-{options.first_size}-in-{options.stages}", growing)
    found: dict[str, Any] = {
        "settings": common,
        "growing": growing,
        "epochs": options.epochs,
        "seeds": options.seeds,
        "test_images": without.right.shape[1],
        "one_size": {
            "accuracy": float(without.right.mean()),
            "train_seconds": without.train_seconds,
            "seconds_of_epochs": without.seconds,
        },
        "growing_images": {
            **effect(without.right, grown.right),
            "train_seconds": grown.train_seconds,
            "seconds_of_epochs": grown.seconds,
        },
        "share_of_seconds": grown.train_seconds / without.train_seconds,
    }
    print(found, file=sys.stderr, flush=True)
    record("progressive", recorded("progressive") | {options.network: found}, seed=options.seeds[0])


if __name__ == "__main__":
    main()
