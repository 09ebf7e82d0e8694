"""The layers that masked autoencoders add: one chooses the tokens that are shown, the other restores the sequence.

A sequence is [batch, 1 + patches, width], with the class token first. `order`, int32 [batch, patches], has the
positions of the patches; the patches that are shown come first.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from zoo.layers import Tensor


@keras.saving.register_keras_serializable("zoo")
class Shown(keras.layers.Layer):
    """The class token and the first patches of an order: [batch, 1 + count, width]."""

    def __init__(self, count: int, **options: Any) -> None:
        super().__init__(**options)
        self.count = count

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return the tokens."""
        tokens, order = inputs
        patches = tf.gather(tokens[:, 1:], order[:, : self.count], batch_dims=1)
        return tf.concat([tokens[:, :1], patches], 1)

    def compute_output_shape(self, shapes: Any) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (shapes[0][0], 1 + self.count, shapes[0][2])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "count": self.count}


@keras.saving.register_keras_serializable("zoo")
class Restored(keras.layers.Layer):
    """The whole sequence: the tokens that are shown, a learned token for each hidden one, and learned positions."""

    def build(self, shapes: Any) -> None:
        """Make the token and the positions."""
        width, patches = shapes[0][-1], shapes[1][-1]
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight(name="token", shape=(1, 1, width), initializer=initializer)
        self.positions = self.add_weight(name="positions", shape=(1, 1 + patches, width), initializer=initializer)

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return [batch, 1 + patches, width]."""
        tokens, order = inputs
        token, positions = map(tf.convert_to_tensor, (self.token, self.positions))
        missing = order.shape[1] - (tokens.shape[1] - 1)
        hidden = tf.tile(token, [tf.shape(tokens)[0], missing, 1])
        patches = tf.gather(tf.concat([tokens[:, 1:], hidden], 1), tf.argsort(order, -1), batch_dims=1)
        return tf.concat([tokens[:, :1], patches], 1) + positions

    def compute_output_shape(self, shapes: Any) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (shapes[0][0], 1 + shapes[1][-1], shapes[0][-1])
