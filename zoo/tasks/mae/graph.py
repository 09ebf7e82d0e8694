"""The loss of masked autoencoders in TensorFlow operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.description import Model


def losses(targets: Any, predicted: Any, model: Model, smoothing: float = 0.0) -> Any:
    """Return the mean squared error of the hidden patches of each image, float32 [batch].

    `targets`, float32 [batch, patches, values + 1], hold the values of each patch, and 1 where it is hidden, else 0.
    `predicted` are the network's values, [batch, patches, values].
    """
    import tensorflow as tf

    patches, hidden = targets[..., :-1], targets[..., -1]
    errors = tf.reduce_mean((tf.cast(predicted, tf.float32) - patches) ** 2, -1)
    return tf.reduce_sum(hidden * errors, -1) / tf.reduce_sum(hidden, -1)


def sums(targets: Any, predicted: Any, model: Model, weights: Any = 1.0) -> dict[str, Any]:
    """Sum the losses."""
    import tensorflow as tf

    return {"loss": tf.reduce_sum(weights * losses(targets, predicted, model))}
