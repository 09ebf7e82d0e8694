"""The builder of the plain convolutional networks and AlexNet."""

from __future__ import annotations

import keras

from zoo import blocks, layers
from zoo.dropout import Dropout
from zoo.layers import Outputs, Tensor
from zoo.structure import Structure, strides


def build(image: Tensor, classes: int, structure: Structure, *, alexnet: bool = False, hidden: int = 0) -> Outputs:
    """Build AlexNet, or two convolutions with `hidden` units before the logits (none when 0)."""
    if alexnet:
        return _alexnet(image, classes, structure)
    return _two_convolutions(image, classes, structure, hidden)


def _two_convolutions(image: Tensor, classes: int, structure: Structure, hidden: int) -> Outputs:
    x, stride, maps = image, 1, {}
    for number, (filters, pool) in enumerate(zip((32, 64), strides(structure, 2), strict=True), start=1):
        x = layers.convolution(x, filters, 3, bias=True, name=f"conv{number}")
        x = keras.layers.ReLU(name=f"conv{number}_relu")(x)
        if pool == 2:
            x = layers.max_pool(x, 2, stride=2, name=f"pool{number}")
        stride *= pool
        maps[f"stage{number}"] = layers.FeatureMap(x, stride)
    x = layers.Flatten(name="flatten")(x)
    x = Dropout(0.5, name="dropout")(x)
    if hidden:
        x = keras.layers.Dense(
            layers.width("hidden", hidden), activation="relu", kernel_initializer="he_normal", name="hidden"
        )(x)
    return Outputs(layers.logits(x, classes), maps)


def _alexnet(image: Tensor, classes: int, structure: Structure) -> Outputs:
    assert structure.window is not None, "AlexNet's structure has a window"
    # The stem's stride of 4 counts as two halvings; a smaller stride has a smaller kernel.
    first, second, *pools = strides(structure, 5)
    stem = first * second
    x, maps = image, {}
    if stem == 4:
        # As in torchvision, the padding is 2, which is less than half of the 11×11 kernel.
        x = keras.layers.ZeroPadding2D(2, name="conv1_pad")(x)
        stem_filters = layers.width("conv1", 64)
        x = keras.layers.Conv2D(stem_filters, 11, strides=4, kernel_initializer="he_normal", name="conv1")(x)
    else:
        x = layers.convolution(x, 64, {2: 7, 1: 3}[stem], stride=stem, bias=True, name="conv1")
    stride = stem
    rows = ((64, None, pools[0]), (192, 5, pools[1]), (384, 3, 1), (256, 3, 1), (256, 3, pools[2]))
    for number, (filters, kernel, pool) in enumerate(rows, start=1):
        if kernel:
            x = layers.convolution(x, filters, kernel, bias=True, name=f"conv{number}")
        x = keras.layers.ReLU(name=f"conv{number}_relu")(x)
        if pool == 2:
            x = layers.max_pool(x, 3, stride=2, name=f"pool{number}")
            stride *= 2
        maps[f"stage{number}"] = layers.FeatureMap(x, stride)
    return Outputs(blocks.dense_head(x, classes, window=structure.window, drop="before"), maps)
