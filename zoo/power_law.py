"""Power laws of a network's error and its cost, fitted with their intervals.

The error falls as a power of the cost: error = scale * cost ** -exponent + floor. Source of the form: Kaplan et al.
2020, arXiv:2001.08361, and Henighan et al. 2020, arXiv:2010.14701, for the floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zoo.intervals import DRAWS, ENDS, times_drawn

FEWEST = 3
"""The fewest networks of different cost that a law is fitted to."""

FEWEST_FOR_FLOOR = 6
"""The fewest networks for which a floor is tried; for fewer, the corrected information criterion is not defined."""

FEWEST_TO_DRAW = 5
"""The fewest networks that the bootstrap resamples; with fewer, the interval does not cover the choice of networks."""

EVIDENCE = 2.0
"""The least difference by which the information criterion must be lower with a floor than without."""

FLOORS = 200
"""The number of floors that are tried."""


@dataclass(frozen=True)
class Law:
    """error = scale * cost ** -exponent + floor."""

    scale: float
    exponent: float
    floor: float = 0.0

    def error(self, cost: np.ndarray | float) -> np.ndarray:
        """Return the error at a cost."""
        errors: np.ndarray = self.scale * np.asarray(cost, np.float64) ** -self.exponent + self.floor
        return errors


@dataclass(frozen=True)
class Fit:
    """A law and its 95 % intervals.

    `exponent` is the interval of the law's exponent. `next_error` is the error at twice the largest cost, with its
    interval in `next`; `gain` is how much lower it is than the law's error at the largest cost, with its interval in
    `gained`. `low` and `high` are the ends of the law's own interval at `costs`. `points` is the number of networks
    that the law was fitted to, and `draws_points` says whether the intervals cover the choice of the networks in
    addition to the choice of the test examples.
    """

    law: Law
    exponent: tuple[float, float]
    next_error: float
    next: tuple[float, float]
    gain: float
    gained: tuple[float, float]
    points: int
    draws_points: bool
    costs: np.ndarray
    low: np.ndarray
    high: np.ndarray


def fit(costs: np.ndarray, errors: np.ndarray, seed: int = 0) -> Fit | None:
    """Fit a law, and its intervals with a bootstrap over examples, and over networks if there are enough.

    Each draw takes the same examples for all networks, so that the difficulty of the drawn examples cancels out. An
    error of 0 counts as half an example.

    Args:
        costs: the cost of each network, [networks].
        errors: the error of each network on each example, [networks, examples]; the mean over examples is the error of
            the network.
        seed: the seed of the draws.

    Returns:
        The fit; None if fewer than `FEWEST` networks differ in their cost.
    """
    costs = np.asarray(costs, np.float64)
    if len(np.unique(costs)) < FEWEST:
        return None
    networks, examples = errors.shape
    means = _positive(errors.mean(1), examples)
    law, floor = _with_or_without_floor(costs, means)
    grid = np.geomspace(costs.min(), 2 * costs.max(), 50)
    draws_points = len(np.unique(costs)) >= FEWEST_TO_DRAW
    generator = np.random.default_rng(seed)
    exponents: list[float] = []
    nexts: list[float] = []
    gains: list[float] = []
    curves: list[np.ndarray] = []
    while len(exponents) < DRAWS:
        drawn = _positive(errors @ times_drawn(generator, examples) / examples, examples)
        chosen = generator.integers(0, networks, networks) if draws_points else np.arange(networks)
        if len(np.unique(costs[chosen])) < FEWEST:
            continue
        drawn_law = fitted(costs[chosen], drawn[chosen], floor)
        exponents.append(drawn_law.exponent)
        now, later = drawn_law.error(np.array([1, 2]) * costs.max()).tolist()
        nexts.append(later)
        gains.append(now - later)
        curves.append(drawn_law.error(grid))
    low, high = np.percentile(curves, ENDS, axis=0)
    next_error = float(law.error(2 * costs.max()))
    return Fit(
        law=law,
        exponent=_interval(exponents),
        next_error=next_error,
        next=_interval(nexts),
        gain=float(law.error(costs.max())) - next_error,
        gained=_interval(gains),
        points=networks,
        draws_points=draws_points,
        costs=grid,
        low=low,
        high=high,
    )


def fitted(costs: np.ndarray, errors: np.ndarray, floor: bool) -> Law:
    """Fit a law to the logarithms of the errors by least squares, with a floor if `floor`."""
    floors = np.linspace(0, errors.min(), FLOORS, endpoint=False) if floor else np.zeros(1)
    # A line through the logarithms for each floor, [floors, networks].
    x, y = np.log(costs), np.log(errors - floors[:, None])
    centered = x - x.mean()
    slopes = y @ centered / (centered**2).sum()
    heights = y.mean(1) - slopes * x.mean()
    fitted_errors = np.exp(heights[:, None] + slopes[:, None] * x) + floors[:, None]
    best = ((np.log(fitted_errors) - np.log(errors)) ** 2).sum(1).argmin()
    return Law(math.exp(heights[best]), float(-slopes[best]), float(floors[best]))


def _misfit(law: Law, costs: np.ndarray, errors: np.ndarray) -> float:
    return float(((np.log(law.error(costs)) - np.log(errors)) ** 2).sum())


def _with_or_without_floor(costs: np.ndarray, errors: np.ndarray) -> tuple[Law, bool]:
    """Return the law that the data support, and whether it has a floor.

    By the corrected information criterion of Hurvich and Tsai, Biometrika 76 (1989).
    """
    without_floor = fitted(costs, errors, floor=False)
    count = len(np.unique(costs))
    if count < FEWEST_FOR_FLOOR:
        return without_floor, False
    with_floor = fitted(costs, errors, floor=True)

    def criterion(law: Law, parameters: int) -> float:
        spread = max(_misfit(law, costs, errors) / len(costs), 1e-12)
        free = len(costs) - parameters - 1
        return len(costs) * math.log(spread) + 2 * parameters + 2 * parameters * (parameters + 1) / free

    # The law has two or three parameters; the spread around it is one more.
    supported = with_floor.exponent > 0 and criterion(with_floor, 4) < criterion(without_floor, 3) - EVIDENCE
    return (with_floor, True) if supported else (without_floor, False)


def _positive(errors: np.ndarray, examples: int) -> np.ndarray:
    """Return errors with half an example in place of 0, which has no logarithm."""
    return np.where(errors > 0, errors, 0.5 / examples)


def _interval(values: list[float]) -> tuple[float, float]:
    low, high = np.percentile(values, ENDS)
    return float(low), float(high)
