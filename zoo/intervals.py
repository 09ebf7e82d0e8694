"""Confidence intervals of proportions, latencies and figures of examples, for all three wings. Needs only numpy."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np

DRAWS = 1000
"""Draws of a bootstrap."""

ENDS = (2.5, 97.5)
"""The percentiles of the draws that are the ends of a 95 % interval."""

_Z = statistics.NormalDist().inv_cdf(0.975)


def wilson(correct: int, total: int) -> tuple[float, float]:
    """Compute the 95 % score interval of a proportion, `correct` of `total`.

    It lies within [0, 1] and contains the proportion. Source: E. B. Wilson, Probable inference, the law of succession,
    and statistical inference, JASA 22 (1927).

    Raises:
        ValueError: `total` is not positive, or `correct` is not between 0 and `total`.
    """
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"no proportion: {correct} of {total}")
    share = correct / total
    shrink = 1 + _Z**2 / total
    center = (share + _Z**2 / (2 * total)) / shrink
    half = _Z * math.sqrt(share * (1 - share) / total + (_Z / (2 * total)) ** 2) / shrink
    # At 0 and at `total`, one end equals the share; rounding must not move it past the share.
    return max(0.0, min(share, center - half)), min(1.0, max(share, center + half))


def paired_difference(lost: int, gained: int, total: int) -> tuple[float, float, float]:
    """Compute the drop of a proportion between two paired measurements, and the 95 % interval of the drop.

    Of the same `total` cases, `lost` were right in the first measurement only, and `gained` in the second only. Half a
    case is added to each cell of the table. Source: A. Agresti and Y. Min, Simple improved confidence intervals for
    comparing matched proportions, Statistics in Medicine 24 (2005).

    Raises:
        ValueError: `total` is not positive, or smaller than `lost + gained`.
    """
    if total < 1 or min(lost, gained) < 0 or lost + gained > total:
        raise ValueError(f"no pairs: {lost} lost and {gained} gained of {total}")
    cases = total + 2
    center = (lost - gained) / cases
    half = _Z * math.sqrt((lost + gained + 1) - (lost - gained) ** 2 / cases) / cases
    share = (lost - gained) / total
    return share, max(-1.0, min(share, center - half)), min(1.0, max(share, center + half))


def ratio_of_medians(
    first: np.ndarray, second: np.ndarray, seed: int, draws: int = DRAWS
) -> tuple[float, float, float]:
    """Compute `median(first) / median(second)` of paired latencies, float [rounds], and its 95 % interval.

    The interval is a bootstrap over rounds. Each draw takes the same rounds of both, so that a disturbance of a whole
    round cancels out. Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13
    (percentile interval).

    Raises:
        ValueError: the two are empty or differ in length.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"{len(first)} and {len(second)} latencies are not pairs")
    generator = np.random.default_rng(seed)
    ratios = []
    for _ in range(draws):
        rounds = generator.integers(0, len(first), len(first))
        ratios.append(np.median(first[rounds]) / np.median(second[rounds]))
    low, high = np.percentile(ratios, ENDS)
    return float(np.median(first) / np.median(second)), float(low), float(high)


def ratio_of_medians_over_sessions(
    sessions: Sequence[tuple[np.ndarray, np.ndarray]], seed: int, draws: int = DRAWS
) -> tuple[float, float, float]:
    """Compute `median(first) / median(second)` of paired latencies, float [rounds], of several sessions.

    The 95 % interval is that of `_over_sessions`.
    """

    def ratio(rounds: np.ndarray) -> float:
        first, second = rounds
        return float(np.median(first) / np.median(second))

    return _over_sessions([np.stack(pair) for pair in sessions], ratio, seed, draws)


def median_over_sessions(sessions: Sequence[np.ndarray], seed: int, draws: int = DRAWS) -> tuple[float, float, float]:
    """Compute the median of latencies, float [rounds], of several sessions.

    The 95 % interval is that of `_over_sessions`.
    """
    return _over_sessions(sessions, lambda rounds: float(np.median(rounds)), seed, draws)


def _over_sessions(
    sessions: Sequence[np.ndarray], figure: Callable[[np.ndarray], float], seed: int, draws: int
) -> tuple[float, float, float]:
    """Compute a figure of the rounds of all sessions, float [..., rounds], and its 95 % interval.

    The interval is a bootstrap over sessions, and over the rounds of each session that is drawn: the sessions may
    differ by more than the rounds of each.
    """
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        chosen = [sessions[number] for number in generator.integers(0, len(sessions), len(sessions))]
        rounds = [session[..., generator.integers(0, session.shape[-1], session.shape[-1])] for session in chosen]
        drawn.append(figure(np.concatenate(rounds, -1)))
    value = figure(np.concatenate(sessions, -1))
    return value, *percentile_interval(value, np.array(drawn))


def times_drawn(generator: np.random.Generator, examples: int) -> np.ndarray:
    """Draw as many examples as there are, with replacement; return how often each was drawn, int64 [examples]."""
    return np.bincount(generator.integers(0, examples, examples), minlength=examples)


def resampled_sums(columns: np.ndarray, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """Sum columns [examples, columns] over bootstrap draws of the examples; return float64 [draws, columns].

    One draw is in memory at a time. Figures that are functions of sums get their intervals from one set of draws.
    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    generator, examples = np.random.default_rng(seed), len(columns)
    sums = np.empty((draws, columns.shape[1]))
    for row in sums:
        row[:] = times_drawn(generator, examples).astype(np.float64) @ columns
    return sums


def percentile_interval(value: float, drawn: np.ndarray) -> tuple[float, float]:
    """Compute the 95 % interval of a figure from its values in bootstrap draws, float [draws].

    It contains `value`; without draws it is `value` alone.
    """
    low, high = np.percentile(drawn, ENDS) if len(drawn) else (value, value)
    return float(min(low, value)), float(max(high, value))
