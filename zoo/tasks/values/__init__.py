"""The task of regression: values in the units of the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.agreement import Yardstick, compared, of_largest, of_spread
from zoo.contract import BATCH, VALUE_COUNT, VALUES
from zoo.signature import Tensor
from zoo.task import ErrorOfSums, Score, Task, Verdict
from zoo.tasks.values.figures import ROUNDING, Evaluation, draw_residuals, figures, measure
from zoo.text import columns, printable

if TYPE_CHECKING:
    from zoo.description import Model

CLOSE = 0.5
"""An answer counts as right when it is within this share of the std of the value in training."""


@dataclass(frozen=True)
class Values:
    """The values of an example by name."""

    values: dict[str, float]

    def lines(self) -> list[str]:
        """Return a line for each value."""
        return [f"  {value:.6g}  {printable(label)}" for label, value in self.values.items()]

    def plain(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return {"values": self.values}

    def cells(self) -> dict[str, Any]:
        """Return the values."""
        return dict(self.values)


def tensors(labels: int) -> dict[str, Tensor]:
    """Return the values, whose number may be open."""
    return {VALUES: Tensor("float32", (BATCH, labels or VALUE_COUNT))}


def metrics(sums: Mapping[str, float], count: int) -> dict[str, float]:
    """Return the mean loss, and the root of the mean squared error in the units of the data."""
    return {"loss": sums["loss"] / count, "rmse": math.sqrt(sums["squared_error"] / count)}


def score(values: np.ndarray, targets: np.ndarray) -> Score:
    """Return R² with its bootstrap interval."""
    *_, r2 = figures(values, targets)
    return Score("r2", r2.value, r2.low, r2.high, len(targets))


def errors(values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the squared error of each example over the variance of the targets; the mean is 1 - R².

    The error of a value that does not vary is 1, or 0 if all its predictions are exact, as in scikit-learn's R².
    """
    squared = (values - targets.astype(np.float64)) ** 2
    variances = _centered(targets).var(0)
    relative = np.where(variances > 0, squared / np.where(variances > 0, variances, 1), squared.any(0))
    mean: np.ndarray = relative.mean(-1)
    return mean


def error_sums(values: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, ErrorOfSums]:
    """Return the columns whose sums give R² of a draw, and the mean of 1 - R² over the values.

    A draw in which a value is constant gives NaN, unless the value is constant over all examples.
    """
    centered, squared = _centered(targets), (values - targets.astype(np.float64)) ** 2
    examples, count = centered.shape
    constant = ~centered.any(0)

    def mean_error(sums: np.ndarray) -> np.ndarray:
        total, squares, squared_errors = np.reshape(sums, (-1, 3, count)).transpose(1, 0, 2)
        variation = squares - total**2 / examples
        varies = variation > ROUNDING * squares
        relative = np.where(varies, squared_errors / np.where(varies, variation, 1), np.nan)
        mean: np.ndarray = np.where(constant, squared_errors > 0, relative).mean(-1)
        return mean

    return np.concatenate([centered, centered**2, squared], 1), mean_error


def _centered(targets: np.ndarray) -> np.ndarray:
    """Return the targets minus their median, float64; a value that does not vary is exactly 0."""
    values = targets.astype(np.float64)
    centered: np.ndarray = values - np.median(values, 0)
    return centered


def right(values: np.ndarray, targets: np.ndarray, model: Model) -> np.ndarray:
    """Return for each example whether all its values are within `CLOSE` times their stds."""
    limit = CLOSE * np.array([scale.std for scale in model.scales])
    is_right: np.ndarray = (np.abs(values - targets) <= limit).all(-1)
    return is_right


def yardstick(expected: np.ndarray, model: Model) -> Yardstick:
    """Return the yardstick of the values' scales, or that of logits if the model does not state a scale for each."""
    if len(model.scales) != expected.shape[-1]:
        return of_largest(expected, model)
    return of_spread(expected, model.scales)


def agreement(values: np.ndarray, expected: np.ndarray, tolerance: float, model: Model) -> Verdict:
    """Compare values: none differs by more than the tolerance."""
    return compared(values, expected, tolerance, yardstick(expected, model))


def consistency(outputs: Mapping[str, np.ndarray]) -> float:
    """Return 0: there is one output."""
    return 0.0


def answer(outputs: Mapping[str, np.ndarray], model: Model, top: int) -> Values:
    """Return the values of one example."""
    return Values({label: float(value) for label, value in zip(model.labels, outputs[VALUES], strict=True)})


def summary(result: Evaluation) -> str:
    """Return the figures of all values, then a row for each."""
    first = (
        f"R² {result.r2:.4f} (95 % interval {result.low:.4f} to {result.high:.4f}, {result.examples} examples)  "
        f"RMSE {result.rmse:.6g}  MAE {result.mae:.6g}\n"
    )
    header = ("value", *(f"{name} (95 % interval)" for name in ("RMSE", "MAE", "R²")))
    cells = [
        (
            printable(row.label),
            *(f"{f.value:.5g} ({f.low:.5g} to {f.high:.5g})" for f in (row.rmse, row.mae, row.r2)),
        )
        for row in result.values
    ]
    return "\n".join([first, *columns((header, *cells), left=1)])


def draw(
    path: Path, result: Evaluation, values: np.ndarray, targets: np.ndarray, title: str, say: Callable[[str], None]
) -> None:
    """Draw the residuals."""
    draw_residuals(path, values, targets, [one.label for one in result.values], title, say)


TASK = Task(
    kind="values",
    outputs=(VALUES,),
    tensors=tensors,
    graph_module=f"{__name__}.graph",
    metrics=metrics,
    best="rmse",
    higher_is_better=False,
    titles={"loss": "squared error, standardized", "rmse": "RMSE"},
    score=score,
    right=right,
    errors=errors,
    error_sums=error_sums,
    yardstick=yardstick,
    agreement=agreement,
    consistency=consistency,
    measure=measure,
    summary=summary,
    drawing="residuals.png",
    draw=draw,
    answer=answer,
    distillations={"soft": False},
)
