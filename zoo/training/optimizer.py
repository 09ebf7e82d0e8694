"""The update rule of a recipe, as a Keras optimizer."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import keras

from zoo.recipe import Recipe


def optimizer(
    recipe: Recipe,
    model: Any,
    steps_per_epoch: int,
    depths: Mapping[str, int],
    undecayed: Collection[str] = (),
) -> Any:
    """Make and build a Keras optimizer for the variables that a model trains.

    It is called in the scope of the strategy. The optimizer does not clip gradients: Keras (3.15) would clip them
    before they are summed over replicas, see `zoo.training.steps`.

    Args:
        recipe: the rate, its schedule and the update rule.
        model: the network.
        steps_per_epoch: updates that an epoch makes.
        depths: by layer's name, as `zoo.factory.layer_depths` gives them; a layer that is not named has depth 0.
        undecayed: variables, as `layer/variable`, that weight decay spares besides those of one dimension.
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
    made.exclude_from_weight_decay(
        var_list=[
            variable
            for layer in model.layers
            for variable in layer.trainable_variables
            if not _decays(layer, variable, undecayed)
        ]
    )
    shares = {
        variable.path: rule.layer_decay ** depths.get(layer.name, 0)
        for layer in model.layers
        for variable in layer.trainable_variables
    }
    made.shares = [shares[variable.path] for variable in model.trainable_variables]
    made.build(model.trainable_variables)
    return made


def penalty(recipe: Recipe, model: Any, undecayed: Collection[str] = ()) -> Any:
    """Return the penalty of the weights in a recipe, a scalar; 0 where it has none."""
    import tensorflow as tf

    rule = recipe.optimizer
    terms = []
    for layer in model.layers if rule.l1 or rule.l2 else ():
        for variable in layer.trainable_variables:
            if _decays(layer, variable, undecayed):
                weights = tf.convert_to_tensor(variable.value)
                terms += [rule.l1 * tf.reduce_sum(tf.abs(weights)), rule.l2 * tf.reduce_sum(weights**2)]
    return tf.add_n(terms) if terms else 0.0


def _decays(layer: Any, variable: Any, undecayed: Collection[str]) -> bool:
    return len(variable.shape) > 1 and f"{layer.name}/{variable.name}" not in undecayed


class _LayerWise:
    """An addition to Keras' optimizers: a share of the rate, and so of the weight decay, for each variable.

    Clark et al. 2020, arXiv:2003.10555, section 3.1; Bao et al. 2021, arXiv:2106.08254, section 3.2.
    """

    shares: list[float]

    def _share(self: Any, variable: Any) -> float:
        return float(self.shares[self._get_variable_index(variable)])

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable at its own rate."""
        super().update_step(gradient, variable, learning_rate * self._share(variable))  # type: ignore[misc]

    def _apply_weight_decay(self: Any, variables: list[Any]) -> None:
        # Keras' own method (3.15) has one rate and factor for all variables, so it gets those of one share at a time.
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
    """A rate that rises linearly to `peak` over `warmup_steps`.

    It is constant from then on, or falls along half a cosine that would reach 0 at `total_steps`.
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int, shape: str) -> None:
        self.peak, self.warmup_steps, self.total_steps, self.shape = peak, warmup_steps, total_steps, shape

    def __call__(self, step: Any) -> Any:
        """Return the rate of the update number `step`, counted from 0."""
        step = keras.ops.cast(step, "float32")
        rise = (step + 1) / max(1, self.warmup_steps)
        if self.shape == "constant":
            return self.peak * keras.ops.minimum(1.0, rise)
        progress = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        fall = 0.5 * (1 + keras.ops.cos(math.pi * keras.ops.clip(progress, 0.0, 1.0)))
        return self.peak * keras.ops.where(step < self.warmup_steps, rise, fall)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "shape": self.shape,
        }
