"""Power laws: the fit recovers known laws, and the intervals have the stated coverage."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.power_law import Law, fit, fitted

COSTS = np.array([1e6, 3e6, 1e7, 5e7, 1e8, 6e8, 2e9])


def drawn(law: Law, costs: np.ndarray, examples: int, seed: int = 0) -> np.ndarray:
    """Errors of examples, each of which has a difficulty that all networks share."""
    difficulty = np.random.default_rng(seed).random(examples)
    return (difficulty < law.error(costs)[:, None]).astype(np.float64)


def test_a_law_without_noise_is_found() -> None:
    law = fitted(COSTS, Law(3.0, 0.25).error(COSTS), floor=False)
    assert (law.scale, law.exponent, law.floor) == pytest.approx((3.0, 0.25, 0.0))


def test_a_floor_is_found_where_there_is_one() -> None:
    law = fitted(COSTS, Law(30.0, 0.4, 0.05).error(COSTS), floor=True)
    assert law.exponent == pytest.approx(0.4, abs=0.02)
    assert law.floor == pytest.approx(0.05, abs=0.003)


def test_the_interval_holds_the_exponent_that_the_examples_were_drawn_with() -> None:
    truth = Law(3.0, 0.25)
    held = 0
    for seed in range(8):
        found = fit(COSTS, drawn(truth, COSTS, 2000, seed), seed)
        assert found is not None
        assert found.draws_points
        held += found.exponent[0] <= truth.exponent <= found.exponent[1]
        assert found.next[0] <= found.next_error <= found.next[1]
        assert found.gained[0] <= found.gain <= found.gained[1]
        assert (found.low <= found.high).all()
    assert held >= 6


def test_more_examples_make_the_interval_narrower() -> None:
    few, many = (fit(COSTS[:4], drawn(Law(3.0, 0.25), COSTS[:4], count)) for count in (200, 20_000))
    assert few is not None
    assert many is not None
    assert not few.draws_points
    assert many.exponent[1] - many.exponent[0] < 0.3 * (few.exponent[1] - few.exponent[0])


def test_a_floor_needs_enough_networks_and_evidence() -> None:
    floored = Law(30.0, 0.4, 0.05)
    found = fit(COSTS, np.repeat(floored.error(COSTS)[:, None], 100, axis=1))
    assert found is not None
    assert found.law.floor > 0.03
    few = fit(COSTS[:5], np.repeat(floored.error(COSTS[:5])[:, None], 100, axis=1))
    assert few is not None
    assert few.law.floor == 0
    plain = fit(COSTS, np.repeat(Law(3.0, 0.25).error(COSTS)[:, None], 100, axis=1))
    assert plain is not None
    assert plain.law.floor == 0


def test_networks_without_an_error_have_half_of_one() -> None:
    errors = drawn(Law(3.0, 0.25), COSTS[:3], 50)
    errors[2] = 0
    found = fit(COSTS[:3], errors)
    assert found is not None
    assert np.isfinite([found.law.scale, found.law.exponent, *found.exponent, *found.gained]).all()


def test_too_few_networks_have_no_law() -> None:
    assert fit(np.array([1e6, 1e6, 2e6]), np.zeros((3, 10))) is None


def test_errors_of_values_may_be_smaller_than_half_an_example() -> None:
    costs = np.array([1.0, 2.0, 4.0, 8.0]) * 1e6
    errors = np.repeat((1e-3 / np.arange(1, 5))[:, None], 100, 1)
    found = fit(costs, errors, seed=0)
    assert found is not None
    assert found.law.exponent > 0.5
    assert found.law.error(costs[-1:])[0] < 5e-4
