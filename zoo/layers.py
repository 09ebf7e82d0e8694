"""Blocks that families share, each known to export well. Tensors are [batch, height, width, channels] throughout."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

Tensor = Any  # keras.KerasTensor, for which Keras ships no types


@dataclass(frozen=True)
class Feature:
    """A named intermediate map and how many input pixels one of its pixels spans."""

    tensor: Tensor
    stride: int


@dataclass(frozen=True)
class Network:
    """What a builder returns: logits [batch, classes], and the feature maps by name, from fine to coarse."""

    logits: Tensor
    features: dict[str, Feature] = field(default_factory=dict)


Padding = Literal["half", "tensorflow", "none"]
"""How the edges of a convolution are treated, see `padded`."""

Activation = Literal["relu", "hard_swish", "silu", "gelu", "hard_sigmoid", "sigmoid"]


def padded(x: Tensor, kernel: tuple[int, int], stride: int, padding: Padding, *, name: str) -> tuple[Tensor, str]:
    """The map to convolve, and Keras' word for what is left to do at its edges.

    `half`: half the kernel on every side, as PyTorch pads; the output has ceil(side / stride) pixels. `tensorflow`: as
    few as give the same size, the odd one at the end, which is another network when the stride is 2: foreign weights
    would give other answers. `none`: only windows that lie inside.
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
    """A convolution; [batch, height, width, filters]."""
    size = (kernel, kernel) if isinstance(kernel, int) else kernel
    x, edges = padded(x, size, stride, padding, name=name)
    return keras.layers.Conv2D(
        filters, size, strides=stride, padding=edges, use_bias=bias, kernel_initializer="he_normal", name=name
    )(x)


def depthwise(
    x: Tensor, kernel: int, *, stride: int = 1, bias: bool = False, padding: Padding = "half", name: str
) -> Tensor:
    """A convolution of each channel by itself.

    Not `Conv2D(groups=…)`: Keras 3.15 compiles that by XLA on the CPU, and the ONNX file that comes of it does not
    load.
    """
    x, edges = padded(x, (kernel, kernel), stride, padding, name=name)
    # Keras' he_normal (3.15) counts the inputs of all channels, though an output sees one.
    start = keras.initializers.RandomNormal(stddev=math.sqrt(2) / kernel)
    return keras.layers.DepthwiseConv2D(
        kernel, strides=stride, padding=edges, use_bias=bias, depthwise_initializer=start, name=name
    )(x)


def batch_norm(x: Tensor, *, epsilon: float = 1e-5, scale: float = 1.0, name: str) -> Tensor:
    """Batch normalization over all replicas (a replica's own statistics would be lost when replica 0's are saved).

    Momentum and epsilon are PyTorch's defaults (0.1 of the new value, 1e-5), as in most reference implementations.
    `scale` is what the factors begin with.
    """
    return keras.layers.BatchNormalization(
        momentum=0.9,
        epsilon=epsilon,
        gamma_initializer=keras.initializers.Constant(scale),
        synchronized=True,
        name=name,
    )(x)


def convolution_norm_relu(
    x: Tensor,
    filters: int,
    kernel: int | tuple[int, int],
    *,
    stride: int = 1,
    bias: bool = False,
    padding: Padding = "half",
    epsilon: float = 1e-5,
    name: str,
) -> Tensor:
    """Convolution, batch normalization, ReLU."""
    x = convolution(x, filters, kernel, stride=stride, bias=bias, padding=padding, name=name)
    x = batch_norm(x, epsilon=epsilon, name=f"{name}_norm")
    return activation(x, "relu", name=f"{name}_relu")


def activation(x: Tensor, kind: Activation, *, name: str) -> Tensor:
    """An activation, in the form that onnxruntime has a kernel for."""
    if kind == "gelu":
        return Gelu(name=name)(x)
    if kind == "relu":
        return keras.layers.ReLU(name=name)(x)
    return keras.layers.Activation({"hard_swish": "hard_silu"}.get(kind, kind), name=name)(x)


def squeeze_excite(x: Tensor, width: int, *, act: Activation, gate: Activation, name: str) -> Tensor:
    """Scale each channel by what two layers, `width` between them, make of all channels' means (Hu et al. 2017)."""
    y = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    y = convolution(y, width, 1, bias=True, name=f"{name}_squeeze")
    y = activation(y, act, name=f"{name}_squeeze_{act}")
    y = convolution(y, x.shape[-1], 1, bias=True, name=f"{name}_excite")
    y = activation(y, gate, name=f"{name}_gate")
    return keras.layers.Multiply(name=f"{name}_scaled")([x, y])


def residual(x: Tensor, branch: Tensor, *, drop: float = 0.0, name: str) -> Tensor:
    """Add a branch to its shortcut; in training an image loses it with probability `drop` (Huang et al. 2016)."""
    if drop:
        shape = (None, *(1,) * (len(branch.shape) - 1))
        branch = keras.layers.Dropout(drop, noise_shape=shape, name=f"{name}_drop")(branch)
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def drops(last: float, blocks: int) -> list[float]:
    """The stochastic depth of each of a network's blocks: from 0, evenly, up to `last`."""
    return [last * number / max(1, blocks - 1) for number in range(blocks)]


@keras.saving.register_keras_serializable("zoo")
class Gelu(keras.layers.Layer):
    """x · Φ(x), exact, by the error function.

    Keras' own traces to `Erfc` (3.15), which tf2onnx 1.17 does not know: the file does not load.
    """

    def call(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x * (ops.erf(x / math.sqrt(2)) + 1.0) * 0.5


@keras.saving.register_keras_serializable("zoo")
class Flatten(keras.layers.Layer):
    """[batch, …] to [batch, the product of the rest].

    Keras' own (3.15) asks for the batch's size: in ONNX Shape, Gather, Slice and Concat in front of the Reshape.
    """

    channels_last = True

    def call(self, x: Tensor) -> Tensor:
        """[batch, features]."""
        return ops.reshape(x, (-1, math.prod(x.shape[1:])))


@keras.saving.register_keras_serializable("zoo")
class Dense(keras.layers.Dense):
    """A dense layer over the last axis of a sequence or a map.

    Keras' own (3.15) becomes a Tensordot, which in ONNX is Shape, Gather, Concat and Reshape around a product. In
    training it is right: the gradient of a plain product makes a copy of the kernel for each image.
    """

    channels_last = True

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """[batch, …, units]."""
        import tensorflow as tf

        if training or len(x.shape) == 2:
            return super().call(x)
        x = tf.matmul(x, ops.convert_to_tensor(self.kernel))
        return x if self.bias is None else x + self.bias


@keras.saving.register_keras_serializable("zoo")
class LayerNormalization(keras.layers.Layer):
    """Normalization over the last axis of [batch, …, channels], in the full precision of the weights.

    Keras' own (3.15) becomes eleven ONNX nodes that onnxruntime 1.31 does not fuse. This order of operations it does.
    """

    channels_last = True

    def __init__(self, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, shape: tuple[int | None, ...]) -> None:
        """A scale and an offset for each channel."""
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones", autocast=False)
        self.beta = self.add_weight(name="beta", shape=shape[-1:], initializer="zeros", autocast=False)

    def call(self, x: Tensor) -> Tensor:
        """The same shape."""
        x = ops.cast(x, self.variable_dtype)
        difference = x - ops.mean(x, -1, keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.power(difference, 2.0), -1, keepdims=True) + self.epsilon)
        return ops.cast(difference / deviation * self.gamma + self.beta, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras asks."""
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("zoo")
class Scale(keras.layers.Layer):
    """A learned factor for each channel, small at first: a deep network begins shallow (Touvron et al. 2021)."""

    def __init__(self, initial: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.initial = initial

    def build(self, shape: tuple[int | None, ...]) -> None:
        """A factor for each channel."""
        start = keras.initializers.Constant(self.initial)
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer=start)

    def call(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x * self.gamma

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras asks."""
        return {**super().get_config(), "initial": self.initial}


@keras.saving.register_keras_serializable("zoo")
class Tokens(keras.layers.Layer):
    """A map as a sequence: a learned token in front, and a learned position added to every token.

    [batch, height, width, width of a token] to [batch, 1 + height · width, width of a token].
    """

    channels_last = True

    def build(self, shape: tuple[int | None, int, int, int]) -> None:
        """The token and the positions, its own first."""
        _, height, width, channels = shape
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight(name="token", shape=(1, 1, channels), initializer=start)
        self.positions = self.add_weight(name="positions", shape=(1, 1 + height * width, channels), initializer=start)

    def call(self, x: Tensor) -> Tensor:
        """[batch, tokens, width]."""
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height * width, channels))
        # A row of zeros, and the token among the positions: to repeat it for each image takes the batch's size.
        x = ops.pad(x, ((0, 0), (1, 0), (0, 0)))
        return x + ops.concatenate([self.token + self.positions[:, :1], self.positions[:, 1:]], 1)


@keras.saving.register_keras_serializable("zoo")
class Attention(keras.layers.Layer):
    """Scaled dot-product attention: queries, keys, values [batch, tokens, 3 · width] to [batch, tokens, width]."""

    transposes = 4
    """Of queries, keys, values and the answer, see `zoo.export.onnx.expected_transposes`."""

    def __init__(self, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, x: Tensor) -> Tensor:
        """[batch, tokens, width]."""
        _, tokens, width = x.shape
        size = width // (3 * self.heads)
        queries, keys, values = (ops.reshape(part, (-1, tokens, self.heads, size)) for part in ops.split(x, 3, -1))
        queries, values = (ops.transpose(part, (0, 2, 1, 3)) for part in (queries, values))
        shares = ops.softmax(ops.matmul(queries * size**-0.5, ops.transpose(keys, (0, 2, 3, 1))))
        x = ops.transpose(ops.matmul(shares, values), (0, 2, 1, 3))
        return ops.reshape(x, (-1, tokens, self.heads * size))

    def multiply_adds(self) -> int:
        """Of both products, for one image."""
        _, tokens, width = self.output.shape
        return 2 * tokens * tokens * width

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras asks."""
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable("zoo")
class AdaptiveAverage(keras.layers.Layer):
    """A map [batch, rows, columns, channels] averaged to `height` by `width` pixels, fewer or more than it has.

    Pixel i of n is the average of the map's pixels from floor(i · side / n) up to ceil((i + 1) · side / n), as in
    PyTorch's AdaptiveAvgPool2d. It is one product with a constant: Keras' own (3.15) becomes four pools, two
    concatenations and two gathers.
    """

    channels_last = True

    def __init__(self, height: int, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.height, self.width = height, width

    def call(self, x: Tensor) -> Tensor:
        """[batch, height, width, channels]."""
        _, rows, columns, channels = x.shape
        shares = np.kron(_shares(rows, self.height), _shares(columns, self.width))
        x = ops.matmul(ops.convert_to_tensor(shares, x.dtype), ops.reshape(x, (-1, rows * columns, channels)))
        return ops.reshape(x, (-1, self.height, self.width, channels))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras asks."""
        return {**super().get_config(), "height": self.height, "width": self.width}


def _shares(side: int, averages: int) -> np.ndarray:
    """float64 [averages, side]: the share of each pixel in each average."""
    shares = np.zeros((averages, side))
    for number in range(averages):
        first, end = number * side // averages, -(-(number + 1) * side // averages)
        shares[number, first:end] = 1 / (end - first)
    return shares


def max_pool(x: Tensor, window: int, *, stride: int, padding: int = 0, name: str) -> Tensor:
    """Maximum over windows; `padding` pixels of zero on every side first: x must not be negative where it is used."""
    if padding:
        x = keras.layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(window, strides=stride, name=name)(x)


def dense_head(x: Tensor, classes: int, *, window: tuple[int, int], width: int = 4096, dropout: float = 0.5) -> Tensor:
    """The classifier of AlexNet and VGG: two hidden layers over a map of `window` pixels, then logits [batch, classes].

    The first layer is a convolution over the window, so that a larger image gives a map of answers, which are averaged:
    the fully convolutional form of Simonyan & Zisserman 2014, section 3.2. A smaller map is spread over the window, as
    torchvision's and timm's VGG do. At the reference size it is the fully connected layer, weight by weight.
    """
    height, width_of_map = x.shape[1:3]
    if height < window[0] or width_of_map < window[1]:
        x = AdaptiveAverage(max(height, window[0]), max(width_of_map, window[1]), name="head_window")(x)
    for number, size in ((1, window), (2, (1, 1))):
        x = keras.layers.Dropout(dropout, name=f"head{number}_dropout")(x)
        x = keras.layers.Conv2D(width, size, kernel_initializer="he_normal", name=f"head{number}")(x)
        x = keras.layers.ReLU(name=f"head{number}_relu")(x)
    return logits(keras.layers.GlobalAveragePooling2D(name="pool")(x), classes)


def logits(x: Tensor, classes: int) -> Tensor:
    """The last layer: [batch, width] to logits [batch, classes], in the full precision of the weights."""
    return keras.layers.Dense(classes, dtype=keras.config.dtype_policy().variable_dtype, name="logits")(x)
