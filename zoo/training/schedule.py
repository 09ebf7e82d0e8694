"""The learning rate over the updates of a training."""

from __future__ import annotations

import math
from typing import Any

import keras

from zoo.recipe import Recipe, Schedule
from zoo.schema import parse, to_dict

CYCLE = 0.45
"""The share of a training that each half of a `one_cycle` takes; the rest of the training lowers the rate further.

Smith (2018, arXiv:1803.09820, section 4.3) makes the cycle shorter than the training.
"""

CYCLE_START, CYCLE_END = 0.1, 0.001
"""The rate at both ends of a cycle, and at the end of the training, as shares of the highest rate."""


def learning_rate(recipe: Recipe, steps_per_epoch: int) -> LearningRate:
    """Return the learning rate of a recipe, with `steps_per_epoch` updates in an epoch."""
    return LearningRate(recipe.optimizer.lr, recipe.schedule, recipe.epochs, steps_per_epoch)


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """A rate over the updates of a training, see `zoo.recipe.Schedule`.

    Args:
        peak: the highest rate.
        schedule: the shape, with its lengths in epochs.
        epochs: the epochs of the training.
        steps_per_epoch: the number of updates in an epoch.
    """

    def __init__(self, peak: float, schedule: Schedule, epochs: int, steps_per_epoch: int) -> None:
        self.peak, self.schedule, self.epochs, self.steps_per_epoch = peak, schedule, epochs, steps_per_epoch

    def __call__(self, step: Any) -> Any:
        """Return the rate of the update number `step`, counted from 0."""
        step = keras.ops.cast(step, "float32")
        total = self.epochs * self.steps_per_epoch
        if self.schedule.shape == "one_cycle":
            return self.peak * _one_cycle(step, total)
        warmup = self._steps(self.schedule.warmup_epochs)
        rise = (step + 1) / max(1, warmup)
        if self.schedule.shape == "constant":
            return self.peak * keras.ops.minimum(1.0, rise)
        if self.schedule.shape == "step":
            drops = keras.ops.floor(step / max(1, self._steps(self.schedule.drop_epochs)))
            return self.peak * keras.ops.where(step < warmup, rise, self.schedule.drop**drops)
        start = warmup + self._steps(self.schedule.hold_epochs)
        progress = keras.ops.clip((step - start) / max(1, total - start), 0.0, 1.0)
        fall = 1 - progress if self.schedule.shape == "linear" else 0.5 * (1 + keras.ops.cos(math.pi * progress))
        return self.peak * keras.ops.where(step < warmup, rise, fall)

    def _steps(self, epochs: float) -> int:
        return round(epochs * self.steps_per_epoch)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {
            "peak": self.peak,
            "schedule": to_dict(self.schedule),
            "epochs": self.epochs,
            "steps_per_epoch": self.steps_per_epoch,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRate:
        """Make a rate from the constructor's arguments, for Keras."""
        return cls(**config | {"schedule": parse(Schedule, config["schedule"], "schedule")})


def _one_cycle(step: Any, total: int) -> Any:
    """Return the share of the highest rate: it rises, falls, and falls on to `CYCLE_END`, each time linearly."""
    half = max(1, round(CYCLE * total))
    rest = max(1, total - 1 - 2 * half)
    up = CYCLE_START + (1 - CYCLE_START) * step / half
    down = 1 - (1 - CYCLE_START) * (step - half) / half
    end = CYCLE_START + (CYCLE_END - CYCLE_START) * keras.ops.minimum(1.0, (step - 2 * half) / rest)
    return keras.ops.where(step < half, up, keras.ops.where(step < 2 * half, down, end))
