"""The update rule of a recipe, as a Keras optimizer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import keras
import tensorflow as tf

from zoo.recipe import Recipe
from zoo.training.bad_steps import LossScale
from zoo.training.schedule import learning_rate

LAMB_EPSILON = 1e-6
"""The epsilon in the implementation of LAMB's authors."""


def optimizer(
    recipe: Recipe,
    model: Any,
    steps_per_epoch: int,
    depths: Mapping[str, int],
    undecayed: Collection[str] = (),
) -> Any:
    """Make and build a Keras optimizer for the variables that a model trains.

    Call it in the scope of the strategy. The optimizer does not clip gradients: Keras 3.15 would clip them before they
    are summed over replicas; `zoo.training.steps` clips them instead.

    Args:
        recipe: the recipe, with the rate, its schedule and the update rule.
        model: the network.
        steps_per_epoch: the number of updates in an epoch.
        depths: the depths of layers by name, as `zoo.factory.layer_depths` returns them; all others have depth 0.
        undecayed: variables, as `layer/variable`, without weight decay, in addition to those of one dimension.
    """
    rule = recipe.optimizer
    rate = learning_rate(recipe, steps_per_epoch)
    keras_optimizer: Any
    if rule.name == "sgd":
        keras_optimizer = SGD(rate, momentum=rule.momentum, nesterov=True, weight_decay=rule.weight_decay or None)
    elif rule.name == "adamw":
        keras_optimizer = AdamW(rate, beta_1=rule.momentum, weight_decay=rule.weight_decay)
    else:
        keras_optimizer = LAMB(rate, beta_1=rule.momentum, epsilon=LAMB_EPSILON, weight_decay=rule.weight_decay)
    keras_optimizer.exclude_from_weight_decay(
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
    keras_optimizer.shares = [shares[variable.path] for variable in model.trainable_variables]
    # Keras 3.15 tracks only its own variables, so no checkpoint contains this one: the position in the data decides it.
    keras_optimizer.step = tf.Variable(
        0, trainable=False, dtype=tf.int64, name="step", aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )
    keras_optimizer.build(model.trainable_variables)
    keras_optimizer.loss_scale = LossScale(keras_optimizer) if recipe.precision == "float16" else None
    return keras_optimizer


def reset(optimizer: Any) -> None:
    """Set an optimizer to the state before its first update."""
    for variable in optimizer.variables:
        variable.assign(tf.zeros(variable.shape, variable.dtype))
    if optimizer.loss_scale:
        optimizer.loss_scale.reset()


def penalty(recipe: Recipe, model: Any, undecayed: Collection[str] = ()) -> Any:
    """Return the L1 and L2 penalty on the weights, a scalar; 0 if the recipe has none."""
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
    """A mixin for Keras' optimizers: each variable has its share of the rate, and therefore of the weight decay.

    The rate depends on the step of the training, which counts all steps. Keras' `iterations` counts only the updates:
    a step that is not finite makes none.

    One of TensorFlow's own kernels updates each variable in a single pass (LAMB also needs the norms). Keras 3.15 takes
    up to twelve operations, each of which reads and writes arrays of that size.

    Sources of the layer-wise rates: Clark et al. 2020, arXiv:2003.10555, section 3.1; Bao et al. 2021,
    arXiv:2106.08254, section 3.2.
    """

    shares: list[float]
    step: tf.Variable

    def _get_current_learning_rate(self: Any) -> Any:
        """Return the rate of the step; Keras 3.15 reads every rate here."""
        if isinstance(self._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            return self._learning_rate(self.step)
        return super()._get_current_learning_rate()  # type: ignore[misc]

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a replica's copy of a variable at the variable's own rate."""
        index = self._get_variable_index(variable)
        rate = tf.cast(learning_rate * self.shares[index], variable.dtype)
        gradient = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)
        self._decay_and_update(index, variable, gradient, rate)

    def _decay_and_update(self: Any, index: int, variable: Any, gradient: Any, rate: Any) -> None:
        if self.weight_decay and self._use_weight_decay(variable):
            variable.assign(variable * (1 - tf.constant(self.weight_decay, variable.dtype) * rate))
        self._update(index, variable.handle, gradient, rate)

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
        _adam(self, index, variable, gradient, rate, tf.constant(self.epsilon, gradient.dtype))


class LAMB(_LayerWise, keras.optimizers.Lamb):
    """Adam with a trust ratio: weight by weight, the norm of the weight over that of its update.

    You et al. 2019, arXiv:1904.00962, algorithm 2, with the identity for φ. The decay is a part of the update. The
    ratio is 1 for a weight without decay, as in the authors' implementation, and if the norm of a weight or of its
    update is 0. Keras' Lamb (3.15) decays outside of the ratio, and has a ratio for all weights.
    """

    def _decay_and_update(self, index: int, variable: Any, gradient: Any, rate: Any) -> None:
        # Adam's kernel applies the correction of the second moment to epsilon, too; the paper does not.
        beta_2 = tf.constant(self.beta_2, gradient.dtype)
        epsilon = self.epsilon * tf.sqrt(1 - beta_2 ** tf.cast(self.iterations.value + 1, gradient.dtype))
        if not self._use_weight_decay(variable):
            _adam(self, index, variable.handle, gradient, rate, epsilon)
            return
        # Applied to zeros at a rate of 1, the kernel leaves the negative update in the variable.
        weight = tf.identity(variable)
        variable.assign(tf.zeros_like(weight))
        _adam(self, index, variable.handle, gradient, tf.ones_like(rate), epsilon)
        update = tf.constant(self.weight_decay or 0.0, weight.dtype) * weight - variable
        norms = tf.norm(weight), tf.norm(update)
        ratio = tf.where((norms[0] > 0) & (norms[1] > 0), tf.math.divide_no_nan(*norms), tf.ones_like(norms[0]))
        variable.assign(weight - rate * ratio * update)


def _adam(keras_optimizer: Any, index: int, variable: Any, gradient: Any, rate: Any, epsilon: Any) -> None:
    """Update a variable, given by its handle, and its moments with Adam's kernel."""
    beta_1, beta_2 = (tf.constant(beta, gradient.dtype) for beta in (keras_optimizer.beta_1, keras_optimizer.beta_2))
    steps = tf.cast(keras_optimizer.iterations.value + 1, gradient.dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable,
        m=keras_optimizer._momentums[index].value.handle,
        v=keras_optimizer._velocities[index].value.handle,
        beta1_power=beta_1**steps,
        beta2_power=beta_2**steps,
        lr=rate,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=gradient,
    )
