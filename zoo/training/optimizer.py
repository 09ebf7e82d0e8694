"""The update rule of a recipe, as a Keras optimizer."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import keras
import tensorflow as tf

from zoo.recipe import Recipe
from zoo.training.bad_steps import LossScale


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
    made.loss_scale = LossScale(made) if recipe.precision == "float16" else None
    return made


def reset(optimizer: Any) -> None:
    """Set an optimizer to the state before its first update."""
    for variable in optimizer.variables:
        variable.assign(tf.zeros(variable.shape, variable.dtype))
    if optimizer.loss_scale:
        optimizer.loss_scale.reset()


def penalty(recipe: Recipe, model: Any, undecayed: Collection[str] = ()) -> Any:
    """Return the penalty of the weights in a recipe, a scalar; 0 where it has none."""
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

    Each variable is updated by one of TensorFlow's own kernels, which pass over it once. Keras 3.15 takes up to twelve
    operations, each of which reads and writes arrays of that size.

    Clark et al. 2020, arXiv:2003.10555, section 3.1; Bao et al. 2021, arXiv:2106.08254, section 3.2.
    """

    shares: list[float]

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable, which is a replica's own, at its own rate."""
        index = self._get_variable_index(variable)
        rate = tf.cast(learning_rate * self.shares[index], variable.dtype)
        if self.weight_decay and self._use_weight_decay(variable):
            variable.assign(variable * (1 - tf.constant(self.weight_decay, variable.dtype) * rate))
        self._update(index, variable.handle, tf.cast(tf.convert_to_tensor(gradient), variable.dtype), rate)

    def _apply_weight_decay(self: Any, variables: list[Any]) -> None:
        """Do nothing: each variable is decayed just before its update."""


class SGD(_LayerWise, keras.optimizers.SGD):
    """Stochastic gradient descent with momentum."""

    def _update(self, index: int, variable: Any, gradient: Any, rate: Any) -> None:
        if not self.momentum:
            tf.raw_ops.ResourceApplyGradientDescent(var=variable, alpha=rate, delta=gradient)
            return
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable,
            accum=self.momentums[index].value.handle,
            lr=rate,
            grad=gradient,
            momentum=tf.constant(self.momentum, gradient.dtype),
            use_nesterov=self.nesterov,
        )


class AdamW(_LayerWise, keras.optimizers.AdamW):
    """Adam with decoupled weight decay."""

    def _update(self, index: int, variable: Any, gradient: Any, rate: Any) -> None:
        beta_1, beta_2 = (tf.constant(beta, gradient.dtype) for beta in (self.beta_1, self.beta_2))
        steps = tf.cast(self.iterations.value + 1, gradient.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta_1**steps,
            beta2_power=beta_2**steps,
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, gradient.dtype),
            grad=gradient,
        )


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
