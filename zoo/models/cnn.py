"""Plain convolutional networks: two that train in a minute, and AlexNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.registry import Family, Size, register, suited
from zoo.structure import Structure, strides

if TYPE_CHECKING:
    from zoo.layers import Network, Tensor


WINDOW = 6


def build(image: Tensor, classes: int, structure: Structure, *, alexnet: bool = False, hidden: int = 0) -> Network:
    """AlexNet, or two convolutions with `hidden` units before the logits (none when 0)."""
    if alexnet:
        return _alexnet(image, classes, structure)
    return _two_convolutions(image, classes, structure, hidden)


def _two_convolutions(image: Tensor, classes: int, structure: Structure, hidden: int) -> Network:
    import keras

    from zoo import layers

    x, stride, features = image, 1, {}
    for number, (filters, pool) in enumerate(zip((32, 64), strides(structure, 2), strict=True), start=1):
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


def _alexnet(image: Tensor, classes: int, structure: Structure) -> Network:
    import keras

    from zoo import layers

    assert structure.window is not None, "AlexNet's structure has a window"
    # The stem's stride of 4 counts as two halvings; a kernel goes with each stride that may be left of it.
    first, second, *pools = strides(structure, 5)
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
    return layers.Network(layers.dense_head(x, classes, window=structure.window), features)


def structure(size: Size, height: int, width: int) -> Structure:
    """The structure that suits images of so many pixels: AlexNet's head sees the last map, of 6×6 pixels at most."""
    suiting = suited(size, height, width)
    if not size.options.get("alexnet"):
        return suiting
    rows, columns = (_last_map(side, suiting) for side in (height, width))
    return Structure(suiting.halvings, window=(min(WINDOW, rows), min(WINDOW, columns)))


def _last_map(side: int, structure: Structure) -> int:
    """The side of AlexNet's last map, in pixels, of an image of `side` pixels."""
    first, second, *pools = strides(structure, 5)
    side = {4: (side - 7) // 4 + 1, 2: -(-side // 2), 1: side}[first * second]
    for pool in pools:
        side = (side - 3) // 2 + 1 if pool == 2 else side
    return side


FAMILY = register(
    Family(
        name="cnn",
        title="Plain CNN and AlexNet",
        reference="LeCun et al. 1998 (small, base); Krizhevsky 2014, arXiv:1404.5997, as torchvision's alexnet (large)",
        small_images="pools (and the strides of AlexNet's stem) go, the first ones first, while the last map is "
        "under 4 pixels",
        # Published: 0.714 billion multiply-adds of AlexNet (torchvision's weights of alexnet); of the others nothing.
        sizes=(
            Size("small", (), {}, 50_186, 3_869_824, (28, 28, 1), 10, halvings=2),
            Size("base", (), {"hidden": 128}, 421_642, 4_241_152, (28, 28, 1), 10, halvings=2),
            Size("large", ("alexnet",), {"alexnet": True}, 61_100_840, 714_188_480, smallest_side=63),
        ),
        build=build,
        structure=structure,
    )
)
