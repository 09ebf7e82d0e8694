"""The data of an existing run, loaded again to continue its training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from zoo import run
from zoo.data.dataset import Dataset
from zoo.data.fitting import fitting
from zoo.data.fraction import labeled_fraction
from zoo.data.reload import load_again
from zoo.data.unlabeled import load_unlabeled_again, moved_with
from zoo.task import task_of


def data_of_run(this: run.Run, data_dir: Path | None) -> Dataset:
    """Load the data that a run trains on again; `data_dir` is their folder if they were moved.

    Raises:
        ZooError: the data cannot be read, or have changed.
    """
    assert this.data is not None, "a run that trains has data"
    assert this.recipe is not None, "and a recipe"
    recipe, preprocessing = this.recipe, this.model.preprocessing
    dataset = load_again(this.data, preprocessing.kind, recipe.split, data_dir)
    dataset, rest = labeled_fraction(dataset, recipe.label_fraction, recipe.label_seed)
    if this.unlabeled:
        described = moved_with(this.unlabeled, this.data.source, data_dir)
        unlabeled = load_unlabeled_again(described, dataset, rest)
        dataset = dataclasses.replace(dataset, unlabeled=unlabeled)
    return fitting(dataset, preprocessing, labeled=not task_of(this.model).pretext_module)
