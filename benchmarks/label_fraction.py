"""Benefit of unlabeled images with few labels: SimCLR and FixMatch on Fashion-MNIST with 1 % of the labels.

A network is pretrained with SimCLR once, on all training images. Then 1 % of the labels are drawn, three times. For
each draw, four networks are trained: from scratch, from the pretrained weights, from scratch with FixMatch on the other
images, and from the pretrained weights with all layers but the head frozen. All four get the same labels and the same
seed. The weights of the last epoch are used, so that no image selects them. All are measured on the same test images. A
run that the same command has trained in SCRATCH is not trained again. Other networks keep their figures in the results.

usage: python -m benchmarks.label_fraction DATA_DIR SCRATCH [options]      writes results/label_fraction.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import made, portable, record, recorded, zoo
from zoo import files
from zoo.data.example import Example
from zoo.data.load import read_source

FRACTION, DRAWS = 0.01, 3
VIEWS = ["--set", "image.flip=true"]
LAST = ["--set", "keep=last"]


def arguments() -> argparse.Namespace:
    """The data, the network and the lengths of the trainings."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("data_dir", type=Path, help="the folder of prepared TFDS data")
    parser.add_argument("scratch", type=Path, help="a folder for the images and the runs")
    parser.add_argument("--family", default="cnn")
    parser.add_argument("--size", default="base")
    parser.add_argument("--width", type=float, default=1.0, help="how many times as wide as usual the network is")
    parser.add_argument("--validation", type=float, default=0.1, help="the share of the training images for validation")
    parser.add_argument("--images", type=int, default=60_000, help="training images, with and without labels")
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--fraction", type=float, default=FRACTION)
    parser.add_argument("--pretraining-epochs", type=int, default=30)
    parser.add_argument("--pretraining-batch", type=int, default=256)
    parser.add_argument(
        "--pretraining-set", nargs="*", default=[], metavar="KEY=VALUE", help="changes of the pretraining's recipe"
    )
    parser.add_argument("--epochs", type=int, default=60, help="epochs of the trainings on labels alone")
    parser.add_argument("--batch", type=int, default=32, help="labeled images in a batch")
    parser.add_argument("--fixmatch-epochs", type=int, default=8, help="passes over the images without labels")
    return parser.parse_args()


def write(folder: Path, examples: Sequence[Example], labels: Sequence[str], counts: dict[str, int]) -> None:
    """Write the given number of random images of each split as PNG files, in folders of splits and classes."""
    order = np.random.default_rng(0).permutation(len(examples))
    left = dict(counts)
    for number in order.tolist():
        example = examples[number]
        left[example.split] -= 1
        if left[example.split] >= 0:
            place = folder / example.split / labels[example.target].replace("/", " or ")
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").write_bytes(example.read())


def trained(folder: Path, *command: Any) -> Any:
    """The document of a finished run; the command trains the run if it does not exist."""
    made(folder, *command)
    return zoo("info", folder)


def figures(run: Any) -> dict[str, Any]:
    """The figures that a training ended with, and the command."""
    low, high = run["results"]["test_interval"]
    return {
        "accuracy": run["results"]["test_accuracy"],
        "low": low,
        "high": high,
        "test_examples": run["results"]["test_examples"],
        "labels": run["data"]["counts"]["train"],
        "seconds": run["results"]["train_seconds"],
        "command": portable(run["provenance"]["command"]),
    }


def main() -> None:
    """Pretrain once; then train in each of the four ways on each draw of the labels."""
    asked = arguments()
    scratch: Path = asked.scratch
    _, raw = read_source("tfds:fashion_mnist", "image", asked.data_dir.resolve())
    images = scratch / f"fashion_mnist-{asked.images}-{asked.test_images}"
    if not images.exists():
        with files.staged_folder(images) as staging:
            write(staging, raw.examples, raw.labels, {"train": asked.images, "test": asked.test_images})
    network = [asked.family, "--size", asked.size, "--set", f"network.width={asked.width}"]
    data = ["--data", f"folder:{images}", "--set", f"split.validation={asked.validation}"]
    run = scratch / "pretrained"
    pretrained = trained(
        run, "pretrain", *network, "--method", "simclr", *data, *VIEWS, "--epochs", asked.pretraining_epochs,
        "--set", f"batch_size={asked.pretraining_batch}",
        *(word for change in asked.pretraining_set for word in ("--set", change)),
    )  # fmt: skip
    few = ["--set", f"label_fraction={asked.fraction}", "--set", f"batch_size={asked.batch}", *VIEWS, *LAST]
    ways: dict[str, list[Any]] = {
        "from_nothing": [*network, "--epochs", asked.epochs],
        "pretrained": ["--weights", run, "--epochs", asked.epochs],
        "pretrained_frozen": ["--weights", run, "--freeze", "--epochs", asked.epochs],
        "fixmatch": [*network, "--unlabeled", "rest", "--epochs", asked.fixmatch_epochs],
    }
    draws = []
    for draw in range(DRAWS):
        same = [*data, *few, "--seed", draw, "--set", f"label_seed={draw}"]
        draws.append(
            {way: figures(trained(scratch / f"{way}-{draw}", "train", *how, *same)) for way, how in ways.items()}
        )
    accuracies = {way: [draw[way]["accuracy"] for draw in draws] for way in ways}
    gains = {way: np.subtract(accuracies[way], accuracies["from_nothing"]).tolist() for way in ways}
    name = f"{asked.family} {asked.size}" + (f" of {asked.width:g} times the width" if asked.width != 1 else "")
    found = {
        "label_fraction": asked.fraction,
        "images_without_labels": pretrained["data"]["counts"],
        "pretraining": {"results": pretrained["results"], "command": portable(pretrained["provenance"]["command"])},
        "mean_accuracy": {way: float(np.mean(each)) for way, each in accuracies.items()},
        "gain_over_from_nothing": {
            way: {"mean": float(np.mean(gain)), "least": float(np.min(gain)), "draws": gain}
            for way, gain in gains.items()
            if way != "from_nothing"
        },
        "draws": draws,
    }
    record("label_fraction", {**recorded("label_fraction"), name: found})


if __name__ == "__main__":
    main()
