"""Figures of predicted values against the true ones: RMSE, MAE and R² with bootstrap intervals, and their residuals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import drawing
from zoo.finite import finite, refuse_not_finite
from zoo.schema import record
from zoo.text import Say

DRAWS = 1000
"""Draws of the bootstrap."""


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
    found, wanted = values.astype(np.float64), truth.astype(np.float64)
    rows = [
        ValueFigures(label, *(bootstrapped(figure, found[:, place], wanted[:, place]) for figure in (rmse, mae, r2)))
        for place, label in enumerate(labels)
    ]
    whole = bootstrapped(r2, found, wanted)
    return Evaluation(
        examples=len(truth),
        r2=whole.value,
        low=whole.low,
        high=whole.high,
        rmse=float(np.mean([row.rmse.value for row in rows])),
        mae=float(np.mean([row.mae.value for row in rows])),
        values=tuple(rows),
    )


def rmse(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(((found - wanted) ** 2).mean()))


def mae(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the mean absolute error."""
    return float(np.abs(found - wanted).mean())


def r2(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the coefficient of determination, the mean over the values.

    As in scikit-learn, it is 1 or 0 where the true values do not vary, for exact and for other answers.
    """
    residual, total = ((found - wanted) ** 2).sum(0), ((wanted - wanted.mean(0)) ** 2).sum(0)
    return float(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), residual == 0).mean())


def bootstrapped(figure: Callable[[np.ndarray, np.ndarray], float], found: np.ndarray, wanted: np.ndarray) -> Figure:
    """Return a figure with its percentile interval over draws of examples.

    Draws in which all true values are equal are left out, because they tell nothing.

    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    generator = np.random.default_rng(0)
    draws = generator.integers(0, len(found), (DRAWS, len(found)))
    telling = [chosen for chosen in draws if (wanted[chosen] != wanted[chosen[0]]).any()]
    value = figure(found, wanted)
    low, high = np.percentile([figure(found[chosen], wanted[chosen]) for chosen in telling] or [value], [2.5, 97.5])
    return Figure(value, float(min(low, value)), float(max(high, value)))


def draw_residuals(
    path: Path, values: np.ndarray, truth: np.ndarray, labels: Sequence[str], title: str, say: Say
) -> None:
    """Draw the residuals over the predicted values, an axis for each value; `say` is called where that fails."""

    def paint(figure: Any) -> None:
        for place, axes in enumerate(np.ravel(figure.subplots(1, len(labels)))):
            axes.scatter(values[:, place], truth[:, place] - values[:, place], s=8, alpha=0.6)
            axes.axhline(0, color="gray", linewidth=0.8)
            axes.set(xlabel=f"predicted {drawing.short(labels[place])}", ylabel="true minus predicted")
        figure.suptitle(drawing.short(title))

    drawing.draw(path, paint, inches=(min(30.0, 5.0 * len(labels)), 4.2), dpi=110, say=say)
