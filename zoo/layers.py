"""The layers from which all families are built, each known to export well.

Maps are [batch, height, width, channels], sequences [batch, tokens, channels]. Blocks of several layers are in
`zoo.blocks`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from zoo import drop_rates, gradients
from zoo.contract import LOGITS

Tensor = Any  # keras.KerasTensor, for which Keras ships no types


@dataclass(frozen=True)
class FeatureMap:
    """An intermediate result of a network, and its stride.

    The stride is the number of pixels or samples of the input from one position of the map to the next; 1 for the
    tokens of a text, and for maps that have no positions.
    """

    tensor: Tensor
    stride: int


@dataclass(frozen=True)
class Outputs:
    """The outputs of a network under construction, which a builder returns.

    They are the logits [batch, classes], and feature maps by name, from fine to coarse.
    """

    logits: Tensor
    feature_maps: dict[str, FeatureMap] = field(default_factory=dict)


_WIDTHS: ContextVar[Mapping[str, int]] = ContextVar("widths", default=MappingProxyType({}))


@contextmanager
def widths(by_layer: Mapping[str, int]) -> Iterator[None]:
    """Build networks whose convolutions and hidden layers have other numbers of channels, by layer name."""
    token = _WIDTHS.set(by_layer)
    try:
        yield
    finally:
        _WIDTHS.reset(token)


def width(layer: str, usual: int) -> int:
    """Return the number of channels of a layer: `usual`, unless `widths` names another number for it."""
    return _WIDTHS.get().get(layer, usual)


def width_and_heads(layer: str, usual: int, heads: int) -> tuple[int, int]:
    """Return the channels of a transformer and its number of heads.

    They are `usual` and `heads`, unless `widths` names another number of channels for `layer`, the first layer of the
    transformer. Other numbers of channels make more or fewer heads of the same size.

    Raises:
        ValueError: the channels do not make heads of this size.
    """
    channels, of_head = width(layer, usual), usual // heads
    if channels % of_head:
        raise ValueError(f"{channels} channels do not make heads of {of_head}")
    return channels, channels // of_head


Padding = Literal["half", "tensorflow", "none"]
"""The treatment of a map's edges in a convolution, see `padded`."""

Activation = Literal["relu", "hard_swish", "silu", "gelu", "hard_sigmoid", "sigmoid"]


def padded(x: Tensor, kernel: tuple[int, int], stride: int, padding: Padding, *, name: str) -> tuple[Tensor, str]:
    """Pad a map for a convolution, and return it with Keras' `padding` argument for the convolution itself.

    Args:
        x: the map to convolve.
        kernel: its height and width.
        stride: of the convolution.
        padding: `half` pads by half the kernel on every side, as PyTorch does; `tensorflow` pads as little as
            possible, with an odd pixel below and to the right. Both give ceil(side / stride) pixels, but with a stride
            of 2 they are two networks: weights of one give wrong answers in the other. `none` does not pad.
        name: the prefix of the name of the layer that pads.
    """
    if padding == "half" and stride > 1 and max(kernel) > 1:
        return keras.layers.ZeroPadding2D((kernel[0] // 2, kernel[1] // 2), name=f"{name}_pad")(x), "valid"
    return x, "valid" if padding == "none" else "same"


def convolution(
    x: Tensor,
    filters: int,
    kernel: int | tuple[int, int],
    *,
    stride: int = 1,
    bias: bool = False,
    padding: Padding = "half",
    name: str,
) -> Tensor:
    """Convolve a map; the result is [batch, height, width, filters], unless `widths` names other channels for it."""
    size = (kernel, kernel) if isinstance(kernel, int) else kernel
    x, edges = padded(x, size, stride, padding, name=name)
    return keras.layers.Conv2D(
        width(name, filters),
        size,
        strides=stride,
        padding=edges,
        use_bias=bias,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def depthwise(
    x: Tensor, kernel: int, *, stride: int = 1, bias: bool = False, padding: Padding = "half", name: str
) -> Tensor:
    """Convolve each channel by itself.

    `Conv2D(groups=…)` is not used: Keras 3.15 compiles it with XLA on the CPU, and onnxruntime cannot load the exported
    ONNX file.
    """
    x, edges = padded(x, (kernel, kernel), stride, padding, name=name)
    # Keras' he_normal (3.15) counts the inputs of all channels as the fan-in, though an output sees one channel.
    start = keras.initializers.RandomNormal(stddev=math.sqrt(2) / kernel)
    return DepthwiseConv2D(
        kernel, strides=stride, padding=edges, use_bias=bias, depthwise_initializer=start, name=name
    )(x)


def batch_norm(x: Tensor, *, epsilon: float = 1e-5, gamma: float = 1.0, name: str) -> Tensor:
    """Normalize a batch, with statistics over all replicas, because only those of replica 0 are saved.

    Momentum and epsilon are PyTorch's defaults (0.1 of the new value, 1e-5), as in most reference implementations. The
    scales start at `gamma`.
    """
    return BatchNormalization(
        momentum=0.9,
        epsilon=epsilon,
        gamma_initializer=keras.initializers.Constant(gamma),
        synchronized=True,
        name=name,
    )(x)


def activation(x: Tensor, kind: Activation, *, name: str) -> Tensor:
    """Apply an activation, in a form for which onnxruntime has a kernel."""
    if kind == "gelu":
        return Gelu(name=name)(x)
    if kind == "relu":
        return keras.layers.ReLU(name=name)(x)
    return keras.layers.Activation({"hard_swish": "hard_silu"}.get(kind, kind), name=name)(x)


@keras.saving.register_keras_serializable("zoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalization, which trains with TensorFlow's fused kernel if one replica has the whole batch.

    Keras 3.15 computes moments and normalizes in separate operations, which pass over the map six times or more. The
    fused kernel computes the same, in float32 if the map is float16 or bfloat16. It supports neither float64 nor
    statistics over several replicas; for those, Keras' own operations are used.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        """Normalize a map, and move the statistics towards the batch's in training."""
        alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
        fused = training and self.trainable and alone and len(inputs.shape) == 4 and mask is None
        if not fused or keras.backend.standardize_dtype(inputs.dtype) not in ("float32", "bfloat16", "float16"):
            return super().call(inputs, training=training, mask=mask)
        normalized, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
        )
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
        # The kernel (TensorFlow 2.21) divides by the number of values minus 1, Keras by the number itself.
        variance = unbiased * ((count - 1) / count)
        for statistic, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            statistic.assign(statistic * self.momentum + value * (1.0 - self.momentum))
        return normalized


@keras.saving.register_keras_serializable("zoo")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' depthwise convolution, which trains on CPUs with the gradients of `zoo.gradients`."""

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Return [batch, height, width, channels]."""
        alike = len(set(self.strides)) == 1 and set(self.dilation_rate) == {1} and self.depth_multiplier == 1
        if not (training and alike and self.trainable) or tf.config.list_logical_devices("GPU"):
            return super().call(inputs)
        kernel = tf.convert_to_tensor(self.kernel)
        x = gradients.depthwise(inputs, kernel, self.strides[0], self.padding.upper())
        return x + tf.convert_to_tensor(self.bias) if self.use_bias else x


@keras.saving.register_keras_serializable("zoo")
class Gelu(keras.layers.Layer):
    """The activation x · Φ(x), computed exactly with the error function.

    Keras' own GELU (3.15) becomes `Erfc`, which tf2onnx 1.17 does not know: onnxruntime cannot load the file.
    """

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Return a tensor of the same shape."""
        return gradients.gelu(x) if training else x * (ops.erf(x / math.sqrt(2)) + 1.0) * 0.5


@keras.saving.register_keras_serializable("zoo")
class Flatten(keras.layers.Layer):
    """A reshape from [batch, …] to [batch, values].

    Keras' own layer (3.15) reads the batch size, which in ONNX puts Shape, Gather, Slice and Concat before the Reshape.
    """

    channels_last = True

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, values]."""
        return ops.reshape(x, (-1, math.prod(x.shape[1:])))


@keras.saving.register_keras_serializable("zoo")
class Dense(keras.layers.Dense):
    """A dense layer over the last axis of a sequence or a map.

    Keras' own layer (3.15) becomes a Tensordot, which in ONNX is a product between Shape, Gather, Concat and Reshape.
    Training still uses it, because the gradient of a batched product would copy the kernel once per image.
    """

    channels_last = True

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Return [batch, …, units]."""
        if training or len(x.shape) == 2:
            return super().call(x)
        x = tf.matmul(x, ops.convert_to_tensor(self.kernel))
        return x if self.bias is None else x + self.bias


@keras.saving.register_keras_serializable("zoo")
class LayerNormalization(keras.layers.Layer):
    """Normalization over the last axis of [batch, …, channels], in the full precision of the weights.

    onnxruntime 1.31 fuses these operations, in this order, into one. It does not fuse the eleven ONNX nodes that Keras'
    own layer (3.15) becomes.
    """

    channels_last = True

    def __init__(self, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make a scale and an offset for each channel."""
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones", autocast=False)
        self.beta = self.add_weight(name="beta", shape=shape[-1:], initializer="zeros", autocast=False)

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Return a tensor of the same shape."""
        if training:
            gamma, beta = map(tf.convert_to_tensor, (self.gamma, self.beta))
            return gradients.layer_norm(x, gamma, beta, self.epsilon)
        x = ops.cast(x, self.variable_dtype)
        difference = x - ops.mean(x, -1, keepdims=True)
        std = ops.sqrt(ops.mean(ops.power(difference, 2.0), -1, keepdims=True) + self.epsilon)
        return ops.cast(difference / std * self.gamma + self.beta, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("zoo")
class Scale(keras.layers.Layer):
    """A learned scale for each channel, which starts small, so that a deep network learns (Touvron et al. 2021)."""

    def __init__(self, initial: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.initial = initial

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make a scale for each channel."""
        start = keras.initializers.Constant(self.initial)
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer=start)

    def call(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return x * self.gamma

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "initial": self.initial}


@keras.saving.register_keras_serializable("zoo")
class Tokens(keras.layers.Layer):
    """The tokens of a map: a learned class token, then one for each pixel, all with a learned position added.

    A map [batch, height, width, channels] becomes a sequence [batch, 1 + height · width, channels].
    """

    channels_last = True

    def build(self, shape: tuple[int | None, int, int, int]) -> None:
        """Make the class token, and the positions, of which the first is the class token's."""
        _, height, width, channels = shape
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight(name="token", shape=(1, 1, channels), initializer=start)
        self.positions = self.add_weight(name="positions", shape=(1, 1 + height * width, channels), initializer=start)

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, tokens, channels]."""
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height * width, channels))
        # The class token is added to a row of zeros: repeating it for each image would read the batch size.
        x = ops.pad(x, ((0, 0), (1, 0), (0, 0)))
        return x + ops.concatenate([self.token + self.positions[:, :1], self.positions[:, 1:]], 1)


@keras.saving.register_keras_serializable("zoo")
class Attention(keras.layers.Layer):
    """Scaled dot-product attention.

    Queries, keys and values, side by side in [batch, tokens, 3 · width], become [batch, tokens, width].
    """

    transposes = 4
    """The transposes of queries, keys, values and the result, see `zoo.export.onnx.expected_transposes`."""

    def __init__(self, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, tokens, width]."""
        _, tokens, width = x.shape
        size = width // (3 * self.heads)
        queries, keys, values = (ops.reshape(part, (-1, tokens, self.heads, size)) for part in ops.split(x, 3, -1))
        queries, values = (ops.transpose(part, (0, 2, 1, 3)) for part in (queries, values))
        weights = ops.softmax(ops.matmul(queries * size**-0.5, ops.transpose(keys, (0, 2, 3, 1))))
        x = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        return ops.reshape(x, (-1, tokens, self.heads * size))

    def multiply_adds(self) -> int:
        """Count the multiply-adds of both products for one image."""
        _, tokens, width = self.output.shape
        return 2 * tokens * tokens * width

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable("zoo")
class AdaptiveAverage(keras.layers.Layer):
    """Average pooling of a map [batch, rows, columns, channels] to `height` by `width` pixels, also to more pixels.

    Pixel i of n is the average of the map's pixels from floor(i · side / n) up to ceil((i + 1) · side / n), as in
    PyTorch's AdaptiveAvgPool2d. It is one product with a constant, whereas Keras' own layer (3.15) becomes four pools,
    two concatenations and two gathers.
    """

    channels_last = True

    def __init__(self, height: int, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.height, self.width = height, width

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, height, width, channels]."""
        _, rows, columns, channels = x.shape
        shares = np.kron(_shares(rows, self.height), _shares(columns, self.width))
        x = ops.matmul(ops.convert_to_tensor(shares, x.dtype), ops.reshape(x, (-1, rows * columns, channels)))
        return ops.reshape(x, (-1, self.height, self.width, channels))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "height": self.height, "width": self.width}


def _shares(side: int, averages: int) -> np.ndarray:
    """Compute the share of each pixel in each average, float64 [averages, side]."""
    shares = np.zeros((averages, side))
    for number in range(averages):
        first, end = number * side // averages, -(-(number + 1) * side // averages)
        shares[number, first:end] = 1 / (end - first)
    return shares


def max_pool(x: Tensor, window: int, *, stride: int, padding: int = 0, name: str) -> Tensor:
    """Take the maximum over windows, after padding with zeros on every side: only for maps without negative values."""
    if padding:
        x = keras.layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(window, strides=stride, name=name)(x)


def logits(x: Tensor, classes: int) -> Tensor:
    """Add the last layer, from [batch, width] to logits [batch, classes], in the full precision of the weights."""
    x = drop_rates.present().before_logits(x)
    return keras.layers.Dense(classes, dtype=keras.config.dtype_policy().variable_dtype, name=LOGITS)(x)
