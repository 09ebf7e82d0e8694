"""Summaries of latencies: percentiles, and the interval of the median."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.intervals import median_over_sessions

FEWEST = 6
"""The fewest samples for an interval: the extremes of n enclose the median with a probability of 1 - 2 / 2**n.

That is 0.969 for 6 samples, and 0.938 for 5.
"""


@dataclass(frozen=True)
class Latency:
    """Percentiles of `runs` latencies, in their own unit; `low` and `high` are the 95 % interval of the median."""

    runs: int
    p50: float
    p90: float
    p99: float
    low: float
    high: float


def latency(sessions: Sequence[np.ndarray], seed: int) -> Latency:
    """Summarize the latencies of several sessions, float [runs] each; `seed` is that of the bootstrap of the interval.

    Percentiles are those of all runs together, interpolated (Hyndman and Fan, 1996, definition 7).
    """
    samples = np.concatenate(sessions)
    p50, p90, p99 = (float(value) for value in np.percentile(samples, [50, 90, 99]))
    _, low, high = median_over_sessions(sessions, seed)
    return Latency(len(samples), p50, p90, p99, low, high)


def median_interval(samples: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the median of independent samples of any distribution: two of the samples.

    Source: H. A. David and H. N. Nagaraja, Order Statistics, 3rd edition (2003), section 7.1.

    Raises:
        ValueError: there are fewer than `FEWEST`.
    """
    rank = median_rank(len(samples))
    ordered = np.sort(samples)
    return float(ordered[rank - 1]), float(ordered[-rank])


def median_rank(count: int) -> int:
    """Return the largest k for which the k-th smallest and k-th largest of `count` samples enclose the median at 95 %.

    The number of samples below the median is binomial (`count`, 1/2); its probabilities are computed exactly.

    Raises:
        ValueError: `count` is below `FEWEST`: not even the smallest and the largest sample do.
    """
    if count < FEWEST:
        raise ValueError(f"{count} samples give no 95 % interval of the median: take at least {FEWEST}")
    rank, fewer, exactly, outcomes = 0, 0, 1, 2**count
    while 40 * (fewer + exactly) <= outcomes:
        fewer += exactly
        exactly = exactly * (count - rank) // (rank + 1)
        rank += 1
    return rank
