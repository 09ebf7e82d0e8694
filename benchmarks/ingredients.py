"""Effect of each modern ingredient of a recipe: one network on Fashion-MNIST with and without the ingredient.

The network is trained with its family's recipe without any of the ingredients, and then with one of them at a time, on
the same seeds. The weights of the last epoch are used, so that no image selects them. The effect of an ingredient is
the accuracy on the 10,000 test images with it minus the accuracy without it, with the 95 % interval of paired
proportions; the pairs are the answers of both networks to the same image, over all seeds. If the network refuses an
ingredient, the reason is recorded. There is no trial export before a training. A finished run in SCRATCH is not trained
again; an unfinished one is continued; one with another recipe is refused.

usage: python -m benchmarks.ingredients DATA_DIR SCRATCH [--network cnn-base] [--epochs 12] [--seeds 0 1]
           [--only mixup …] [--set KEY=VALUE …]      writes results/ingredients.json

DATA_DIR is where TensorFlow Datasets keeps `fashion_mnist`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded
from zoo import factory, run
from zoo.data.dataset import Examples
from zoo.data.load import load
from zoo.errors import ZooError
from zoo.inference import measured_outputs
from zoo.intervals import paired_difference
from zoo.task import task_of
from zoo.training import start
from zoo.training.decision import decide
from zoo.training.request import DataRequest, Execution, TrainingRequest

SOURCE = "tfds:fashion_mnist"

WITHOUT = ("label_smoothing=0", "keep=last")
"""The keys of the recipe without ingredients that differ from the family's own; others are off in it."""

INGREDIENTS: dict[str, tuple[str, ...]] = {
    "ema": ("ema_decay=0.999",),
    "mixup": ("mixup=0.2",),
    "cutmix": ("cutmix=1",),
    "mixup and cutmix": ("mixup=0.2", "cutmix=1"),
    "randaugment": ("image.policy=randaugment", "image.policy_magnitude=5"),
    "trivialaugment": ("image.policy=trivialaugment",),
    "erasing": ("image.erase=0.25",),
    "label smoothing": ("label_smoothing=0.1",),
    "drop path": ("network.drop_path=0.1",),
    "repeats": ("repeats=3", "image.policy=trivialaugment"),
}
"""The ingredients, with the keys that they set."""


def trained(network: str, data_dir: Path, settings: list[str], folder: Path) -> run.Run:
    """Train or continue a network, unless its run is finished; return the run.

    Raises:
        ZooError: the network refuses the settings.
        SystemExit: the run has another recipe.
    """
    family, _, size = network.rpartition("-")
    data = DataRequest(SOURCE, data_dir)
    request = TrainingRequest(family=family, size=size, data=data, settings=settings, out=folder)
    if not folder.exists():
        execution = Execution(strategy="single", say=lambda line: print(line, file=sys.stderr, flush=True))
        start.start(request, execution, lambda model: None)
    elif run.read(folder).recipe != decide(request).recipe:
        raise SystemExit(f"{folder} was trained with another recipe: name another folder as SCRATCH")
    elif not run.read(folder).finished:
        start.resume(folder, data_dir, Execution(strategy="single"))
    return run.read_finished(folder)


def right(folder: Path, described: run.Run, test: Examples) -> np.ndarray:
    """Return for each test image whether the network of a run predicts its class, bool [images]; cache the result."""
    kept = folder / "right.npy"
    if not kept.exists():
        outputs = measured_outputs(factory.load(folder), described.model, test)
        np.save(kept, task_of(described.model).right(outputs, test.targets, described.model))
    found: np.ndarray = np.load(kept)
    return found


def effect(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """Return the gain in accuracy from `before` to `after`, bool [seeds, images] each, with the interval."""
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    drop, low, high = paired_difference(lost, gained, before.size)
    return {
        "accuracy": float(after.mean()),
        "effect": -drop,
        "low": -high,
        "high": -low,
        "of_each_seed": [float(difference) for difference in after.mean(1) - before.mean(1)],
    }


def main() -> None:
    """Train the network without ingredients and with each of them, on all seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--network", default="cnn-base", help="FAMILY-SIZE")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+", choices=list(INGREDIENTS), default=list(INGREDIENTS))
    parser.add_argument("--set", dest="settings", nargs="+", default=[], help="further keys of every recipe")
    options = parser.parse_args()
    data_dir = options.data_dir.resolve()
    common = [*WITHOUT, f"epochs={options.epochs}", *options.settings]

    def of_seeds(name: str, settings: tuple[str, ...]) -> tuple[np.ndarray, float]:
        """Return which answers are right, bool [seeds, images], and the seconds of training."""
        rows, seconds = [], 0.0
        for seed in options.seeds:
            folder = options.scratch / f"{options.network}-{options.epochs}-{name.replace(' ', '-')}-{seed}"
            done = trained(options.network, data_dir, [*common, f"seed={seed}", *settings], folder)
            assert done.recipe is not None
            test = load(SOURCE, "image", split=done.recipe.split, data_dir=data_dir).test
            rows.append(right(folder, done, test))
            seconds += done.results["train_seconds"]
        return np.stack(rows), seconds

    before, seconds = of_seeds("without", ())
    figures: dict[str, Any] = {
        "settings": common,
        "epochs": options.epochs,
        "seeds": options.seeds,
        "test_images": before.shape[1],
        "without": {"accuracy": float(before.mean()), "train_seconds": seconds},
        "ingredients": {},
    }
    everything = recorded("ingredients")
    for name in options.only:
        try:
            after, seconds = of_seeds(name, INGREDIENTS[name])
            found = {**effect(before, after), "train_seconds": seconds}
        except ZooError as error:
            found = {"refused": str(error)}
        figures["ingredients"][name] = {"settings": INGREDIENTS[name], **found}
        print(name, found, file=sys.stderr, flush=True)
        record("ingredients", everything | {options.network: figures}, seed=options.seeds[0])


if __name__ == "__main__":
    main()
