"""Fine-tuning: what half of Fashion-MNIST's classes teach a network is worth for learning the other half.

cnn base learns the classes 0 to 4 from all of their pictures. Then a few pictures of each of the classes 5 to 9 are
drawn, and learnt twice: by a new head on that network, which stays frozen, and by the same network from nothing. Both
get the same pictures, the same 10 epochs of the family's own recipe and the same seed; the weights of the last epoch
count, so that no picture chooses them. Both are measured on all 5,000 test pictures of these classes; two draws of
each number of pictures.

usage: python benchmarks/fine_tuning.py DATA_DIR SCRATCH      writes results/fine_tuning.json
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measured import record, zoo

from zoo.data.example import Example
from zoo.data.load import find

HALVES = range(5), range(5, 10)
EACH, DRAWS = (5, 20, 50), 2
BUDGET = ["--epochs", 10, "--set", "batch_size=10", "--set", "keep=last"]


def write(folder: Path, examples: Sequence[Example], labels: Sequence[str], classes: range) -> None:
    """The pictures of some classes as PNG files, as `--data folder:` takes them."""
    for number, example in enumerate(examples):
        if example.label in classes:
            place = folder / example.split / labels[example.label].replace("/", " or ")
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").write_bytes(example.read())


def drawn(examples: Sequence[Example], each: int, draw: int) -> list[Example]:
    """So many training pictures of every class, and all test pictures."""
    order = np.random.default_rng(draw).permutation(len(examples))
    left = dict.fromkeys(range(10), each)
    chosen = []
    for example in (examples[index] for index in order):
        left[example.label] -= example.split == "train"
        if example.split == "test" or left[example.label] >= 0:
            chosen.append(example)
    return chosen


def figures(trained: Any) -> dict[str, Any]:
    """What a training came to, and the command."""
    low, high = trained["results"]["test_interval"]
    return {
        "accuracy": trained["results"]["test_accuracy"],
        "low": low,
        "high": high,
        "test_pictures": trained["results"]["test_pictures"],
        "training_pictures": trained["data"]["counts"]["train"],
        "epochs": trained["results"]["epochs"],
        "seconds": trained["results"]["train_seconds"],
        "command": trained["provenance"]["command"],
    }


def main() -> None:
    """Train on the first half once, and on each draw of the second half twice."""
    data_dir, scratch = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    found = find("tfds:fashion_mnist", data_dir, "error")
    write(scratch / "first", found.examples, found.labels, HALVES[0])
    run, export = scratch / "run", ["--set", "export=onnx"]
    network = ["cnn", "--size", "base"]
    taught = zoo("train", *network, "--data", f"folder:{scratch / 'first'}", "--epochs", 6, *export, "--out", run)
    budgets: dict[str, Any] = {}
    for each in EACH:
        draws = []
        for draw in range(DRAWS):
            folder = scratch / f"second-{each}-{draw}"
            write(folder, drawn(found.examples, each, draw), found.labels, HALVES[1])
            same = ["--data", f"folder:{folder}", *BUDGET, *export, "--seed", draw]
            frozen = zoo("train", "--weights", run, "--freeze", *same, "--out", scratch / f"frozen-{each}-{draw}")
            fresh = zoo("train", *network, *same, "--out", scratch / f"fresh-{each}-{draw}")
            draws.append({"frozen": figures(frozen), "from_scratch": figures(fresh)})
        mean = {way: float(np.mean([draw[way]["accuracy"] for draw in draws])) for way in ("frozen", "from_scratch")}
        budgets[f"{each} pictures a class"] = {"mean_accuracy": mean, "draws": draws}
    record("fine_tuning", {"budgets": budgets, "first_half": figures(taught)})


if __name__ == "__main__":
    main()
