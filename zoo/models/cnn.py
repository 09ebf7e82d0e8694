"""Plain convolutional networks: two that train in a minute, and AlexNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.models.small_images import strides
from zoo.registry import Family, Size, register

if TYPE_CHECKING:
    from zoo.layers import Network, Tensor


def build(image: Tensor, classes: int, *, alexnet: bool = False, hidden: int = 0) -> Network:
    """AlexNet, or two convolutions with `hidden` units before the logits (none when 0)."""
    return _alexnet(image, classes) if alexnet else _two_convolutions(image, classes, hidden)


def _two_convolutions(image: Tensor, classes: int, hidden: int) -> Network:
    import keras

    from zoo import layers

    x, stride, features = image, 1, {}
    for number, (filters, pool) in enumerate(zip((32, 64), strides(image.shape, 2), strict=True), start=1):
        x = layers.convolution(x, filters, 3, bias=True, name=f"conv{number}")
        x = keras.layers.ReLU(name=f"conv{number}_relu")(x)
        if pool == 2:
            x = layers.max_pool(x, 2, stride=2, name=f"pool{number}")
        stride *= pool
        features[f"stage{number}"] = layers.Feature(x, stride)
    x = layers.Flatten(name="flatten")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    if hidden:
        x = keras.layers.Dense(hidden, activation="relu", kernel_initializer="he_normal", name="hidden")(x)
    return layers.Network(layers.logits(x, classes), features)


def _alexnet(image: Tensor, classes: int) -> Network:
    import keras

    from zoo import layers

    # The stem's stride of 4 counts as two halvings; a kernel goes with each stride that may be left of it.
    first, second, *pools = strides(image.shape, 5)
    stem = first * second
    x, features = image, {}
    if stem == 4:
        # Padding of 2 around an 11×11 kernel is less than half of it: torchvision's form of the network.
        x = keras.layers.ZeroPadding2D(2, name="conv1_pad")(x)
        x = keras.layers.Conv2D(64, 11, strides=4, kernel_initializer="he_normal", name="conv1")(x)
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
        features[f"stage{number}"] = layers.Feature(x, stride)
    return layers.Network(layers.dense_head(x, classes, window=6), features)


FAMILY = register(
    Family(
        name="cnn",
        title="Plain CNN and AlexNet",
        reference="LeCun et al. 1998 (small, base); Krizhevsky 2014, arXiv:1404.5997, as torchvision's alexnet (large)",
        small_images="pools (and the strides of AlexNet's stem) go, the first ones first, while the last map is "
        "under 4 pixels",
        # Published: 0.714 billion multiply-adds of AlexNet (torchvision's weights of alexnet); of the others nothing.
        sizes=(
            Size("small", (), {}, 50_186, 3_869_824, (28, 28, 1), 10),
            Size("base", (), {"hidden": 128}, 421_642, 4_241_152, (28, 28, 1), 10),
            Size("large", ("alexnet",), {"alexnet": True}, 61_100_840, 714_188_480),
        ),
        build=build,
    )
)
