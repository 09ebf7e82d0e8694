"""Intervals of measured shares. Plain Python, for training, export and serving alike."""

from __future__ import annotations

import math
import statistics

_Z = statistics.NormalDist().inv_cdf(0.975)


def wilson(correct: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion, `correct` of `total`; it stays within [0, 1] and holds the proportion.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

    Raises:
        ValueError: `total` is no positive number, or `correct` is not within 0 and `total`.
    """
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"no proportion: {correct} of {total}")
    share = correct / total
    shrink = 1 + _Z**2 / total
    centre = (share + _Z**2 / (2 * total)) / shrink
    half = _Z * math.sqrt(share * (1 - share) / total + (_Z / (2 * total)) ** 2) / shrink
    # Rounding may leave an end beyond the share itself where the two coincide, at none and at all.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
