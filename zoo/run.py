"""The run folder, which training or pulling writes and later verbs read: its files and its description."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from zoo import files, migration, schema
from zoo.description import Data, InitialWeights, Model, Provenance, Weights
from zoo.errors import ZooError
from zoo.folder_kinds import mistaken
from zoo.recipe import Recipe
from zoo.schema import record

DESCRIPTION = "run.json"
WEIGHTS = "weights.safetensors"
METRICS = "metrics.jsonl"
CURVES = "curves.png"
TENSORBOARD = "tensorboard"
INITIAL = "checkpoints/initial.safetensors"
LAST = "checkpoints/last.safetensors"
PREVIOUS = "checkpoints/previous.safetensors"
BEST = "checkpoints/best.safetensors"
NAME_ONE = "name a folder that 'zoo train' or 'zoo pull' wrote"


@record
class Run:
    """The content of `run.json`.

    A run is finished when `provenance.finished` is set; `results` are its final figures. A run that was pulled has
    `weights`, which say whose they are, and neither `data` nor `recipe`. `initial` describes the weights that a
    fine-tuned run started from. `recipe_name` is the name of the recipe, or of the file of it, that `recipe` was made
    of by changing single keys; it is empty where there is none, and in runs made before it existed.
    """

    schema: int
    model: Model
    data: Data | None
    recipe: Recipe | None
    provenance: Provenance
    results: dict[str, Any] = dataclasses.field(default_factory=dict)
    weights: Weights | None = None
    initial: InitialWeights | None = None
    recipe_name: str = ""

    @property
    def finished(self) -> bool:
        """True if training is complete and the final weights are there."""
        return self.provenance.finished is not None


def read(folder: Path) -> Run:
    """Read the description of the run at `folder`, finished or not.

    Raises:
        ZooError: there is no run, or its description is damaged.
    """
    if not (folder / DESCRIPTION).is_file() and (instead := mistaken(folder, "run")):
        raise ZooError(instead)
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


def license_of_weights(run: Run) -> str | None:
    """Return the license that a run's weights came with; None where training started from random weights."""
    origin = run.weights or run.initial
    return origin.license if origin else None


def write(folder: Path, run: Run) -> None:
    """Write the description of a run, whole or not at all."""
    files.write_json(folder / DESCRIPTION, schema.to_dict(run))


def newest(root: Path) -> Path:
    """Find the newest finished run in the folder `root`.

    Raises:
        ZooError: there is none.
    """

    def finished(folder: Path) -> str | None:
        try:
            return read(folder).provenance.finished
        except ZooError:
            return None

    found = files.newest(root, DESCRIPTION, finished)
    if found is None:
        raise ZooError(f"there is no finished run in {root}: name one, or make one with 'zoo train' or 'zoo pull'")
    return found
