"""The layers that only BERT has.

Tensors are [batch, length, width]. Batch and length are open: each layer reads both from its input while it runs.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.complexity import COUNTED_LENGTH
from zoo.dropout import Dropout
from zoo.layers import Tensor

MASKED = -1e4
"""The number that is added to the scores of a masked token, as in the first BERT: its weight is 0, in float16 too."""


def _start() -> Any:
    return keras.initializers.TruncatedNormal(stddev=0.02)


@keras.saving.register_keras_serializable("zoo")
class Embeddings(keras.layers.Layer):
    """The sum of three learned vectors: of a token, of its position, and of the first segment.

    Ids [batch, length] become [batch, length, width]. The second segment's row, for pairs of texts, is kept but never
    read, so that published weights fit.
    """

    def __init__(self, vocabulary: int, width: int, longest: int, segments: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.vocabulary, self.width, self.longest, self.segments = vocabulary, width, longest, segments

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the three tables."""
        rows = {"words": self.vocabulary, "positions": self.longest, "types": self.segments}
        self.words, self.positions, self.types = (
            self.add_weight(name=name, shape=(count, self.width), initializer=_start()) for name, count in rows.items()
        )

    def call(self, ids: Tensor) -> Tensor:
        """Return [batch, length, width]."""
        import tensorflow as tf

        # The sum of the two constants folds into one constant. Keras' Embedding adds ten ONNX nodes for negative ids.
        position_vectors = ops.convert_to_tensor(self.positions) + ops.convert_to_tensor(self.types)[:1]
        return tf.gather(ops.convert_to_tensor(self.words), ids) + position_vectors[: tf.shape(ids)[1]]

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (*shape, self.width)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        arguments = {
            "vocabulary": self.vocabulary,
            "width": self.width,
            "longest": self.longest,
            "segments": self.segments,
        }
        return {**super().get_config(), **arguments}


@keras.saving.register_keras_serializable("zoo")
class AdditiveMask(keras.layers.Layer):
    """Turns a mask [batch, length], 1 for each token and 0 for padding, into numbers to add to the scores of attention.

    The result is [batch, 1, 1, length].
    """

    def call(self, attended: Tensor) -> Tensor:
        """Return 0 for each token and `MASKED` for padding."""
        import tensorflow as tf

        scores = (1.0 - tf.cast(attended, self.compute_dtype)) * MASKED
        # Not by tf.reshape: ONNX's Reshape cannot infer an open length in an empty batch.
        return scores[:, None, None]

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (shape[0], 1, 1, shape[1])


@keras.saving.register_keras_serializable("zoo")
class MaskedAttention(keras.layers.Layer):
    """Scaled dot-product attention in several heads, to the tokens that a mask keeps.

    Queries, keys and values, side by side in [batch, length, 3 · width], and the mask of `AdditiveMask` become
    [batch, length, width]; or [batch, width] with `first`, which computes the first token only. In training, weights
    are dropped at a rate of `dropout`.
    """

    def __init__(self, heads: int, *, first: bool = False, dropout: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.heads, self.first, self.rate = heads, first, dropout
        self.dropout = Dropout(dropout, name="dropout")
        # The Transposes of queries, keys, values and the result, see `zoo.export.onnx.expected_transposes`: onnxruntime
        # moves the one of all heads behind the split.
        self.transposes = 3 if first else 4

    def call(self, inputs: tuple[Tensor, Tensor], training: bool | None = None) -> Tensor:
        """Return [batch, length, width], or [batch, width]."""
        import tensorflow as tf

        x, mask = inputs
        size = x.shape[-1] // (3 * self.heads)
        batch, length = tf.unstack(tf.shape(x)[:2])
        x = tf.transpose(tf.reshape(x, (batch, length, 3 * self.heads, size)), (0, 2, 1, 3))
        queries, keys, values = tf.split(x, 3, 1)
        if self.first:
            queries = queries[:, :, :1]
        scores = tf.matmul(queries, tf.transpose(keys, (0, 1, 3, 2))) * size**-0.5 + mask
        weights = self.dropout(tf.nn.softmax(scores), training=training)
        x = tf.matmul(weights, values)
        if self.first:
            return tf.reshape(x, (-1, self.heads * size))
        x = tf.transpose(x, (0, 2, 1, 3))
        batch, length = tf.unstack(tf.shape(x)[:2])
        return tf.reshape(x, (batch, length, self.heads * size))

    def compute_output_shape(self, shapes: Any) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        batch, length, width = shapes[0]
        return (batch, width // 3) if self.first else (batch, length, width // 3)

    def multiply_adds(self) -> int:
        """Count the multiply-adds of both products for one text."""
        query_count = 1 if self.first else COUNTED_LENGTH
        return 2 * query_count * COUNTED_LENGTH * self.output.shape[-1]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "heads": self.heads, "first": self.first, "dropout": self.rate}


@keras.saving.register_keras_serializable("zoo")
class MaskedMean(keras.layers.Layer):
    """The mean of a text's tokens without padding, as sentence-transformers pools: [batch, width]."""

    def call(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return the mean of [batch, length, width] where the mask [batch, length] is 1."""
        x, mask = inputs
        shares = ops.cast(mask, self.compute_dtype)
        shares = shares / ops.maximum(ops.sum(shares, 1, keepdims=True), 1.0)
        return ops.squeeze(ops.matmul(ops.expand_dims(shares, 1), x), 1)

    def compute_output_shape(self, shapes: Any) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (shapes[0][0], shapes[0][2])


@keras.saving.register_keras_serializable("zoo")
class First(keras.layers.Layer):
    """The first token of each text: [batch, length, width] becomes [batch, width]."""

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, width]."""
        return x[:, 0]
