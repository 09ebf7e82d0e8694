"""Blocks of several layers that more than one family uses.

Maps are [batch, height, width, channels], sequences [batch, tokens, channels]. `name` is the prefix of the names of a
block's layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import keras

from zoo import drop_rates
from zoo.dropout import Dropout
from zoo.layers import (
    Activation,
    AdaptiveAverage,
    Attention,
    Dense,
    LayerNormalization,
    Padding,
    Tensor,
    activation,
    batch_norm,
    convolution,
    depthwise,
    logits,
)
from zoo.layers import width as channels_of


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
    """Convolve, normalize the batch, apply ReLU."""
    x = convolution(x, filters, kernel, stride=stride, bias=bias, padding=padding, name=name)
    x = batch_norm(x, epsilon=epsilon, name=f"{name}_norm")
    return activation(x, "relu", name=f"{name}_relu")


def residual(x: Tensor, branch: Tensor, *, drop_path_rate: float = 0.0, name: str) -> Tensor:
    """Add a branch to its shortcut; in training, the branch is dropped at random for each image (Huang et al. 2016)."""
    branch = drop_rates.present().of_branch(branch, drop_path_rate, name=name)
    return keras.layers.Add(name=f"{name}_add")([x, branch])


def drop_path_rates(last: float, blocks: int) -> list[float]:
    """Return a drop-path rate for each block, rising evenly from 0 to `last`, or to the rate that a recipe sets."""
    return drop_rates.evenly(drop_rates.present().last_branch(last), blocks)


@dataclass(frozen=True)
class Excitation:
    """The options of squeeze-and-excitation: channels and activation between its layers, and the last activation."""

    channels: int
    activation: Activation
    scale: Activation


def squeeze_excite(x: Tensor, options: Excitation, *, name: str) -> Tensor:
    """Scale each channel by a factor that two layers compute from the means of all channels (Hu et al. 2017)."""
    y = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    y = convolution(y, options.channels, 1, bias=True, name=f"{name}_squeeze")
    y = activation(y, options.activation, name=f"{name}_squeeze_{options.activation}")
    y = convolution(y, x.shape[-1], 1, bias=True, name=f"{name}_excite")
    y = activation(y, options.scale, name=f"{name}_gate")
    return keras.layers.Multiply(name=f"{name}_scaled")([x, y])


def inverted_residual(
    x: Tensor,
    channels: int,
    kernel: int,
    *,
    entering: int,
    stride: int,
    widened: int,
    excite: Excitation | None,
    act: Activation,
    padding: Padding = "half",
    epsilon: float = 1e-5,
    gamma: float = 1.0,
    drop_path_rate: float = 0.0,
    name: str,
) -> Tensor:
    """Widen a map, convolve each channel by itself, squeeze and excite, narrow it (Sandler et al. 2018).

    Args:
        x: the map.
        channels: of the result.
        kernel: the side of the depthwise convolution's kernel.
        entering: the channels of `x` in the family's own network. This and the other numbers of channels are the
            family's, so that the block keeps its form where `zoo.layers.widths` changes the channels.
        stride: of the depthwise convolution. If it is 1 and `channels` equals `entering`, the block has a shortcut.
        widened: the channels in the middle; if they equal `entering`, the widening convolution is left out.
        excite: the options of squeeze-and-excitation; None leaves it out.
        act: the activation after the widening and the depthwise convolution.
        padding: of the depthwise convolution, see `zoo.layers.padded`.
        epsilon: of the batch normalizations.
        gamma: the initial scale of the last batch normalization if there is a shortcut; it is 1 otherwise.
        drop_path_rate: of the branch.
        name: the prefix of the names of its layers.
    """
    y, norms, narrow = x, iter((1, 2, 3)), "pointwise" if widened == entering else "narrow"
    if widened != entering:
        y = convolution(y, widened, 1, name=f"{name}_pointwise")
        y = batch_norm(y, epsilon=epsilon, name=f"{name}_norm{next(norms)}")
        y = activation(y, act, name=f"{name}_pointwise_{act}")
    y = depthwise(y, kernel, stride=stride, padding=padding, name=f"{name}_depthwise")
    y = batch_norm(y, epsilon=epsilon, name=f"{name}_norm{next(norms)}")
    y = activation(y, act, name=f"{name}_depthwise_{act}")
    if excite:
        y = squeeze_excite(y, excite, name=name)
    shortcut = stride == 1 and entering == channels
    y = convolution(y, channels, 1, name=f"{name}_{narrow}")
    y = batch_norm(y, epsilon=epsilon, gamma=gamma if shortcut else 1.0, name=f"{name}_norm{next(norms)}")
    return residual(x, y, drop_path_rate=drop_path_rate, name=name) if shortcut else y


def attention_block(x: Tensor, heads: int, *, drop_path_rate: float = 0.0, name: str) -> Tensor:
    """Apply a transformer block to a sequence [batch, tokens, width]: self-attention, then two dense layers."""
    width = x.shape[-1]
    y = LayerNormalization(name=f"{name}_norm1")(x)
    y = Dense(3 * width, name=f"{name}_queries_keys_values")(y)
    y = Attention(heads, name=f"{name}_attention")(y)
    y = Dense(width, name=f"{name}_attended")(y)
    x = residual(x, y, drop_path_rate=drop_path_rate, name=f"{name}_attention")
    y = LayerNormalization(name=f"{name}_norm2")(x)
    y = Dense(4 * width, name=f"{name}_widen")(y)
    y = activation(y, "gelu", name=f"{name}_gelu")
    y = Dense(width, name=f"{name}_narrow")(y)
    return residual(x, y, drop_path_rate=drop_path_rate, name=name)


def dense_head(
    x: Tensor,
    classes: int,
    *,
    window: tuple[int, int],
    drop: Literal["before", "after"],
    width: int = 4096,
    dropout: float = 0.5,
) -> Tensor:
    """Add the classifier of AlexNet and VGG: two hidden layers over a map of `window` pixels, then logits.

    Dropout (`drop`) is before each hidden layer, as in torchvision's AlexNet, or after its ReLU, as in its VGG.

    The first layer is a convolution over the window, so that a larger map gives several results, which are averaged:
    the fully convolutional form of Simonyan & Zisserman 2014, section 3.2. A smaller map is resized to the window, as
    in torchvision's and timm's VGG. At the reference size, the convolution equals the fully connected layer, weight by
    weight.
    """
    height, width_of_map = x.shape[1:3]
    if height < window[0] or width_of_map < window[1]:
        x = AdaptiveAverage(max(height, window[0]), max(width_of_map, window[1]), name="head_window")(x)
    for number, size in ((1, window), (2, (1, 1))):
        dropped = Dropout(dropout, name=f"head{number}_dropout")
        x = dropped(x) if drop == "before" else x
        units = channels_of(f"head{number}", width)
        x = keras.layers.Conv2D(units, size, kernel_initializer="he_normal", name=f"head{number}")(x)
        x = keras.layers.ReLU(name=f"head{number}_relu")(x)
        x = dropped(x) if drop == "after" else x
    return logits(keras.layers.GlobalAveragePooling2D(name="pool")(x), classes)
