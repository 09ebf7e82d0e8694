"""The layer that learns how uncertain each target is. It is a part of the network in training only."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

LEAST = -2.0
"""The least log variance. It limits the weight of a target whose loss is almost 0 to e², 7.4, which most learning rates
bear."""


@keras.saving.register_keras_serializable("zoo")
class Uncertainty(keras.layers.Layer):
    """Append the log variance of each target, which is learned, to the vector of each example.

    [batch, labels] becomes [batch, labels + targets]. Log variances begin at 0 and stay above `LEAST`.
    """

    def __init__(self, targets: int, **options: Any) -> None:
        super().__init__(**options)
        self.targets = targets

    def build(self, shape: Any) -> None:
        """Make the variable, from which the log variances are computed."""
        start = LEAST + math.log(math.expm1(-LEAST))
        self.raw = self.add_weight(
            shape=(self.targets,), initializer=keras.initializers.Constant(start), name="log_variances"
        )

    def call(self, vectors: Any) -> Any:
        """Return vectors with the log variances."""
        variances = LEAST + tf.math.softplus(tf.convert_to_tensor(self.raw) - LEAST)
        return tf.concat([vectors, tf.broadcast_to(variances, [tf.shape(vectors)[0], self.targets])], -1)

    def compute_output_shape(self, shape: Any) -> tuple[Any, ...]:
        """Return the shape of the longer vectors."""
        return (*shape[:-1], shape[-1] + self.targets)


def with_uncertainty(network: Any, targets: int) -> Any:
    """Return a network that shares the layers of another one, and also learns and returns the log variances."""
    # In the full precision of the weights, as the logits are.
    output = Uncertainty(targets, name="uncertainty", dtype=network.output.dtype)(network.output)
    return keras.Model(network.input, output, name=network.name)
