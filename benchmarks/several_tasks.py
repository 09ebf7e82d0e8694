"""Accuracy of one network for two tasks on Fashion-MNIST, compared with one network for each task, paired.

The tasks are the class of an image, and its kind: shoe, garment or bag. The script writes the images as PNG files, with
a CSV file for each split. For each seed, three networks are trained with the same recipe on the same images: one for
both tasks, and one for each task alone. Each is exported in both formats. The reported difference is first averaged
over seeds for each test image, and then over images; the interval is that of the second mean. A network that the same
command has trained in SCRATCH is not trained again.

usage: python -m benchmarks.several_tasks DATA_DIR SCRATCH [options]      writes results/several_tasks.json
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import made, record
from zoo import artifact, files, formats, run
from zoo.data.dataset import Examples
from zoo.data.fitting import fitting
from zoo.data.load import read_source
from zoo.data.pipeline import encoded_batches
from zoo.data.reload import load_again
from zoo.tasks.several.heads import heads

CLASS, KIND = "class", "kind"

SHOES, BAGS = ("Sandal", "Sneaker", "Ankle boot"), ("Bag",)
"""The classes of the kinds shoe and bag; all others are garments."""

TOGETHER = "together"

FILES = ("onnx", "saved_model")

MOST_LOST = 0.5
"""The most points of accuracy that a task may lose, compared with its own network."""

WITHIN = 1.96
"""Half the width of a 95 % interval, in standard errors."""

BATCH = 256


def arguments() -> argparse.Namespace:
    """The data, the network and the length of the trainings."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("data_dir", type=Path, help="the folder of prepared TFDS data")
    parser.add_argument("scratch", type=Path, help="a folder for the images, the runs and the artifacts")
    parser.add_argument("--family", default="cnn")
    parser.add_argument("--size", default="base")
    parser.add_argument("--images", type=int, default=60_000, help="images for training and validation")
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--validation", type=float, default=0.1, help="the share of the images for validation")
    parser.add_argument("--epochs", type=int, help="epochs of each training [those of the recipe]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", action="append", default=[], help="a change of all recipes")
    return parser.parse_args()


def kind_of(label: str) -> str:
    """Shoe, bag or garment."""
    return "shoe" if label in SHOES else "bag" if label in BAGS else "garment"


def write(folder: Path, data_dir: Path, counts: dict[str, int], validation: float) -> None:
    """Write the given number of random images of each split as PNG files, and a table of each split with both tasks."""
    _, raw = read_source("tfds:fashion_mnist", "image", data_dir)
    rows: dict[str, list[tuple[str, str, str]]] = {"train": [], "val": [], "test": []}
    (folder / "images").mkdir(parents=True)
    for number in np.random.default_rng(0).permutation(len(raw.examples)).tolist():
        example = raw.examples[number]
        done = len(rows["train"]) + len(rows["val"]) if example.split == "train" else len(rows["test"])
        if done >= counts[example.split]:
            continue
        name, label = f"images/{number}.png", raw.labels[example.target]
        (folder / name).write_bytes(example.read())
        held_back = example.split == "train" and done < validation * counts["train"]
        rows["val" if held_back else example.split].append((name, label, kind_of(label)))
    for split, lines in rows.items():
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("file", CLASS, KIND), *lines])


@functools.cache
def test_of(folder: Path) -> Examples:
    """The test images of an artifact."""
    this = artifact.read(folder)
    assert this.data is not None
    assert this.recipe is not None
    preprocessing = this.model.preprocessing
    return fitting(load_again(this.data, preprocessing.kind, this.recipe.split), preprocessing).test


def right_of(folder: Path, file: str, task: str) -> np.ndarray:
    """Tell for each test image whether a file of an artifact answers a task correctly."""
    model, examples = artifact.read(folder).model, test_of(folder)
    output, targets = "logits", examples.targets
    if model.parts:
        head = next(one for one in heads(model.parts, model.scales) if one.part.name == task)
        output, targets = head.output(output), head.targets(targets)
    row = formats.find(file)
    session = formats.open_session(folder / row.place(), row)
    batches = encoded_batches(examples, model.preprocessing, batch_size=BATCH)
    found = np.concatenate([session.run(inputs)[output].argmax(-1) for inputs, _ in batches])
    right: np.ndarray = found == targets
    return right


def compared(together: list[Path], alone: list[Path], file: str, task: str) -> dict[str, Any]:
    """The accuracy of a task by the networks of all seeds, and the mean difference in points with its interval."""
    both, own = (np.array([right_of(folder, file, task) for folder in folders]) for folders in (together, alone))
    each = 100 * (both.astype(float) - own).mean(0)
    difference, half = float(each.mean()), WITHIN * float(each.std(ddof=1)) / math.sqrt(len(each))
    return {
        "accuracy_together": float(both.mean()),
        "accuracy_alone": float(own.mean()),
        "by_seed": {"together": both.mean(1).tolist(), "alone": own.mean(1).tolist()},
        "difference_in_points": difference,
        "interval": [difference - half, difference + half],
        "test_images": len(each),
    }


def facts(folder: Path, exported: Path) -> dict[str, Any]:
    """Return the cost of a network, its training and its ONNX file, and the weight of each task in its last epoch."""
    this = run.read_finished(folder)
    last = json.loads((folder / run.METRICS).read_text().splitlines()[-1])
    return {
        "train_seconds": this.results["train_seconds"],
        "epochs": this.results["epochs"],
        "parameters": this.model.parameters,
        "onnx_bytes": (exported / formats.find("onnx").place()).stat().st_size,
        "weights_of_tasks": {key: last[key] for key in last if key.endswith("_weight") and not key.startswith("val_")},
        "command": this.provenance.command,
    }


def main() -> None:
    """Train and export the networks of each seed, and compare them."""
    asked = arguments()
    scratch: Path = asked.scratch
    images = scratch / f"fashion_mnist-{asked.images}-{asked.test_images}-{asked.validation:g}"
    if not images.exists():
        with files.staged_folder(images) as staging:
            write(
                staging, asked.data_dir.resolve(), {"train": asked.images, "test": asked.test_images}, asked.validation
            )  # fmt: skip
    data = ["--data", f"csv:{','.join(str(images / f'{split}.csv') for split in ('train', 'val', 'test'))}"]
    recipe = [*(["--epochs", asked.epochs] if asked.epochs else [])]
    recipe += [word for change in asked.set for word in ("--set", change)]
    ways = {TOGETHER: f"{CLASS},{KIND}", CLASS: CLASS, KIND: KIND}
    artifacts: dict[str, list[Path]] = {way: [] for way in ways}
    costs = []
    for seed in asked.seeds:
        for way, target in ways.items():
            folder, exported = scratch / f"{way}-{seed}", scratch / f"{way}-{seed}-artifact"
            made(
                folder, "train", asked.family, "--size", asked.size, *data, "--image", "file", "--target", target,
                *recipe, "--seed", seed,
            )  # fmt: skip
            made(exported, "export", folder, "--onnx", "--saved-model")
            artifacts[way].append(exported)
            costs.append({"way": way, "seed": seed, **facts(folder, exported)})
    tasks = {
        task: {file: compared(artifacts[TOGETHER], artifacts[task], file, task) for file in FILES}
        for task in (CLASS, KIND)
    }
    differences = [one["difference_in_points"] for files in tasks.values() for one in files.values()]
    record(
        "several_tasks",
        {
            "network": f"{asked.family} {asked.size}",
            "seeds": asked.seeds,
            "settings": asked.set,
            "outputs": {file: outputs_of(artifacts[TOGETHER][0], file) for file in FILES},
            "tasks": tasks,
            "most_points_lost": -min(differences),
            "holds": -min(differences) <= MOST_LOST,
            "costs": costs,
        },
        seed=asked.seeds[0],
    )


def outputs_of(folder: Path, file: str) -> list[str]:
    """The names of the outputs of a file, as it states them itself."""
    row = formats.find(file)
    return sorted(formats.open_session(folder / row.place(), row).signature.outputs)


if __name__ == "__main__":
    main()
