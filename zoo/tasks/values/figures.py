"""Figures of predicted values against the true ones: RMSE, MAE and R² with bootstrap intervals, and their residuals.

Where the true values do not vary, R² is 1 for exact answers and 0 for others, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import drawing
from zoo.finite import finite, refuse_not_finite
from zoo.intervals import percentile_interval, resampled_sums
from zoo.schema import record
from zoo.text import Say

ROUNDING = 1e-12
"""The share of the sum of squares up to which values vary by rounding only."""


@record
class Figure:
    """A figure and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@record
class ValueFigures:
    """The figures of one value: root mean square error, mean absolute error, and coefficient of determination."""

    label: str
    rmse: Figure
    mae: Figure
    r2: Figure


@record
class Evaluation:
    """The figures of all values together, named as scikit-learn names them, and of each value.

    `r2`, `rmse` and `mae` are means over the values; `low` and `high` are the 95 % interval of `r2`.
    """

    examples: int
    r2: float
    low: float
    high: float
    rmse: float
    mae: float
    values: tuple[ValueFigures, ...]


def measure(
    values: np.ndarray,
    truth: np.ndarray,
    labels: Sequence[str],
    *,
    name: Callable[[int], str] = "example {}".format,
    source: str = "the network",
) -> Evaluation:
    """Compare predicted values with the true ones.

    Args:
        values: float32 [examples, values].
        truth: float32 of the same shape.
        labels: the names of the values.
        name: returns the name of an example for an error message.
        source: the origin of the values, for an error message.

    Raises:
        Refused: values are not finite; the message counts the examples and names the first.
    """
    refuse_not_finite(finite(values), name, source)
    rmse, mae, r2, mean_r2 = figures(values, truth)
    return Evaluation(
        examples=len(truth),
        r2=mean_r2.value,
        low=mean_r2.low,
        high=mean_r2.high,
        rmse=float(np.mean([figure.value for figure in rmse])),
        mae=float(np.mean([figure.value for figure in mae])),
        values=tuple(ValueFigures(*row) for row in zip(labels, rmse, mae, r2, strict=True)),
    )


def figures(values: np.ndarray, truth: np.ndarray) -> tuple[list[Figure], list[Figure], list[Figure], Figure]:
    """Return RMSE, MAE and R² of each value, and the mean of R² over the values, all with bootstrap intervals.

    Args:
        values: predicted values, [examples, values].
        truth: the true ones, of the same shape.
    """
    # All figures are functions of sums over the examples. The true values are centered, so that their variance does
    # not vanish in rounding beside a large mean.
    true_values = truth.astype(np.float64)
    centered, differences = true_values - np.median(true_values, 0), values - true_values
    columns = np.concatenate([centered, centered**2, differences**2, np.abs(differences)], 1)
    examples, count = true_values.shape

    def computed(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return RMSE, MAE, R² and whether the true values vary, each [sets of examples, values]."""
        total, squares, squared_errors, errors = np.reshape(sums, (-1, 4, count)).transpose(1, 0, 2)
        variation = squares - total**2 / examples
        varies = variation > ROUNDING * squares
        r2 = np.where(varies, 1 - squared_errors / np.where(varies, variation, 1), squared_errors == 0)
        return np.sqrt(squared_errors / examples), errors / examples, r2, varies

    *overall, _ = computed(columns.sum(0))
    *drawn, varies = computed(resampled_sums(columns))
    # A draw in which no true value varies says nothing about R².
    drawn[2] = drawn[2][varies.any(1)]
    rmse, mae, r2 = (
        [_figure(value, of_draws) for value, of_draws in zip(whole[0], draws.T, strict=True)]
        for whole, draws in zip(overall, drawn, strict=True)
    )
    return rmse, mae, r2, _figure(overall[2].mean(), drawn[2].mean(1))


def _figure(value: float, drawn: np.ndarray) -> Figure:
    return Figure(float(value), *percentile_interval(float(value), drawn))


def draw_residuals(
    path: Path, values: np.ndarray, truth: np.ndarray, labels: Sequence[str], title: str, say: Say
) -> None:
    """Draw the residuals over the predicted values, an axis for each value; `say` is called where that fails."""

    def paint(figure: Any) -> None:
        for column, axes in enumerate(np.ravel(figure.subplots(1, len(labels)))):
            axes.scatter(values[:, column], truth[:, column] - values[:, column], s=8, alpha=0.6)
            axes.axhline(0, color="gray", linewidth=0.8)
            axes.set(xlabel=f"predicted {drawing.short(labels[column])}", ylabel="true minus predicted")
        figure.suptitle(drawing.short(title))

    drawing.draw(path, paint, inches=(min(30.0, 5.0 * len(labels)), 4.2), dpi=110, say=say)
