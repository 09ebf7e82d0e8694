"""The coefficients of `linear` small in the units of the data."""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np

from zoo.contract import LOGITS
from zoo.description import Model
from zoo.family import Explanation
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.registry import resolve

INTERCEPT = "intercept"


def explain(weights: Mapping[str, np.ndarray], model: Model) -> Explanation | None:
    """Return the coefficients of a network whose terms are the columns themselves; None for another."""
    if resolve(model.family, model.size)[1].options:
        return None
    rows = coefficients(
        weights[f"{LOGITS}/kernel"],
        weights[f"{LOGITS}/bias"],
        model.preprocessing,
        mean=np.array([scale.mean for scale in model.scales] or 0.0),
        std=np.array([scale.std for scale in model.scales] or 1.0),
    )
    return Explanation(
        "coefficients in the units of the data", {name: tuple(map(float, row)) for name, row in rows.items()}
    )


def coefficients(
    kernel: np.ndarray,
    bias: np.ndarray,
    preprocessing: TablePreprocessing,
    *,
    mean: np.ndarray | float = 0.0,
    std: np.ndarray | float = 1.0,
) -> dict[str, np.ndarray]:
    """Return the coefficients by name, float64 [count] each; their products with the data add up to the answer.

    Besides `intercept` and the columns there is `column = word`, and `column missing`, which replaces the column's own
    product where its value is missing. A value that is missing although no training row lacks it counts as the column's
    mean. Columns keep their names; another coefficient whose name is taken gets a number, such as `age missing (2)`.

    Args:
        kernel: the kernel of the layer `logits`, [terms, count].
        bias: the bias of the same layer, [count].
        preprocessing: the preprocessing of the features.
        mean: the mean of the targets, a number or float64 [count], if the network predicts standardized targets.
        std: the standard deviation of the targets, in the same form.
    """
    columns = preprocessing.columns
    numbers = [column for column in columns if column.kind != "word"]
    missing = [column for column in columns if column.missing]
    words = [f"{column.name} = {word}" for column in columns for word in column.words]
    rows = np.asarray(kernel, np.float64) * std
    slopes = {column.name: row * column.scale for column, row in zip(numbers, rows, strict=False)}
    at_mean = {column.name: slopes[column.name] * column.mean for column in numbers}
    other_rows = rows[len(numbers) :]
    intercept = np.asarray(bias, np.float64) * std + mean - sum(at_mean.values())
    by_name = {_unused(INTERCEPT, slopes): intercept, **slopes}
    for column, row in zip(missing, other_rows, strict=False):
        by_name[_unused(f"{column.name} missing", by_name)] = row + at_mean.get(column.name, 0.0)
    for word, row in zip(words, other_rows[len(missing) :], strict=True):
        by_name[_unused(word, by_name)] = row
    return by_name


def _unused(name: str, taken: Container[str]) -> str:
    """Return the name, followed by a number if the name is taken."""
    unused, number = name, 2
    while unused in taken:
        unused, number = f"{name} ({number})", number + 1
    return unused
