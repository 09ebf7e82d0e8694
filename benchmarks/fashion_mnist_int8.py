"""The cost of int8 on real images: seven networks on Fashion-MNIST, float32 and int8 on all 10,000 test images.

Each network is trained on 1,000 images per class with the family's recipe and the changes in `FAMILIES`. This is enough
for a comparison, and possible without a GPU. Another 200 images per class are for validation; the int8 export decides
on them which nodes stay in float32.

usage: python -m benchmarks.fashion_mnist_int8 DATA_DIR SCRATCH [FAMILY...]      writes results/fashion_mnist_int8.json

Families that are not named keep their figures. If the same command has trained SCRATCH/FAMILY-run, it is not trained
again.
"""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.fine_tuning import write
from benchmarks.measured import cost, made, record, recorded
from zoo import artifact
from zoo.data.example import Example
from zoo.data.load import read_source
from zoo.run import read_finished

LEARNT, VALIDATED, TESTED = 1000, 200, 1000
FAMILIES: dict[str, tuple[object, ...]] = {
    "cnn": ("--size", "base", "--epochs", 4),
    "mobilenet": ("--size", "small", "--epochs", 2),
    "resnet": ("--size", "small", "--epochs", 2, "--set", "image.size=16"),
    "vgg": ("--size", "small", "--epochs", 1, "--set", "image.size=16"),
    "efficientnet": ("--size", "small", "--epochs", 1, "--set", "image.size=16"),
    "convnext": ("--size", "small", "--epochs", 1, "--set", "image.size=16"),
    "vit": ("--size", "small", "--epochs", 1, "--set", "image.size=16"),
}


def chosen(examples: list[Example]) -> list[Example]:
    """The images for training and validation, drawn from the training split, and all test images."""
    order = np.random.default_rng(0).permutation(len(examples))
    seen: Counter[tuple[str, int]] = Counter()
    found = []
    for example in (examples[index] for index in order):
        seen[example.split, example.target] += 1
        number = seen[example.split, example.target]
        if example.split == "train" and LEARNT < number <= LEARNT + VALIDATED:
            found.append(dataclasses.replace(example, split="validation"))
        elif number <= (LEARNT if example.split == "train" else TESTED):
            found.append(example)
    return found


def main() -> None:
    """Train, export with int8, and record what the export says."""
    data_dir, scratch, *names = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), *sys.argv[3:]
    _, raw = read_source("tfds:fashion_mnist", "image", data_dir)
    folder = scratch / "images"
    if not folder.exists():
        write(folder, chosen(raw.examples), raw.labels, range(10))
    for family in names or FAMILIES:
        run, out = scratch / f"{family}-run", scratch / f"{family}-artifact"
        made(run, "train", family, *FAMILIES[family], "--data", f"folder:{folder}")
        trained = read_finished(run)
        _, spent = cost("export", run, "--onnx", "--int8", "--force", "--out", out)
        int8 = artifact.read(out).int8
        figures = recorded("fashion_mnist_int8")
        figures[family] = {
            "train": trained.results,
            "train_command": trained.provenance.command,
            "int8": dataclasses.asdict(int8) if int8 else None,
            "export_gigabytes": round(spent.peak_memory / 1e9, 2),
            "weights_gigabytes": round((run / "weights.safetensors").stat().st_size / 1e9, 3),
        }
        record("fashion_mnist_int8", figures, seed=trained.provenance.seed)


if __name__ == "__main__":
    main()
