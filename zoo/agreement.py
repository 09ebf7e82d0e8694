"""The differences between the answers of two files to the same examples: one measure for every comparison of files.

Each task has its yardstick, which says how large a difference is. The gates of the export, the check of a server, the
search for nodes that stay in float32 and `zoo verify` all measure by it; `zoo.contract` and the formats have the
tolerances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zoo.description import Model, Scale
    from zoo.task import Verdict

ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""The share of a value by which two float32 files may round it differently.

A value is rounded three times when it is computed from a standardized one: as a product, as a sum, and as the number
that several targets compare.
"""

_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Yardstick:
    """The measure of differences from primary outputs: a tolerance is a number of its units.

    Attributes:
        unit: the difference that counts as 1, float64, one for all outputs or one for each label.
        rounding: the difference up to which outputs count as equal, of the same shape.
    """

    unit: np.ndarray
    rounding: np.ndarray

    def differences(self, actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return the differences of outputs [examples, …, labels] in units; infinite where one is not finite."""
        with np.errstate(invalid="ignore"):  # infinity less infinity
            units = np.maximum(np.abs(actual.astype(np.float64) - expected) - self.rounding, 0) / self.unit
        return np.where(np.isfinite(units), units, np.inf)

    def largest(self, actual: np.ndarray, expected: np.ndarray) -> float:
        """Return the largest of the `differences`."""
        return float(self.differences(actual, expected).max())


def of_largest(expected: np.ndarray, model: Model) -> Yardstick:
    """Return the yardstick of logits: differences are shares of the largest |expected|."""
    return Yardstick(np.maximum(np.abs(expected).max(), _TINY).astype(np.float64), np.zeros(()))


def of_spread(expected: np.ndarray, scales: Sequence[Scale]) -> Yardstick:
    """Return the yardstick of values [examples, values], which may lie far from 0, such as years.

    Differences of a value are shares of its largest distance from its mean in training, or of its std if that is
    larger: for a network, which computes standardized values, this is what the largest |logit| is for classes. A
    difference that is within float32's rounding of the value counts as 0.
    """
    means, stds = np.array([scale.mean for scale in scales]), np.array([scale.std for scale in scales])
    distance = np.abs(expected - means).max(0)
    return Yardstick(
        np.maximum(np.maximum(distance, stds), _TINY), ROUNDING * np.abs(expected).max(0).astype(np.float64)
    )


def compared(actual: np.ndarray, expected: np.ndarray, tolerance: float, yardstick: Yardstick) -> Verdict:
    """Compare primary outputs: none differs by more than the tolerance."""
    if actual.shape != expected.shape:
        return False, {"shape": list(actual.shape), "expected_shape": list(expected.shape)}
    difference = yardstick.largest(actual, expected)
    return difference <= tolerance, {
        "examples": len(actual),
        "largest_difference": difference if np.isfinite(difference) else None,
        "limit": tolerance,
    }


def same_likeliest(logits: np.ndarray, expected: np.ndarray, tolerance: float, model: Model) -> Verdict:
    """Compare logits [examples, …, labels]: none differs by more than the tolerance, and the likeliest labels agree.

    The likeliest labels may differ where the two largest logits are within the tolerance of each other. If an example
    has several likeliest labels, such as one for each frame, each of them must agree.
    """
    yardstick = of_largest(expected, model)
    close, figures = compared(logits, expected, tolerance, yardstick)
    if logits.shape != expected.shape:
        return close, figures
    best = np.sort(expected, -1)
    tied = best[..., -1] - best[..., -2] <= tolerance * yardstick.unit
    other = int(((logits.argmax(-1) != expected.argmax(-1)) & ~tied).sum())
    return close and other == 0, {**figures, "other_top1": other, "ties": int(tied.sum())}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits [examples, labels]: each row is positive and sums to 1."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
