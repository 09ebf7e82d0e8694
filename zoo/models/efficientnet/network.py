"""The builder of EfficientNetV2."""

from __future__ import annotations

import keras

from zoo import layers
from zoo.blocks import Excitation, drop_path_rates, inverted_residual, residual
from zoo.dropout import Dropout
from zoo.layers import Outputs, Tensor
from zoo.models.efficientnet import Stages
from zoo.structure import Structure, strides

DROP_PATH_RATE = 0.2
EPSILON = 1e-3

SHORTCUT_GAMMA = 0.0
"""The initial scales of a block's last norm, if the block has a shortcut (Goyal et al. 2017, section 5.1).

A fresh block then passes its input on. Otherwise an untrained network's logits would be of the order of 1e6, and
decided by rounding.
"""


def build(
    image: Tensor, classes: int, structure: Structure, *, stem: int, stages: Stages, last: int, dropout: float
) -> Outputs:
    """Build a stem of `stem` channels, stages of blocks, a layer of `last` channels, an average and the logits."""
    stride, *halvings = strides(structure, 5)
    x = _convolution(image, stem, 3, stride=stride, name="stem", norm="stem_norm")
    maps = {"stem": layers.FeatureMap(x, stride)}
    entering, rates = stem, iter(drop_path_rates(DROP_PATH_RATE, sum(blocks for _, blocks, *_ in stages)))
    for stage, (block_kind, blocks, halving, expansion, channels) in enumerate(stages, start=1):
        first_stride = halvings.pop(0) if halving == 2 else 1
        for number in range(1, blocks + 1):
            block_stride, name = first_stride if number == 1 else 1, f"stage{stage}_block{number}"
            x = _BLOCKS[block_kind](x, entering, channels, block_stride, expansion, next(rates), name=name)
            entering = channels
        stride *= first_stride
        maps[f"stage{stage}"] = layers.FeatureMap(x, stride)
    x = _convolution(x, last, 1, name="head", norm="head_norm")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = Dropout(dropout, name="dropout")(x)
    return Outputs(layers.logits(x, classes), maps)


def _convolution(
    x: Tensor,
    filters: int,
    kernel: int,
    *,
    stride: int = 1,
    act: bool = True,
    gamma: float = 1.0,
    name: str,
    norm: str,
) -> Tensor:
    """Convolve with TensorFlow's padding, normalize the batch and, with `act`, apply SiLU."""
    x = layers.convolution(x, filters, kernel, stride=stride, padding="tensorflow", name=name)
    x = layers.batch_norm(x, epsilon=EPSILON, gamma=gamma, name=norm)
    return layers.activation(x, "silu", name=f"{name}_silu") if act else x


def _convolution_block(
    x: Tensor, entering: int, channels: int, stride: int, expansion: int, rate: float, *, name: str
) -> Tensor:
    """Add one convolution, without widening the channels."""
    shortcut = stride == 1 and entering == channels
    gamma = SHORTCUT_GAMMA if shortcut else 1.0
    y = _convolution(x, channels, 3, stride=stride, gamma=gamma, name=f"{name}_conv", norm=f"{name}_norm1")
    return residual(x, y, drop_path_rate=rate, name=name) if shortcut else y


def _fused_block(
    x: Tensor, entering: int, channels: int, stride: int, expansion: int, rate: float, *, name: str
) -> Tensor:
    """Widen the channels by a 3×3 convolution, then narrow them by a 1×1 convolution."""
    shortcut = stride == 1 and entering == channels
    gamma = SHORTCUT_GAMMA if shortcut else 1.0
    y = _convolution(x, expansion * entering, 3, stride=stride, name=f"{name}_widen", norm=f"{name}_norm1")
    y = _convolution(y, channels, 1, act=False, gamma=gamma, name=f"{name}_narrow", norm=f"{name}_norm2")
    return residual(x, y, drop_path_rate=rate, name=name) if shortcut else y


def _inverted_block(
    x: Tensor, entering: int, channels: int, stride: int, expansion: int, rate: float, *, name: str
) -> Tensor:
    """Add an inverted residual block that is squeezed to a quarter of the channels that come in."""
    return inverted_residual(
        x,
        channels,
        3,
        entering=entering,
        stride=stride,
        widened=expansion * entering,
        excite=Excitation(entering // 4, "silu", "sigmoid"),
        act="silu",
        padding="tensorflow",
        epsilon=EPSILON,
        gamma=SHORTCUT_GAMMA,
        drop_path_rate=rate,
        name=name,
    )


_BLOCKS = {"convolution": _convolution_block, "fused": _fused_block, "inverted": _inverted_block}
