"""The distance between two sets of logits for the same images: one measure, wherever files are compared.

The gates of the export, the check of a server and `zoo verify` all compare by it; `zoo.contract` has the tolerances.
"""

from __future__ import annotations

import numpy as np

_TINY = float(np.finfo(np.float32).tiny)


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest |found - expected| as a share of the largest |expected|; infinite where `found` is not finite.

    Args:
        found: float32 logits [images, classes].
        expected: float32 logits of the same shape, all finite.
    """
    if not np.isfinite(found).all():
        return float("inf")
    difference = np.abs(found.astype(np.float64) - expected).max()
    return float(difference / max(float(np.abs(expected).max()), _TINY))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits [images, classes]: each row is positive and sums to 1."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
