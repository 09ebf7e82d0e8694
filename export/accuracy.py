"""The primary outputs of exported files, and the accuracy of two files on the same examples."""

from __future__ import annotations

import numpy as np

from zoo.artifact import PairedAccuracy
from zoo.data.dataset import Examples
from zoo.data.pipeline import encoded_batches
from zoo.description import Model
from zoo.finite import finite
from zoo.formats import Compute
from zoo.intervals import paired_difference
from zoo.task import task_of


def primary_outputs(run: Compute, examples: Examples, description: Model, batch_size: int) -> np.ndarray:
    """Return the primary outputs of all examples, [examples, …] in order."""
    batches = encoded_batches(examples, description.preprocessing, batch_size=batch_size)
    task = task_of(description)
    return np.concatenate([task.primary(run(inputs), description) for inputs, _ in batches])


def right(found: np.ndarray, examples: Examples, description: Model) -> np.ndarray:
    """Return for each example whether its answer is right, bool [examples]; an answer that is not finite is wrong."""
    correct: np.ndarray = task_of(description).right(found, examples.targets, description) & finite(found)
    return correct


def paired(split: str, float32: np.ndarray, int8: np.ndarray) -> PairedAccuracy:
    """Compare the accuracy of both files on a split; for each, bool [examples] says which answers are right."""
    lost, gained = int((float32 & ~int8).sum()), int((int8 & ~float32).sum())
    _, low, high = (100 * value for value in paired_difference(lost, gained, len(int8)))
    drop = 100 * (lost - gained) / len(int8)  # without the rounding of a product, which may exceed the budget
    return PairedAccuracy(split, len(int8), float(float32.mean()), float(int8.mean()), lost, gained, drop, low, high)
