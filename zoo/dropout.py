"""Dropout, also of whole residual branches."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("zoo")
class Dropout(keras.layers.Dropout):
    """Dropout that draws 16 random bits for each unit, so rates are multiples of 2**-16.

    Keras' own layer (3.15) draws 32 bits, which takes twice as long, and makes a number of the inputs' dtype of them:
    in bfloat16, it drops a multiple of 1/128 of the units, but scales the others for the exact rate.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the inputs; in training, some units are 0, and the others are scaled to keep the mean."""
        if not training or not self.rate:
            return inputs
        dropped = min(round(self.rate * 2**16), 2**16 - 1)
        sizes = [size or actual for size, actual in zip(inputs.shape, tf.unstack(tf.shape(inputs)), strict=True)]
        noise = self.noise_shape or (None,) * len(sizes)
        shape = [size if noise_size is None else noise_size for noise_size, size in zip(noise, sizes, strict=True)]
        count = tf.reduce_prod(shape)
        # XLA draws only from seeds of 32 bits; Keras (3.15) shortens them in the same way.
        seed = tf.cast(tf.math.floormod(self.seed_generator.next(), tf.int32.max - 1), tf.int32)
        words = tf.random.stateless_uniform([(count + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32)
        bits = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:count], shape)
        kept = bits >= tf.constant(dropped, tf.uint16)
        scale = tf.constant(2**16 / (2**16 - dropped), inputs.dtype)
        return tf.where(kept, inputs * scale, tf.zeros([], inputs.dtype))
