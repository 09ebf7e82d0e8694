"""The learning rate of each update, compared with the published formulas of the schedules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zoo import recipe as recipes
from zoo.recipe import Recipe
from zoo.training.schedule import LearningRate, learning_rate

STEPS = 10
"""Updates of an epoch."""


def rates(*settings: str, epochs: int = 11) -> np.ndarray:
    """The rate of every update, and of one after the end."""
    made = recipes.override(Recipe(), [f"epochs={epochs}", "optimizer.lr=0.5", *settings])
    rate = learning_rate(made, STEPS)
    return np.array([float(rate(step)) for step in range(epochs * STEPS + 1)])


@pytest.mark.parametrize("shape", ["cosine", "constant", "linear", "step"])
def test_the_rate_rises_linearly(shape: str) -> None:
    np.testing.assert_allclose(rates(f"schedule.shape={shape}")[:STEPS], np.arange(1, 11) * 0.05, rtol=1e-6)


def test_a_cosine_falls_to_zero() -> None:
    found = rates()
    # Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, with one period.
    progress = np.arange(101) / 100
    np.testing.assert_allclose(found[STEPS:], 0.25 * (1 + np.cos(np.pi * progress)), atol=1e-7)


def test_a_constant_rate_is_constant() -> None:
    assert set(rates("schedule.shape=constant", "schedule.warmup_epochs=0")) == {0.5}


def test_a_line_falls_to_zero_after_it_was_held() -> None:
    found = rates("schedule.shape=linear")
    np.testing.assert_allclose(found[STEPS:], 0.5 * (1 - np.arange(101) / 100), atol=1e-7)
    held = rates("schedule.shape=linear", "schedule.hold_epochs=4")
    np.testing.assert_allclose(held[STEPS : 5 * STEPS + 1], 0.5)
    np.testing.assert_allclose(held[5 * STEPS :], 0.5 * (1 - np.arange(61) / 60), atol=1e-7)
    assert rates("schedule.hold_epochs=4")[5 * STEPS] == 0.5


def test_steps_drop_from_the_start_of_the_training() -> None:
    # Goyal et al. 2017, arXiv:1706.02677, section 5.1: 5 epochs of rise, a tenth from epochs 30, 60 and 80 on.
    found = rates("schedule.shape=step", "schedule.drop_epochs=3", "schedule.drop=0.5")
    expected = 0.5 * 0.5 ** (np.arange(STEPS, 111) // (3 * STEPS))
    np.testing.assert_allclose(found[STEPS:], expected, rtol=1e-6)
    often = rates("schedule.shape=step", "schedule.drop_epochs=0.5", "schedule.drop=0.9", "schedule.warmup_epochs=0")
    np.testing.assert_allclose(often, 0.5 * 0.9 ** (np.arange(111) // 5), rtol=1e-5)


def test_one_cycle_rises_and_falls_linearly_then_further() -> None:
    found = rates("schedule.shape=one_cycle", epochs=20)
    np.testing.assert_allclose(found[:91], np.linspace(0.05, 0.5, 91), rtol=1e-5)
    np.testing.assert_allclose(found[90:181], np.linspace(0.5, 0.05, 91), rtol=1e-5)
    np.testing.assert_allclose(found[180:200], np.linspace(0.05, 0.0005, 20), rtol=1e-4)
    assert found[200] == found[199]
    assert len(rates("schedule.shape=one_cycle", epochs=1)) == STEPS + 1


@pytest.mark.parametrize("shape", ["cosine", "constant", "linear", "step", "one_cycle"])
def test_no_rate_is_below_zero_or_above_the_peak(shape: str) -> None:
    for changes in ((), ("schedule.warmup_epochs=30",), ("schedule.hold_epochs=30",), ("schedule.drop_epochs=0.01",)):
        for epochs in (1, 3):
            found = rates(f"schedule.shape={shape}", *changes, epochs=epochs)
            assert np.isfinite(found).all()
            assert (found >= 0).all()
            assert (found <= 0.5 * (1 + 1e-6)).all()


def test_a_rate_goes_through_its_configuration() -> None:
    made = learning_rate(recipes.override(Recipe(), ["schedule.shape=step"]), STEPS)
    config: dict[str, Any] = made.get_config()
    assert float(LearningRate.from_config(config)(700)) == float(made(700))
