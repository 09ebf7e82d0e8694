"""The builder of ResNet."""

from __future__ import annotations

from typing import Literal

import keras

from zoo import layers
from zoo.blocks import convolution_norm_relu, residual
from zoo.layers import Outputs, Tensor
from zoo.structure import Structure, strides

WIDTHS = (64, 128, 256, 512)


def build(
    image: Tensor,
    classes: int,
    structure: Structure,
    *,
    block: Literal["basic", "bottleneck"],
    blocks: tuple[int, int, int, int],
) -> Outputs:
    """Build a stem, four stages with the given numbers of `blocks`, an average and the logits."""
    stem, pool, *stages = strides(structure, 5)
    x = convolution_norm_relu(image, WIDTHS[0], 7 if stem == 2 else 3, stride=stem, name="stem")
    maps = {"stem": layers.FeatureMap(x, stem)}
    stride = stem * pool
    if pool == 2:
        x = layers.max_pool(x, 3, stride=2, padding=1, name="stem_pool")
    residual_block, widening = {"basic": (_basic, 1), "bottleneck": (_bottleneck, 4)}[block]
    entering = WIDTHS[0]
    for stage, (width, count, first_stride) in enumerate(zip(WIDTHS, blocks, (1, *stages), strict=True), start=1):
        for number in range(1, count + 1):
            block_stride = first_stride if number == 1 else 1
            projected = block_stride > 1 or entering != widening * width
            x = residual_block(x, width, stride=block_stride, projected=projected, name=f"stage{stage}_block{number}")
            entering = widening * width
        stride *= first_stride
        maps[f"stage{stage}"] = layers.FeatureMap(x, stride)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return Outputs(layers.logits(x, classes), maps)


def _basic(x: Tensor, width: int, *, stride: int, projected: bool, name: str) -> Tensor:
    y = convolution_norm_relu(x, width, 3, stride=stride, name=f"{name}_conv1")
    y = layers.convolution(y, width, 3, name=f"{name}_conv2")
    return _join(x, y, width, stride=stride, projected=projected, last=f"{name}_conv2", name=name)


def _bottleneck(x: Tensor, width: int, *, stride: int, projected: bool, name: str) -> Tensor:
    y = convolution_norm_relu(x, width, 1, name=f"{name}_conv1")
    y = convolution_norm_relu(y, width, 3, stride=stride, name=f"{name}_conv2")
    y = layers.convolution(y, 4 * width, 1, name=f"{name}_conv3")
    return _join(x, y, 4 * width, stride=stride, projected=projected, last=f"{name}_conv3", name=name)


def _join(x: Tensor, y: Tensor, width: int, *, stride: int, projected: bool, last: str, name: str) -> Tensor:
    """Normalize the branch `y`, project the shortcut where the family does, add, apply ReLU."""
    y = layers.batch_norm(y, name=f"{last}_norm")
    if projected:
        x = layers.convolution(x, width, 1, stride=stride, name=f"{name}_shortcut")
        x = layers.batch_norm(x, name=f"{name}_shortcut_norm")
    return keras.layers.ReLU(name=f"{name}_relu")(residual(x, y, name=name))
