"""The builder of Wav2Vec 2.0: convolutions over a waveform, then a transformer over their frames.

Tensors are [batch, samples] at first and [batch, frames, channels] from the first convolution on.
"""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf
from keras import ops

from zoo import layers
from zoo.blocks import residual
from zoo.complexity import COUNTED_LENGTH
from zoo.contract import LOGITS
from zoo.dropout import Dropout
from zoo.errors import ZooError
from zoo.layers import Outputs, Tensor
from zoo.models.wav2vec2.frames import CONVOLUTIONS, FEWEST_SAMPLES, STRIDE, counts_before

Norm = Literal["group", "layer"]
"""The normalization: of each channel over time after the first convolution, or of each frame after each convolution."""

Head = Literal["classes", "transcript"]
"""The last layers: logits of the whole clip, or of every frame."""

EPSILON = 1e-5
"""The epsilon of all normalizations, as in PyTorch."""

POSITION_KERNEL, POSITION_GROUPS = 128, 16
"""The number of frames from which a frame's position is computed, and the number of groups of channels, which are
convolved separately."""


def build(
    waveform: Tensor,
    count: int,
    preprocessing: Any,
    *,
    channels: int,
    width: int,
    depth: int,
    heads: int,
    norm: Norm,
    head: Head = "classes",
    projection: int = 256,
    dropout: float = 0.1,
) -> Outputs:
    """Build seven convolutions, positions, `depth` blocks of attention and a head.

    Args:
        waveform: float32 [batch, samples] at 16 kHz, with mean 0 and std 1; the number of samples may be open.
        count: the number of classes, or of symbols of the transcript, the blank included.
        preprocessing: the preprocessing of the waveform.
        channels: the number of channels of the convolutions.
        width: the number of channels of the transformer.
        depth: the number of blocks of the transformer.
        heads: the number of heads of each attention.
        norm: `group` is the paper's base: a norm after the first convolution, which has no bias, and blocks that
            normalize their sums. `layer` is its large one: a norm after each convolution, and blocks that normalize
            their inputs.
        head: `classes` gives logits [batch, count], `transcript` gives logits [batch, frames, count].
        projection: the width between the transformer and the logits of classes.
        dropout: the rate within the transformer.

    Raises:
        ZooError: the waveform is shorter than one frame.
    """
    samples = waveform.shape[1]
    if samples is not None and samples < FEWEST_SAMPLES:
        raise ZooError(
            f"{samples} samples are too short for wav2vec2, whose first frame takes {FEWEST_SAMPLES} "
            f"({1000 * FEWEST_SAMPLES / 16_000:g} ms at 16 kHz): raise audio.seconds"
        )
    x = _features(waveform, channels, norm)
    x = layers.LayerNormalization(EPSILON, name="features_norm")(x)
    width, heads = layers.width_and_heads("projection", width, heads)
    x = layers.Dense(width, name="projection")(x)
    x = Dropout(dropout, name="projection_dropout")(x)
    x = keras.layers.Add(name="positions_add")([x, _positions(x)])
    if norm == "group":
        x = layers.LayerNormalization(EPSILON, name="norm")(x)
    x = Dropout(dropout, name="dropout")(x)
    maps = {}
    for number in range(1, depth + 1):
        x = _block(x, heads, before=norm == "layer", dropout=dropout, name=f"block{number}")
        maps[f"block{number}"] = layers.FeatureMap(x, STRIDE)
    if norm == "layer":
        x = layers.LayerNormalization(EPSILON, name="norm")(x)
    if head == "transcript":
        x = Dropout(dropout, name="head_dropout")(x)
        return Outputs(layers.Dense(count, dtype=keras.config.dtype_policy().variable_dtype, name=LOGITS)(x), maps)
    # The mean of projected frames is the projected mean: one frame is projected instead of all.
    x = keras.layers.GlobalAveragePooling1D(name="mean")(x)
    x = keras.layers.Dense(layers.width("projector", projection), name="projector")(x)
    return Outputs(layers.logits(x, count), maps)


def _features(waveform: Tensor, channels: int, norm: Norm) -> Tensor:
    """Convolve a waveform [batch, samples] seven times to [batch, frames, channels]."""
    x = OneChannel(name="samples")(waveform)
    counts = counts_before(COUNTED_LENGTH)
    for number, (kernel, stride) in enumerate(CONVOLUTIONS, start=1):
        name = f"features{number}"
        convolution = keras.layers.Conv1D(
            layers.width(name, channels),
            kernel,
            strides=stride,
            use_bias=norm == "layer",
            kernel_initializer="he_normal",
            name=name,
        )
        # Where the length is open, multiply-adds are those of `COUNTED_LENGTH` frames after the last convolution.
        convolution.open_size = counts[number - 1]
        x = convolution(x)
        if norm == "layer":
            x = layers.LayerNormalization(EPSILON, name=f"{name}_norm")(x)
        elif number == 1:
            x = TimeNormalization(EPSILON, name=f"{name}_norm")(x)
        x = layers.activation(x, "gelu", name=f"{name}_gelu")
    return x


def _positions(x: Tensor) -> Tensor:
    """Compute the position embedding of each frame, from the frames around it."""
    x = GroupedConvolution(POSITION_KERNEL, POSITION_GROUPS, name="positions")(x)
    return layers.activation(x, "gelu", name="positions_gelu")


def _block(x: Tensor, heads: int, *, before: bool, dropout: float, name: str) -> Tensor:
    """Attend, then widen and narrow each frame, each with a shortcut; normalize the inputs (`before`) or the sums."""
    width = x.shape[-1]

    def norm(y: Tensor, number: int) -> Tensor:
        return layers.LayerNormalization(EPSILON, name=f"{name}_norm{number}")(y)

    y = norm(x, 1) if before else x
    y = [layers.Dense(width, name=f"{name}_{part}")(y) for part in ("queries", "keys", "values")]
    y = FrameAttention(heads, name=f"{name}_attention")(y)
    y = layers.Dense(width, name=f"{name}_attended")(y)
    y = Dropout(dropout, name=f"{name}_attention_dropout")(y)
    x = residual(x, y, name=f"{name}_attention")
    x = x if before else norm(x, 1)
    y = norm(x, 2) if before else x
    y = layers.Dense(4 * width, name=f"{name}_widen")(y)
    y = layers.activation(y, "gelu", name=f"{name}_gelu")
    y = Dropout(dropout, name=f"{name}_widen_dropout")(y)
    y = layers.Dense(width, name=f"{name}_narrow")(y)
    y = Dropout(dropout, name=f"{name}_dropout")(y)
    x = residual(x, y, name=name)
    return x if before else norm(x, 2)


@keras.saving.register_keras_serializable("zoo")
class OneChannel(keras.layers.Layer):
    """A waveform [batch, samples] as a sequence of one channel.

    Keras' Reshape (3.15) reads the shape of a waveform of open length, which takes six nodes in ONNX.
    """

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, samples, 1]."""
        return ops.expand_dims(x, -1)


@keras.saving.register_keras_serializable("zoo")
class TimeNormalization(keras.layers.Layer):
    """Normalization of each channel of [batch, frames, channels] over time, in the full precision of the weights.

    It is a group normalization with one channel in a group. Zeros at the end of a clip change all its frames.
    """

    channels_first = True

    def __init__(self, epsilon: float = EPSILON, **options: Any) -> None:
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make a scale and an offset for each channel."""
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones", autocast=False)
        self.beta = self.add_weight(name="beta", shape=shape[-1:], initializer="zeros", autocast=False)

    def call(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        x = ops.cast(x, self.variable_dtype)
        difference = x - ops.mean(x, 1, keepdims=True)
        std = ops.sqrt(ops.mean(ops.power(difference, 2.0), 1, keepdims=True) + self.epsilon)
        return ops.cast(difference / std * self.gamma + self.beta, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("zoo")
class GroupedConvolution(keras.layers.Layer):
    """A convolution over time within groups of channels, from [batch, frames, channels] to the same shape.

    An even kernel sees one frame more before its own than after. `Conv1D(groups=…)` would not do: Keras 3.15 compiles
    it by XLA on the CPU, which loaders without XLA refuse. TensorFlow convolves groups where the kernel is narrower
    than its input, but has no gradient of it on the CPU (2.21): in training, each group is convolved by itself.
    """

    channels_first = True

    def __init__(self, length: int, groups: int, **options: Any) -> None:
        super().__init__(**options)
        self.length, self.groups = length, groups

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make a kernel [frames, channels of a group, channels] and a bias."""
        channels = shape[-1]
        assert channels is not None
        if channels % self.groups:
            raise ZooError(f"{channels} channels do not make {self.groups} groups: choose a multiple")
        size = (self.length, channels // self.groups, channels)
        # As in fairseq, the variance is 4 divided by the kernel's length times the channels of all groups.
        start = keras.initializers.RandomNormal(stddev=(4 / (size[0] * channels)) ** 0.5)
        self.kernel = self.add_weight(name="kernel", shape=size, initializer=start)
        self.bias = self.add_weight(name="bias", shape=(channels,), initializer="zeros")

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Return a tensor of the same shape."""
        around = [[0, 0], [0, 0], [self.length // 2, (self.length - 1) // 2], [0, 0]]
        images = [ops.expand_dims(x, 1)]
        kernels = [ops.expand_dims(ops.convert_to_tensor(self.kernel), 0)]
        if training:
            images, kernels = (tf.split(whole, self.groups, -1) for (whole,) in (images, kernels))
        parts = [tf.nn.conv2d(*part, strides=1, padding=around) for part in zip(images, kernels, strict=True)]
        x = tf.concat(parts, -1) if training else parts[0]
        return ops.squeeze(x, 1) + self.bias

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "length": self.length, "groups": self.groups}


@keras.saving.register_keras_serializable("zoo")
class FrameAttention(keras.layers.Layer):
    """Scaled dot-product attention of queries, keys and values, each [batch, frames, width], to the same shape.

    The number of frames may be open.
    """

    transposes = 4
    """The transposes of queries, keys, values and the result, see `zoo.export.onnx.expected_transposes`."""

    def __init__(self, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, parts: list[Tensor]) -> Tensor:
        """Return [batch, frames, width]."""
        width = parts[0].shape[-1]
        size = width // self.heads
        # Each Reshape reads an open length from the tensor that it reshapes, so that its shape becomes a constant in
        # ONNX.
        queries, keys, values = (ops.reshape(part, (-1, ops.shape(part)[1], self.heads, size)) for part in parts)
        queries, values = (ops.transpose(part, (0, 2, 1, 3)) for part in (queries, values))
        weights = ops.softmax(ops.matmul(queries * size**-0.5, ops.transpose(keys, (0, 2, 3, 1))))
        x = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        return ops.reshape(x, (-1, ops.shape(x)[1], width))

    def multiply_adds(self) -> int:
        """Count the multiply-adds of both products for one clip."""
        _, frames, width = self.output.shape
        return 2 * (frames or COUNTED_LENGTH) ** 2 * width

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "heads": self.heads}
