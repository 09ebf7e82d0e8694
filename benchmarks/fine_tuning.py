"""Benefit of fine-tuning: a network trained on half of Fashion-MNIST's classes learns the other half.

resnet small is trained on 1,000 images of each of the classes 0 to 4. Then a few images of each of the classes 5 to 9
are drawn, and two networks are trained on them: the first network with frozen layers and a new head, and the same
architecture from scratch. Both get the same images, 5 epochs of the family's recipe in batches of 10, and the same
seed. The weights of the last epoch are used, so that no image selects them. Both are measured on 200 test images of
each of these classes, for two draws of each number of images.

usage: python -m benchmarks.fine_tuning DATA_DIR SCRATCH      writes results/fine_tuning.json
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import portable, record, zoo
from zoo.data.example import Example
from zoo.data.load import read_source

HALVES = range(5), range(5, 10)
NETWORK = ["resnet", "--size", "small"]
TAUGHT, TESTED = 1000, 200
TEACHING = ["--epochs", 3, "--set", "batch_size=32", "--set", "optimizer.lr=0.02"]
EACH, DRAWS = (5, 20, 50), 2
BUDGET = ["--epochs", 5, "--set", "batch_size=10", "--set", "keep=last"]


def write(folder: Path, examples: Sequence[Example], labels: Sequence[str], classes: range) -> None:
    """The images of some classes as PNG files, as `--data folder:` takes them."""
    for number, example in enumerate(examples):
        if example.target in classes:
            place = folder / example.split / labels[example.target].replace("/", " or ")
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").write_bytes(example.read())


def drawn(examples: Sequence[Example], each: int, draw: int) -> list[Example]:
    """The given number of training images of every class, and `TESTED` test images."""
    order = np.random.default_rng(draw).permutation(len(examples))
    left = {"train": dict.fromkeys(range(10), each), "test": dict.fromkeys(range(10), TESTED)}
    chosen = []
    for example in (examples[index] for index in order):
        left[example.split][example.target] -= 1
        if left[example.split][example.target] >= 0:
            chosen.append(example)
    return chosen


def figures(trained: Any) -> dict[str, Any]:
    """The figures that a training ended with, and the command."""
    low, high = trained["results"]["test_interval"]
    return {
        "accuracy": trained["results"]["test_accuracy"],
        "low": low,
        "high": high,
        "test_examples": trained["results"]["test_examples"],
        "training_images": trained["data"]["counts"]["train"],
        "epochs": trained["results"]["epochs"],
        "seconds": trained["results"]["train_seconds"],
        "command": portable(trained["provenance"]["command"]),
    }


def main() -> None:
    """Train on the first half once, and on each draw of the second half twice."""
    data_dir, scratch = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    _, raw = read_source("tfds:fashion_mnist", "image", data_dir)
    write(scratch / "first", drawn(raw.examples, TAUGHT, 0), raw.labels, HALVES[0])
    run = scratch / "run"
    taught = zoo("train", *NETWORK, "--data", f"folder:{scratch / 'first'}", *TEACHING, "--out", run)
    budgets: dict[str, Any] = {}
    for each in EACH:
        draws = []
        for draw in range(DRAWS):
            folder = scratch / f"second-{each}-{draw}"
            write(folder, drawn(raw.examples, each, draw), raw.labels, HALVES[1])
            same = ["--data", f"folder:{folder}", *BUDGET, "--seed", draw]
            frozen = zoo("train", "--weights", run, "--freeze", *same, "--out", scratch / f"frozen-{each}-{draw}")
            fresh = zoo("train", *NETWORK, *same, "--out", scratch / f"fresh-{each}-{draw}")
            draws.append({"frozen": figures(frozen), "from_scratch": figures(fresh)})
        mean = {way: float(np.mean([draw[way]["accuracy"] for draw in draws])) for way in ("frozen", "from_scratch")}
        budgets[f"{each} images a class"] = {"mean_accuracy": mean, "draws": draws}
    record("fine_tuning", {"budgets": budgets, "first_half": figures(taught)})


if __name__ == "__main__":
    main()
