"""The optimizer of a recipe, its learning-rate schedule, and layer-wise learning rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras

from zoo.recipe import Recipe

UNDECAYED = ("positions", "token")
"""Variables of more than one dimension that weight decay spares, as timm's `no_weight_decay` of a ViT does."""


def optimizer(recipe: Recipe, model: Any, steps_per_epoch: int, depths: Mapping[str, int]) -> Any:
    """Build a Keras optimizer for the trainable variables of a model, in the scope of the strategy.

    It does not clip gradients: Keras 3.15 would clip them before they are summed over replicas. `zoo.training.steps`
    clips them.

    Args:
        recipe: the learning rate, its schedule and the update rule.
        model: the network.
        steps_per_epoch: the number of updates in an epoch.
        depths: the depth of each layer by its name, as `zoo.factory.depths` returns it; 0 for other layers.
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
    """True for variables without weight decay: norms, biases and layer scales (one dimension), and ViT's embeddings."""
    return len(variable.shape) <= 1 or variable.name in UNDECAYED


class _LayerWise:
    """Layer-wise learning-rate decay: each variable has a share of the learning rate, and so of the weight decay.

    Clark et al. 2020, arXiv:2003.10555, section 3.1; Bao et al. 2021, arXiv:2106.08254, section 3.2.
    """

    shares: list[float]

    def _share(self: Any, variable: Any) -> float:
        return float(self.shares[self._get_variable_index(variable)])

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable at its own learning rate."""
        super().update_step(gradient, variable, learning_rate * self._share(variable))  # type: ignore[misc]

    def _apply_weight_decay(self: Any, variables: list[Any]) -> None:
        # Keras 3.15 decays all variables at one rate: call it once for each share, with the variables of that share.
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
    """A learning rate that rises linearly to `peak` over `warmup_steps`, then stays or falls.

    With `shape` `cosine`, it falls along half a cosine that reaches 0 at `total_steps`.
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int, shape: str) -> None:
        self.peak, self.warmup_steps, self.total_steps, self.shape = peak, warmup_steps, total_steps, shape

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of update `step`, counted from 0."""
        step = keras.ops.cast(step, "float32")
        rise = (step + 1) / max(1, self.warmup_steps)
        if self.shape == "constant":
            return self.peak * keras.ops.minimum(1.0, rise)
        progress = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        fall = 0.5 * (1 + keras.ops.cos(math.pi * keras.ops.clip(progress, 0.0, 1.0)))
        return self.peak * keras.ops.where(step < self.warmup_steps, rise, fall)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, as Keras requires."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "shape": self.shape,
        }
