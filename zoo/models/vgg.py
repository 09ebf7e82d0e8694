"""VGG with batch normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.registry import Family, Size, register
from zoo.structure import Structure, kept_halvings, strides

if TYPE_CHECKING:
    from zoo.layers import Network, Tensor

WIDTHS = (64, 128, 256, 512, 512)
WINDOW = 7


def build(image: Tensor, classes: int, structure: Structure, *, depths: tuple[int, int, int, int, int]) -> Network:
    """Five stages of `depths` 3×3 convolutions, each closed by a pool, then two hidden layers and the logits."""
    from zoo import layers

    assert structure.window is not None, "VGG's structure has a window"
    x, stride, features = image, 1, {}
    for stage, (width, depth, pool) in enumerate(zip(WIDTHS, depths, strides(structure, 5), strict=True), start=1):
        for number in range(1, depth + 1):
            x = layers.convolution_norm_relu(x, width, 3, bias=True, name=f"stage{stage}_conv{number}")
        features[f"stage{stage}"] = layers.Feature(x, stride)
        if pool == 2:
            x = layers.max_pool(x, 2, stride=2, name=f"stage{stage}_pool")
        stride *= pool
    return layers.Network(layers.dense_head(x, classes, window=structure.window), features)


def structure(size: Size, height: int, width: int) -> Structure:
    """The structure that suits images of so many pixels: the head sees the whole last map, of 7×7 pixels at most."""
    halvings = kept_halvings(min(height, width), size.halvings)
    return Structure(halvings, window=(min(WINDOW, height >> halvings), min(WINDOW, width >> halvings)))


FAMILY = register(
    Family(
        name="vgg",
        title="VGG with batch normalization",
        reference="Simonyan & Zisserman 2014, arXiv:1409.1556 (A, D, E), as torchvision's vgg11_bn, vgg16_bn, vgg19_bn",
        small_images="pools go, the first ones first, while the last map is under 4 pixels; the head spans what map "
        "is left",
        # Published: 7.609, 15.47 and 19.632 billion multiply-adds (torchvision's weights).
        sizes=(
            Size("small", ("vgg11",), {"depths": (1, 1, 2, 2, 2)}, 132_868_840, 7_609_090_048, smallest_side=32),
            Size("base", ("vgg16",), {"depths": (2, 2, 3, 3, 3)}, 138_365_992, 15_470_264_320, smallest_side=32),
            Size("large", ("vgg19",), {"depths": (2, 2, 4, 4, 4)}, 143_678_248, 19_632_062_464, smallest_side=32),
        ),
        build=build,
        structure=structure,
    )
)
