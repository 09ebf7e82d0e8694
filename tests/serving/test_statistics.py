"""Intervals have the coverage that they promise, compared with exact sums, published tables and simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.intervals import median_over_sessions, ratio_of_medians, ratio_of_medians_over_sessions, wilson
from zoo.serving.statistics import FEWEST, latency, median_interval, median_rank

samples = st.lists(st.floats(1e-6, 1e6), min_size=FEWEST, max_size=200).map(np.array)


@given(st.integers(1, 10**9).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_holds_the_share_and_stays_a_share(counts: tuple[int, int]) -> None:
    correct, total = counts
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    assert low < high


@given(st.integers(1, 10**6).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_is_symmetric_and_solves_its_equation(counts: tuple[int, int]) -> None:
    correct, total = counts
    low, high = wilson(correct, total)
    other_low, other_high = wilson(total - correct, total)
    assert (low, high) == pytest.approx((1 - other_high, 1 - other_low), abs=1e-12)
    # The ends are the shares p of which the observed one is z standard deviations away.
    for end in (low, high):
        if 0 < end < 1:
            assert (correct / total - end) ** 2 == pytest.approx(
                1.959964**2 * end * (1 - end) / total, rel=1e-5, abs=1e-15
            )


def test_wilson_gives_published_figures() -> None:
    # Newcombe (1998), table I, score method: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for counts, wanted in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson(*counts) == pytest.approx(wanted, abs=5e-5)


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(*counts)


@given(st.integers(FEWEST, 400))
def test_median_rank_is_the_largest_that_covers(count: int) -> None:
    def missed(rank: int) -> int:
        return 2 * sum(math.comb(count, heads) for heads in range(rank))

    rank = median_rank(count)
    assert 20 * missed(rank) <= 2**count < 20 * missed(rank + 1)


def test_median_rank_of_published_tables() -> None:
    # Conover, Practical Nonparametric Statistics, and any table of the sign test at 5 %, two-sided.
    assert [median_rank(count) for count in (6, 9, 12, 15, 20, 25, 50, 100)] == [1, 2, 3, 4, 6, 8, 18, 40]
    with pytest.raises(ValueError, match="at least 6"):
        median_rank(5)


@given(st.lists(samples, min_size=1, max_size=5))
@settings(max_examples=10, deadline=None)
def test_latency_is_in_order(sessions: list[np.ndarray]) -> None:
    found, values = latency(sessions, seed=0), np.concatenate(sessions)
    assert values.min() <= found.low <= found.p50 <= found.high <= values.max()
    assert found.p50 <= found.p90 <= found.p99
    assert found.runs == len(values)


@given(samples, st.floats(1e-3, 1e3))
def test_median_interval_scales_and_ignores_order(values: np.ndarray, scale: float) -> None:
    low, high = median_interval(values)
    assert median_interval(values[::-1] * scale) == pytest.approx((low * scale, high * scale))


def test_median_interval_covers_as_it_says() -> None:
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        low, high = median_interval(random.lognormal(0, 1, 41))
        inside += low <= 1 <= high
    assert 0.95 <= inside / 2000 <= 0.985


@given(samples, st.floats(0.1, 10))
def test_a_constant_ratio_is_found_whatever_the_noise(values: np.ndarray, ratio: float) -> None:
    assert ratio_of_medians(values * ratio, values, seed=0, draws=20) == pytest.approx((ratio, ratio, ratio))


def test_ratio_covers_as_it_says_and_is_seeded() -> None:
    random = np.random.default_rng(0)
    inside = 0
    for trial in range(100):
        # What slows a round down slows both of its answers down.
        round_ = random.lognormal(0, 0.5, 60)
        first, second = (round_ * random.lognormal(0, 0.05, 60) for _ in range(2))
        _, low, high = ratio_of_medians(1.1 * first, second, seed=trial, draws=300)
        inside += low <= 1.1 <= high
    assert 0.88 <= inside / 100 <= 1
    assert ratio_of_medians(first, second, seed=7) == ratio_of_medians(first, second, seed=7)
    assert ratio_of_medians(first, second, seed=7) != ratio_of_medians(first, second, seed=8)


def test_pairs_that_are_none_are_refused() -> None:
    for first, second in ((np.ones(3), np.ones(4)), (np.ones(0), np.ones(0))):
        with pytest.raises(ValueError, match="are not pairs"):
            ratio_of_medians(first, second, seed=0)


def test_the_interval_of_the_median_counts_the_differences_of_sessions() -> None:
    random = np.random.default_rng(0)
    sessions = [random.normal(level, 0.001, 60) for level in (1.0, 1.2, 1.0, 1.2, 1.1)]
    value, low, high = median_over_sessions(sessions, seed=0)
    assert low < 1.01 < value < 1.19 < high
    assert median_over_sessions(sessions, seed=0) == (value, low, high)
    assert high - low > 10 * np.subtract(*median_interval(sessions[0])[::-1])


def test_the_interval_over_sessions_covers_those_that_differ() -> None:
    random = np.random.default_rng(0)
    sessions = []
    for ratio in (0.86, 1.02, 1.01, 0.98, 1.02):
        second = random.normal(1, 0.01, 60)
        sessions.append((ratio * second * random.normal(1, 0.01, 60), second))
    value, low, high = ratio_of_medians_over_sessions(sessions, seed=0)
    assert low < 0.95
    assert high > 1.0
    assert low < value < high
    for first, second in sessions:
        _, narrow_low, narrow_high = ratio_of_medians(first, second, seed=0)
        assert narrow_high - narrow_low < (high - low) / 2
    assert ratio_of_medians_over_sessions(sessions, seed=0) == (value, low, high)
