"""The update rule of a recipe."""

from __future__ import annotations

import math
from typing import Any

import keras

from zoo.recipe import Recipe


def optimizer(recipe: Recipe, model: Any, steps_per_epoch: int) -> Any:
    """A built Keras optimizer; norms and biases (variables of one dimension) are spared weight decay.

    Called in the scope of the strategy. Clipping is not its business: Keras clips before gradients are summed over
    replicas (keras 3.15), see `zoo.training.steps`.
    """
    rule = recipe.optimizer
    rate = LearningRate(
        peak=rule.lr,
        warmup_steps=round(recipe.schedule.warmup_epochs * steps_per_epoch),
        total_steps=recipe.epochs * steps_per_epoch,
        shape=recipe.schedule.shape,
    )
    if rule.name == "sgd":
        made = keras.optimizers.SGD(rate, momentum=rule.momentum, nesterov=True, weight_decay=rule.weight_decay or None)
    else:
        made = keras.optimizers.AdamW(rate, beta_1=rule.momentum, weight_decay=rule.weight_decay)
    made.exclude_from_weight_decay(var_list=[v for v in model.trainable_variables if len(v.shape) <= 1])
    made.build(model.trainable_variables)
    return made


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises, then falls.

    Linearly to `peak` over `warmup_steps`, then constant or half a cosine that would reach 0 at `total_steps`.
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int, shape: str) -> None:
        self.peak, self.warmup_steps, self.total_steps, self.shape = peak, warmup_steps, total_steps, shape

    def __call__(self, step: Any) -> Any:
        """The rate of the update number `step`, counted from 0."""
        step = keras.ops.cast(step, "float32")
        rise = (step + 1) / max(1, self.warmup_steps)
        if self.shape == "constant":
            return self.peak * keras.ops.minimum(1.0, rise)
        progress = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        fall = 0.5 * (1 + keras.ops.cos(math.pi * keras.ops.clip(progress, 0.0, 1.0)))
        return self.peak * keras.ops.where(step < self.warmup_steps, rise, fall)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras asks."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "shape": self.shape,
        }
