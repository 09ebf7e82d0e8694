"""Blocks that families share, each known to export well. Tensors are [batch, height, width, channels] throughout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras

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


def convolution(
    x: Tensor, filters: int, kernel: int | tuple[int, int], *, stride: int = 1, bias: bool = False, name: str
) -> Tensor:
    """A convolution padded by half its kernel on every side, as PyTorch pads; [batch, ceil(h / stride), ceil(w /
    stride), filters].

    Keras' own `same` puts the odd pixel of a strided convolution at the end, which is another network: foreign weights
    would give other answers.
    """
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = "same"
    if stride > 1 and (height > 1 or width > 1):
        x = keras.layers.ZeroPadding2D((height // 2, width // 2), name=f"{name}_pad")(x)
        padding = "valid"
    return keras.layers.Conv2D(
        filters,
        (height, width),
        strides=stride,
        padding=padding,
        use_bias=bias,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def batch_norm(x: Tensor, *, name: str) -> Tensor:
    """Batch normalisation over all replicas (a replica's own statistics would be lost when replica 0's are saved).

    Momentum and epsilon are PyTorch's defaults (0.1 of the new value, 1e-5), as in the reference implementations.
    """
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=True, name=name)(x)


def convolution_norm_relu(
    x: Tensor, filters: int, kernel: int, *, stride: int = 1, bias: bool = False, name: str
) -> Tensor:
    """Convolution, batch normalisation, ReLU."""
    x = convolution(x, filters, kernel, stride=stride, bias=bias, name=name)
    x = batch_norm(x, name=f"{name}_norm")
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def max_pool(x: Tensor, window: int, *, stride: int, padding: int = 0, name: str) -> Tensor:
    """Maximum over windows;

    `padding` pixels of zero on every side first, so x must not be negative where it is used.
    """
    if padding:
        x = keras.layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(window, strides=stride, name=name)(x)


def dense_head(x: Tensor, classes: int, *, window: int, width: int = 4096, dropout: float = 0.5) -> Tensor:
    """The classifier of AlexNet and VGG: two hidden layers over a `window`×`window` map, then logits [batch, classes].

    The first layer is a convolution over the window (the whole map where that is smaller), so that a larger picture
    gives
    a map of answers, which are averaged: the fully convolutional form of Simonyan & Zisserman 2014, section 3.2. At the
    reference size it is the fully connected layer, weight by weight.
    """
    kernel = (min(window, x.shape[1]), min(window, x.shape[2]))
    for number, size in ((1, kernel), (2, (1, 1))):
        x = keras.layers.Dropout(dropout, name=f"head{number}_dropout")(x)
        x = keras.layers.Conv2D(width, size, kernel_initializer="he_normal", name=f"head{number}")(x)
        x = keras.layers.ReLU(name=f"head{number}_relu")(x)
    return logits(keras.layers.GlobalAveragePooling2D(name="pool")(x), classes)


def logits(x: Tensor, classes: int) -> Tensor:
    """The last layer: [batch,

    width] to logits [batch, classes], in the full precision of the weights even where the rest is bfloat16.
    """
    return keras.layers.Dense(classes, dtype=keras.config.dtype_policy().variable_dtype, name="logits")(x)
