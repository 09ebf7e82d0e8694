"""The run folder, which training or pulling writes and later verbs read: its files and its description."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from zoo import files, migration, pretext, schema
from zoo.description import Data, InitialWeights, Model, Provenance, Teacher, Weights, license_of
from zoo.errors import ZooError
from zoo.folder_kinds import KINDS, mistaken
from zoo.recipe import Recipe
from zoo.schema import record
from zoo.task import Score, task_of

DESCRIPTION = KINDS["run"].marker
WEIGHTS = "weights.safetensors"
METRICS = "metrics.jsonl"
CURVES = "curves.png"
TENSORBOARD = "tensorboard"
CHECKPOINTS = "checkpoints"
INITIAL = f"{CHECKPOINTS}/initial.safetensors"
LAST = f"{CHECKPOINTS}/last.safetensors"
PREVIOUS = f"{CHECKPOINTS}/previous.safetensors"
BEST = f"{CHECKPOINTS}/best.safetensors"
TEACHER = f"{CHECKPOINTS}/teacher.safetensors"
NAME_ONE = "name a folder that 'zoo train' or 'zoo pull' wrote"


@record
class Run:
    """The content of `run.json`.

    A run is finished when `provenance.finished` is set; `results` are its final figures. A run that was pulled has
    `weights`, which name the publisher, and neither `data` nor `recipe`. `initial` describes the weights that a
    fine-tuned run started from, `teacher` the network whose answers a distilled run learned from. `unlabeled` describes
    the data without labels that the run also trains on. `recipe_name` is the name of the recipe, or of the recipe file,
    that `recipe` is based on; it is empty if there is none, and in runs made before it existed.
    """

    schema: int
    model: Model
    data: Data | None
    recipe: Recipe | None
    provenance: Provenance
    results: dict[str, Any] = dataclasses.field(default_factory=dict)
    weights: Weights | None = None
    initial: InitialWeights | None = None
    unlabeled: Data | None = None
    recipe_name: str = ""
    teacher: Teacher | None = None

    @property
    def finished(self) -> bool:
        """True if training is complete and the final weights are written."""
        return self.provenance.finished is not None

    @property
    def score(self) -> Score | None:
        """The score on the test split; None for a run that is not finished or was pulled."""
        if "test_interval" not in self.results:
            return None
        others = ("test_interval", "test_examples", "test_parts")
        key = next(name for name in self.results if name.startswith("test_") and name not in others)
        low, high = self.results["test_interval"]
        metric, parts = key.removeprefix("test_"), self.results.get("test_parts", {})
        return Score(metric, self.results[key], low, high, self.results["test_examples"], parts)


def read(folder: Path) -> Run:
    """Read the description of the run at `folder`, finished or not.

    Raises:
        ZooError: there is no run, or its description is damaged.
    """
    if not (folder / DESCRIPTION).is_file() and (message := mistaken(folder, "run")):
        raise ZooError(message)
    if not folder.is_dir():
        raise ZooError(f"there is no run at {folder}: {NAME_ONE}")
    values = files.read_json(folder / DESCRIPTION, NAME_ONE)
    values = migration.migrated(values, str(folder / DESCRIPTION), "train again with this version")
    return schema.parse(Run, values, str(folder / DESCRIPTION))


def read_finished(folder: Path) -> Run:
    """Read the description of the finished run at `folder`.

    Raises:
        ZooError: there is no run, or it is damaged or unfinished.
    """
    run = read(folder)
    if not run.finished:
        raise ZooError(f"{folder} is not finished: continue it with 'zoo train --resume {folder}'")
    return run


def read_with_head(folder: Path) -> Run:
    """Read the description of the finished run at `folder`, whose network must have a head.

    Raises:
        ZooError: there is no run, it is damaged or unfinished, or it was pretrained, without a head.
    """
    run = read_finished(folder)
    pretext.refuse(run.model, folder)
    return run


def license_of_weights(run: Run) -> str | None:
    """Return the license that a run's weights came with, see `license_of`; None where nothing states one."""
    return license_of(run.weights, run.initial, run.teacher)


def publisher_of_weights(run: Run) -> str | None:
    """Return the publisher of the weights that a run, or the first of the runs that it started from, began with.

    It is None if nobody published them.
    """
    origin = run.weights or run.initial
    return origin.source if origin else None


def write(folder: Path, run: Run) -> None:
    """Write the description of a run, whole or not at all."""
    files.write_json(folder / DESCRIPTION, schema.to_dict(run))


def newest(root: Path) -> Path:
    """Find the newest finished run in the folder `root` that gives answers.

    Raises:
        ZooError: there is none.
    """

    def finished(folder: Path) -> str | None:
        try:
            this = read(folder)
            return None if task_of(this.model).pretext_module else this.provenance.finished
        except ZooError:
            return None

    newest_folder = files.newest(root, DESCRIPTION, finished)
    if newest_folder is None:
        raise ZooError(f"there is no finished run in {root}: name one, or make one with 'zoo train' or 'zoo pull'")
    return newest_folder
