"""The distance between the logits of two files for the same examples: one measure for every comparison of files.

The gates of the export, the check of a server and `zoo verify` all use it; `zoo.contract` has the tolerances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zoo.task import Verdict

_TINY = float(np.finfo(np.float32).tiny)


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest |found - expected| as a share of the largest |expected|; infinite where `found` is not finite.

    Args:
        found: float32 logits [examples, labels].
        expected: float32 logits of the same shape, all finite.
    """
    if not np.isfinite(found).all():
        return float("inf")
    difference = np.abs(found.astype(np.float64) - expected).max()
    return float(difference / max(float(np.abs(expected).max()), _TINY))


def same_likeliest(logits: np.ndarray, expected: np.ndarray, tolerance: float) -> Verdict:
    """Compare logits [examples, …, labels]: none differs by more than the tolerance, and the likeliest labels agree.

    The likeliest labels may differ where the two largest logits are within the tolerance of each other. If an example
    has several likeliest labels, such as one for each frame, each of them must agree.
    """
    if logits.shape != expected.shape:
        return False, {"shape": list(logits.shape), "expected_shape": list(expected.shape)}
    difference = relative_difference(logits, expected)
    best = np.sort(expected, -1)
    tied = best[..., -1] - best[..., -2] <= tolerance * float(np.abs(expected).max())
    other = int(((logits.argmax(-1) != expected.argmax(-1)) & ~tied).sum())
    return difference <= tolerance and other == 0, {
        "examples": len(logits),
        "largest_difference": difference if np.isfinite(difference) else None,
        "limit": tolerance,
        "other_top1": other,
        "ties": int(tied.sum()),
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits [examples, labels]: each row is positive and sums to 1."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
