"""The coefficients of `linear` small in the units of the data."""

from __future__ import annotations

import numpy as np

from zoo.inputs.table.preprocessing import TablePreprocessing

INTERCEPT = "intercept"


def coefficients(
    kernel: np.ndarray, bias: np.ndarray, preprocessing: TablePreprocessing, *, mean: float = 0.0, std: float = 1.0
) -> dict[str, np.ndarray]:
    """Return the coefficients by name, float64 [count] each; their products with the data add up to the answer.

    Besides `intercept` and the columns there is `column = word`, and `column missing`, which stands in place of the
    column's own product. A value that is missing although no training row lacks it counts as the column's mean.

    Args:
        kernel: of the layer `logits`, [terms, count].
        bias: of the same layer, [count].
        preprocessing: of the features.
        mean: of the target, where the network predicts a standardized one.
        std: of the target.
    """
    columns = preprocessing.columns
    numbers = [column for column in columns if column.kind != "word"]
    missing = [column for column in columns if column.missing]
    words = [f"{column.name} = {word}" for column in columns for word in column.words]
    rows = np.asarray(kernel, np.float64) * std
    slopes = {column.name: row / column.std for column, row in zip(numbers, rows, strict=False)}
    at_mean = {column.name: slopes[column.name] * column.mean for column in numbers}
    others = rows[len(numbers) :]
    intercept = np.asarray(bias, np.float64) * std + mean - sum(at_mean.values())
    named = {INTERCEPT: intercept, **slopes}
    for column, row in zip(missing, others, strict=False):
        named[f"{column.name} missing"] = row + at_mean.get(column.name, 0.0)
    return named | dict(zip(words, others[len(missing) :], strict=True))
