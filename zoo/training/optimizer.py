"""The update rule of a recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras

from zoo.recipe import Recipe

UNDECAYED = ("positions", "token")
"""Variables of more than one dimension that weight decay spares, as timm's `no_weight_decay` of a ViT does."""


def optimizer(recipe: Recipe, model: Any, steps_per_epoch: int, depths: Mapping[str, int]) -> Any:
    """A built Keras optimizer for what the model trains.

    Called in the scope of the strategy. Clipping is not its business: Keras clips before gradients are summed over
    replicas (keras 3.15), see `zoo.training.steps`.

    Args:
        recipe: the rate, its schedule and the rule.
        model: the network.
        steps_per_epoch: updates that an epoch makes.
        depths: by layer's name, as `zoo.factory.depths` gives them; a layer that is not named has depth 0.
    """
    rule = recipe.optimizer
    rate = LearningRate(
        peak=rule.lr,
        warmup_steps=round(recipe.schedule.warmup_epochs * steps_per_epoch),
        total_steps=recipe.epochs * steps_per_epoch,
        shape=recipe.schedule.shape,
    )
    made: Any
    if rule.name == "sgd":
        made = SGD(rate, momentum=rule.momentum, nesterov=True, weight_decay=rule.weight_decay or None)
    else:
        made = AdamW(rate, beta_1=rule.momentum, weight_decay=rule.weight_decay)
    made.exclude_from_weight_decay(var_list=[v for v in model.trainable_variables if spared(v)])
    shares = {
        variable.path: rule.layer_decay ** depths.get(layer.name, 0)
        for layer in model.layers
        for variable in layer.trainable_variables
    }
    made.shares = [shares[variable.path] for variable in model.trainable_variables]
    made.build(model.trainable_variables)
    return made


def spared(variable: Any) -> bool:
    """Whether weight decay leaves a variable alone: norms, biases, layer scales (one dimension), ViT's embeddings."""
    return len(variable.shape) <= 1 or variable.name in UNDECAYED


class _LayerWise:
    """Gives a Keras optimizer a share of the rate, and so of the weight decay, for each variable that it is built with.

    Clark et al. 2020, arXiv:2003.10555, section 3.1; Bao et al. 2021, arXiv:2106.08254, section 3.2.
    """

    shares: list[float]

    def _share(self: Any, variable: Any) -> float:
        return float(self.shares[self._get_variable_index(variable)])

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """What the optimizer does, at the variable's own rate."""
        super().update_step(gradient, variable, learning_rate * self._share(variable))  # type: ignore[misc]

    def _apply_weight_decay(self: Any, variables: list[Any]) -> None:
        # Keras' own (3.15) knows one rate and one factor for all variables: it is given those of one share at a time.
        whole = self.weight_decay
        if whole is None:
            return
        for share in sorted(set(self.shares)):
            self.weight_decay = whole * share
            super()._apply_weight_decay([one for one in variables if self._share(one) == share])  # type: ignore[misc]
        self.weight_decay = whole


class SGD(_LayerWise, keras.optimizers.SGD):
    """Stochastic gradient descent with momentum."""


class AdamW(_LayerWise, keras.optimizers.AdamW):
    """Adam with decoupled weight decay."""


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
