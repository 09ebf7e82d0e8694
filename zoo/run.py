"""The run folder: what training (or a pull of weights) leaves, and everything that later verbs need of it."""

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
IMAGES = "images.npz"
TENSORBOARD = "tensorboard"
INITIAL = "checkpoints/initial.safetensors"
LAST = "checkpoints/last.safetensors"
BEST = "checkpoints/best.safetensors"
NAME_ONE = "name a folder that 'zoo train' or 'zoo pull' wrote"


@record
class Run:
    """`run.json`.

    `results` are the figures that the run ended with; it is finished when `provenance.finished` is set. `weights` are
    those that somebody else made, where there are such; a run that was pulled has only them: no `data`, no `recipe`.
    `initial` says where a run started that did not start from nothing.
    """

    schema: int
    model: Model
    data: Data | None
    recipe: Recipe | None
    provenance: Provenance
    results: dict[str, Any] = dataclasses.field(default_factory=dict)
    weights: Weights | None = None
    initial: InitialWeights | None = None

    @property
    def finished(self) -> bool:
        """Whether training came to its end and the final weights are there."""
        return self.provenance.finished is not None


def read(folder: Path) -> Run:
    """The description of the run at `folder`, finished or not.

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
    """The description of the run at `folder`.

    Raises:
        ZooError: there is no run, it is damaged, or it did not come to its end.
    """
    run = read(folder)
    if not run.finished:
        raise ZooError(f"{folder} has not come to its end: continue it with 'zoo train --resume {folder}'")
    return run


def license_of_weights(run: Run) -> str | None:
    """The license that a run's weights came with; None where it trained them from nothing."""
    origin = run.weights or run.initial
    return origin.license if origin else None


def write(folder: Path, run: Run) -> None:
    """Write the description of a run, whole or not at all."""
    files.write_json(folder / DESCRIPTION, schema.plain(run))


def newest(root: Path) -> Path:
    """The newest finished run below `root`.

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
