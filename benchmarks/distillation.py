"""Accuracy of a network with and without a teacher, on the teacher's own data and the same test examples, paired.

The data, their splits and their columns are those of TEACHER, a run or an artifact. For each seed, the network is
trained twice with its default recipe: once on the labels alone, and once also on the teacher's answers. Both trainings
are otherwise identical. The reported difference is first averaged over seeds for each test example, and then over
examples; the interval is that of the second mean. A network that the same command has trained in SCRATCH is
not trained again.

    python -m benchmarks.distillation runs/resnet-small cnn-small SCRATCH --data-dir TFDS --epochs 10
    python -m benchmarks.distillation runs/resnet-small cnn-small SCRATCH --data-dir TFDS --set label_fraction=0.1
    python -m benchmarks.distillation runs/bert-small lstm-small SCRATCH --seeds 0 1 2 3 4

In the last example, TEACHER is a `bert` that was fine-tuned on the sentences of benchmarks/sentences.py or on others.

usage: python -m benchmarks.distillation TEACHER FAMILY-SIZE SCRATCH      adds to results/distillation.json
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import made, record, recorded
from zoo import artifact, inference, run
from zoo.data.dataset import Examples
from zoo.data.fitting import fitting
from zoo.data.reload import load_again
from zoo.task import task_of

ALONE, TAUGHT = "alone", "taught"

LABEL_FRACTION = "label_fraction="

WITHIN = 1.96
"""Standard errors from the middle of a 95 % interval to its ends."""


def main() -> None:
    """Train and compare, and add the figures to those of other networks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("student", help="such as cnn-small")
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--data-dir", type=Path, help="where the data are now, if they were moved")
    parser.add_argument("--epochs", type=int, help="those of the recipe by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], help="a change of both recipes")
    parser.add_argument("--distill", action="append", default=[], help="a change of the recipe with a teacher")
    options = parser.parse_args()
    is_artifact = (options.teacher / artifact.MANIFEST).exists()
    teacher = artifact.read(options.teacher) if is_artifact else run.read_finished(options.teacher)
    shared = [*data_of(teacher, options.data_dir), *settings(options.set)]
    shared += ["--epochs", str(options.epochs)] if options.epochs else []
    runs: dict[str, list[Path]] = {ALONE: [], TAUGHT: []}
    for seed in options.seeds:
        for way, more in ((ALONE, []), (TAUGHT, ["--teacher", options.teacher, *settings(options.distill)])):
            folder = options.scratch / f"{options.student}-{way}-{seed}"
            family, size = options.student.split("-")
            made(folder, "train", family, "--size", size, *shared, "--seed", seed, *more)
            runs[way].append(folder)
    found = recorded("distillation")
    data = labels_used(options.set) + source_of(teacher)
    key = f"{options.student} from {teacher.model.family}-{teacher.model.size} on {data}"
    found[key] = {**compared(runs, options.data_dir), "settings": options.set, "distill": options.distill}
    record("distillation", found, seed=options.seeds[0])


def labels_used(changes: list[str]) -> str:
    """The share of the labels that the network is trained on, as a phrase before the name of the data."""
    shares = [change.removeprefix(LABEL_FRACTION) for change in changes if change.startswith(LABEL_FRACTION)]
    return f"{float(shares[-1]):.0%} of the labels of " if shares else ""


def source_of(teacher: run.Run | artifact.Manifest) -> str:
    """The data of a teacher, without the path of their folder."""
    assert teacher.data is not None
    scheme, _, argument = teacher.data.source.partition(":")
    return f"{scheme}:{Path(argument).name}" if argument else scheme


def data_of(teacher: run.Run | artifact.Manifest, data_dir: Path | None) -> list[object]:
    """The options that train a network on the data of a teacher, with the same splits."""
    data, recipe = teacher.data, teacher.recipe
    assert data is not None
    assert recipe is not None
    where = data_dir or data.data_dir
    split = recipe.split
    return [
        "--data", data.source, *(["--data-dir", where] if where else []),
        *(word for name, column in data.options.items() for word in (f"--{name}", column)),
        *settings([f"split.{key}={getattr(split, key)}" for key in ("validation", "test", "seed", "copies_together")]),
    ]  # fmt: skip


def settings(changes: list[str]) -> list[object]:
    """The options that change a recipe."""
    return [word for change in changes for word in ("--set", change)]


def compared(runs: dict[str, list[Path]], data_dir: Path | None) -> dict[str, Any]:
    """Compare the networks of both ways on the same test examples, and give the figures."""
    right = {way: np.array([right_of(folder, data_dir) for folder in folders]) for way, folders in runs.items()}
    by_seed = right[TAUGHT].mean(1) - right[ALONE].mean(1)
    each = (right[TAUGHT].astype(float) - right[ALONE]).mean(0)
    half = WITHIN * float(each.std(ddof=1)) / math.sqrt(len(each))
    taught = run.read_finished(runs[TAUGHT][0])
    assert taught.teacher is not None
    return {
        "teacher": {"name": taught.teacher.name, "score": taught.teacher.score and taught.teacher.score.value},
        "test_examples": len(each),
        "seeds": len(by_seed),
        "accuracy": {way: float(found.mean()) for way, found in right.items()},
        "by_seed": {way: found.mean(1).tolist() for way, found in right.items()},
        "difference": float(each.mean()),
        "interval": [float(each.mean()) - half, float(each.mean()) + half],
        "seconds": {way: [run.read(folder).results["train_seconds"] for folder in runs[way]] for way in runs},
    }


def right_of(folder: Path, data_dir: Path | None) -> np.ndarray:
    """Tell for each test example of a run whether its network is right."""
    this = run.read_finished(folder)
    assert this.data is not None
    assert this.recipe is not None
    examples: Examples = fitting(
        load_again(this.data, this.model.preprocessing.kind, this.recipe.split, data_dir), this.model.preprocessing
    ).test
    return task_of(this.model).right(inference.measured_outputs_of_run(folder, examples), examples.targets, this.model)


if __name__ == "__main__":
    main()
