"""Regression in TensorFlow operations: values in the units of the data, and the squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.contract import VALUES

if TYPE_CHECKING:
    from zoo.description import Model


def answers(standardized: Any, model: Model) -> dict[str, Any]:
    """Return values in the units of the data, float32 [batch, values], from the network's standardized ones."""
    return {VALUES: standardized * [scale.std for scale in model.scales] + [scale.mean for scale in model.scales]}


def losses(targets: Any, standardized: Any, model: Model, smoothing: float = 0.0) -> Any:
    """Return the squared error of each example, float32 [batch], the mean over its standardized values.

    `targets` are float32 [batch, values] in the units of the data, `standardized` are the network's values.
    """
    import tensorflow as tf

    return tf.reduce_mean((standardized - tf.cast(_standardized(targets, model), standardized.dtype)) ** 2, -1)


def distilled(answers: Any, standardized: Any, model: Model, kind: str, temperature: float) -> Any:
    """Return the squared difference from a teacher's values, float32 [batch], the mean over standardized values."""
    return losses(answers, standardized, model)


def sums(targets: Any, standardized: Any, model: Model, weights: Any = 1.0) -> dict[str, Any]:
    """Sum the losses, and the squared errors in the units of the data (the mean over the values)."""
    import tensorflow as tf

    example_losses = losses(targets, standardized, model)
    scale = tf.constant([one.std for one in model.scales], tf.float64)
    # In float64: the squares of values near 1e26 or 1e-27 are beyond float32.
    error = tf.cast(standardized - tf.cast(_standardized(targets, model), standardized.dtype), tf.float64) * scale
    squared = tf.reduce_mean(error**2, -1)
    loss = tf.reduce_sum(tf.cast(weights, example_losses.dtype) * example_losses)
    return {"loss": loss, "squared_error": tf.reduce_sum(tf.cast(weights, tf.float64) * squared)}


def _standardized(targets: Any, model: Model) -> Any:
    return (targets - [scale.mean for scale in model.scales]) / [scale.std for scale in model.scales]
