"""Figures of predicted values, against scikit-learn, and their bootstrap intervals."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from zoo.intervals import resampled_sums
from zoo.tasks.values.figures import figures


def predictions(examples: int, values: int, mean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(examples + values)
    truth = generator.normal(mean, 2.0, (examples, values)).astype(np.float32)
    return truth + generator.normal(size=truth.shape).astype(np.float32), truth


@given(st.integers(2, 200), st.integers(1, 3), st.sampled_from([0.0, 1e5]))
def test_figures_are_those_of_scikit_learn(examples: int, values: int, mean: float) -> None:
    found, truth = predictions(examples, values, mean)
    rmse, mae, r2, mean_r2 = figures(found, truth)
    wide = found.astype(np.float64), truth.astype(np.float64)
    assert [one.value for one in rmse] == pytest.approx(root_mean_squared_error(*wide[::-1], multioutput="raw_values"))
    assert [one.value for one in mae] == pytest.approx(mean_absolute_error(*wide[::-1], multioutput="raw_values"))
    assert [one.value for one in r2] == pytest.approx(r2_score(*wide[::-1], multioutput="raw_values"))
    assert mean_r2.value == pytest.approx(r2_score(*wide[::-1]))
    for one in (*rmse, *mae, *r2, mean_r2):
        assert one.low <= one.value <= one.high


def test_intervals_are_percentiles_over_draws_of_examples() -> None:
    found, truth = predictions(50, 1)
    generator, drawn = np.random.default_rng(0), []
    for _ in range(1000):
        chosen = generator.integers(0, 50, 50)
        drawn.append(r2_score(truth[chosen], found[chosen]))
    *_, mean_r2 = figures(found, truth)
    assert [mean_r2.low, mean_r2.high] == pytest.approx(np.percentile(drawn, [2.5, 97.5]).tolist())


@pytest.mark.parametrize(("error", "r2"), [(0.0, 1.0), (0.5, 0.0)])
def test_true_values_that_do_not_vary(error: float, r2: float) -> None:
    truth = np.full((5, 1), 3.7, np.float32)
    *_, found = figures(truth + np.float32(error), truth)
    assert (found.value, found.low, found.high) == (r2, r2, r2)


def test_memory_does_not_grow_with_the_number_of_draws() -> None:
    columns = np.ones((20_000, 2))
    tracemalloc.start()
    sums = resampled_sums(columns)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * columns.nbytes
    assert (sums == 20_000).all()
