"""The builder of the LSTMs, and the layers that only they have.

A text of n tokens is padded at its end: its attention mask is n ones and then zeros.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from zoo import layers
from zoo.complexity import COUNTED_LENGTH
from zoo.dropout import Dropout
from zoo.layers import Outputs, Tensor


def build(
    input_ids: Tensor,
    attention_mask: Tensor,
    count: int,
    preprocessing: Any,
    *,
    width: int,
    units: int,
    depth: int = 1,
    bidirectional: bool = False,
    dropout: float = 0.3,
) -> Outputs:
    """Build `depth` LSTM layers over embeddings, and a dense layer over the last states of the last of them.

    Args:
        input_ids: int64 [batch, length], each below `preprocessing.vocabulary`.
        attention_mask: int64 [batch, length].
        count: the number of logits.
        preprocessing: gives the size of the vocabulary.
        width: the width of an embedding.
        units: the number of units of each direction of each layer.
        depth: the number of layers.
        bidirectional: read the text from both ends.
        dropout: the rate after the embeddings, between the layers and before the logits.
    """
    lengths = Lengths(name="lengths")(attention_mask)
    width = layers.width("embedding", width)
    x = Embedding(len(preprocessing.vocabulary), width, name="embedding")(input_ids)
    maps = {"embedding": layers.FeatureMap(x, 1)}
    # Whole tokens are dropped, not single values: from half of the values of each token, a small network still learns
    # texts by heart.
    x = Dropout(dropout, noise_shape=(None, None, 1), name="embedding_dropout")(x)
    for number in range(1, depth + 1):
        x = Dropout(dropout, name=f"lstm{number}_dropout")(x)
        directions = []
        for direction in ("forward", "backward")[: 1 + bidirectional]:
            name = f"lstm{number}_{direction}"
            layer = Lstm(
                layers.width(name, units),
                backwards=direction == "backward",
                sequences=number < depth,
                name=name,
            )
            directions.append(layer(x, lengths))
        x = keras.layers.Concatenate(name=f"lstm{number}")(directions) if bidirectional else directions[0]
        maps[f"lstm{number}"] = layers.FeatureMap(x, 1)
    x = Dropout(dropout, name="dropout")(x)
    return Outputs(layers.logits(x, count), maps)


@keras.saving.register_keras_serializable("zoo")
class Lengths(keras.layers.Layer):
    """The number of tokens of each text, int64 [batch], from its attention mask [batch, length].

    A text without tokens counts as one of padding, so that every text has a last state.
    """

    def call(self, attention_mask: Tensor) -> Tensor:
        """Return the lengths."""
        return tf.maximum(tf.reduce_sum(attention_mask, 1), tf.constant(1, attention_mask.dtype))


@keras.saving.register_keras_serializable("zoo")
class Embedding(keras.layers.Layer):
    """A learned vector for each token: ids [batch, length] become [batch, length, width].

    Keras' own (3.15) also takes negative ids, which are ten more nodes in ONNX.
    """

    transposes = 1
    """ONNX's LSTM takes texts as [length, batch], see `zoo.export.onnx.passes.recurrent`."""

    def __init__(self, vocabulary: int, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.vocabulary, self.width = vocabulary, width

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make a vector for each token."""
        start = keras.initializers.RandomUniform(-0.05, 0.05)
        self.embeddings = self.add_weight(name="embeddings", shape=(self.vocabulary, self.width), initializer=start)

    def call(self, input_ids: Tensor) -> Tensor:
        """Return the vectors."""
        return tf.gather(keras.ops.convert_to_tensor(self.embeddings), input_ids)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "vocabulary": self.vocabulary, "width": self.width}


@keras.saving.register_keras_serializable("zoo")
class Lstm(keras.layers.Layer):
    """One direction of an LSTM layer over texts [batch, length, width] of some lengths [batch].

    It returns the state after the last token that it reads, [batch, units]; with `sequences` the state after each
    token, [batch, length, units], whose rows beyond a text's end have no meaning. With `backwards`, it reads from the
    end of each text to its start.

    Training computes Keras' own layer, because the gradient of BlockLSTMV2 is wrong in TensorFlow 2.21. Inference
    computes BlockLSTMV2, which becomes the LSTM node of ONNX; the loop of Keras' layer would become a Loop, which is
    five times as slow.
    """

    def __init__(self, units: int, *, backwards: bool = False, sequences: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.backwards, self.sequences = units, backwards, sequences
        self.width = 0
        self.loop = keras.layers.LSTM(units, return_sequences=sequences, dtype=self.dtype_policy, name="loop")
        # The transpose that puts both directions side by side, see `zoo.export.onnx.expected_transposes`.
        self.transposes = int(backwards)

    def build(self, x_shape: tuple[int | None, ...], lengths_shape: tuple[int | None, ...]) -> None:
        """Make the weights, which are Keras' own: gates in the order input, forget, cell, output."""
        self.width = x_shape[-1] or 0
        self.loop.build(x_shape)

    def call(self, x: Tensor, lengths: Tensor, training: bool | None = None) -> Tensor:
        """Return the last states or all of them."""
        if training:
            x = tf.reverse_sequence(x, lengths, 1) if self.backwards else x
            states = self.loop(x, mask=tf.sequence_mask(lengths, tf.shape(x)[1]), training=True)
            states = tf.identity(states)  # without the mask that Keras attaches, and warns of in the next layer
            return tf.reverse_sequence(states, lengths, 1) if self.backwards and self.sequences else states

        def reverse(steps: Tensor) -> Tensor:
            return tf.reverse_sequence(steps, lengths, 0, 1)

        steps = tf.transpose(x, (1, 0, 2))
        states = self._states(reverse(steps) if self.backwards else steps)
        if not self.sequences:
            # Once reversed, a text has its last state first. The states beyond its end are not read.
            return tf.gather(reverse(states), 0)
        return tf.transpose(reverse(states) if self.backwards else states, (1, 0, 2))

    def _states(self, steps: Tensor) -> Tensor:
        """Compute the state after each step, [length, batch, units], of inputs [length, batch, width]."""
        cell = self.loop.cell
        # BlockLSTMV2 has no bfloat16.
        kernel, recurrent, bias, float32_steps = (
            tf.cast(keras.ops.convert_to_tensor(value), tf.float32)
            for value in (cell.kernel, cell.recurrent_kernel, cell.bias, steps)
        )
        length, batch, _ = tf.unstack(tf.shape(steps))
        start, unused = tf.zeros((batch, self.units)), tf.zeros(self.units)
        states = tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.cast(length, tf.int64),
            x=float32_steps,
            cs_prev=start,
            h_prev=start,
            w=tf.concat((kernel, recurrent), 0),
            wci=unused,
            wcf=unused,
            wco=unused,
            b=bias,
            cell_clip=-1,
        ).h
        return tf.cast(states, steps.dtype)

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], lengths_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the shape of the states."""
        return (*x_shape[: 1 + self.sequences], self.units)

    def multiply_adds(self) -> int:
        """Count the multiply-adds of the gates for one text."""
        length = self.input[0].shape[1] or COUNTED_LENGTH
        return int(length * (self.width + self.units) * 4 * self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        arguments = {"units": self.units, "backwards": self.backwards, "sequences": self.sequences}
        return {**super().get_config(), **arguments}
