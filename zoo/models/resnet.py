"""Residual networks, version 1.5: the stride of a bottleneck sits in its 3×3 convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from zoo.registry import Family, Size, register
from zoo.structure import Structure, strides

if TYPE_CHECKING:
    from zoo.layers import Network, Tensor

WIDTHS = (64, 128, 256, 512)


def build(
    image: Tensor,
    classes: int,
    structure: Structure,
    *,
    block: Literal["basic", "bottleneck"],
    depths: tuple[int, int, int, int],
) -> Network:
    """A stem, four stages of `depths` residual blocks, an average and the logits."""
    import keras

    from zoo import layers

    stem, pool, *stages = strides(structure, 5)
    x = layers.convolution_norm_relu(image, 64, 7 if stem == 2 else 3, stride=stem, name="stem")
    features = {"stem": layers.Feature(x, stem)}
    stride = stem * pool
    if pool == 2:
        x = layers.max_pool(x, 3, stride=2, padding=1, name="stem_pool")
    residual_block = {"basic": _basic, "bottleneck": _bottleneck}[block]
    for stage, (width, depth, first) in enumerate(zip(WIDTHS, depths, (1, *stages), strict=True), start=1):
        for number in range(1, depth + 1):
            x = residual_block(x, width, stride=first if number == 1 else 1, name=f"stage{stage}_block{number}")
        stride *= first
        features[f"stage{stage}"] = layers.Feature(x, stride)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Network(layers.logits(x, classes), features)


def _basic(x: Tensor, width: int, *, stride: int, name: str) -> Tensor:
    from zoo import layers

    y = layers.convolution_norm_relu(x, width, 3, stride=stride, name=f"{name}_conv1")
    y = layers.convolution(y, width, 3, name=f"{name}_conv2")
    return _join(x, y, width, stride=stride, last=f"{name}_conv2", name=name)


def _bottleneck(x: Tensor, width: int, *, stride: int, name: str) -> Tensor:
    from zoo import layers

    y = layers.convolution_norm_relu(x, width, 1, name=f"{name}_conv1")
    y = layers.convolution_norm_relu(y, width, 3, stride=stride, name=f"{name}_conv2")
    y = layers.convolution(y, 4 * width, 1, name=f"{name}_conv3")
    return _join(x, y, 4 * width, stride=stride, last=f"{name}_conv3", name=name)


def _join(x: Tensor, y: Tensor, width: int, *, stride: int, last: str, name: str) -> Tensor:
    """Normalize the branch, project the shortcut where its shape differs, add, ReLU."""
    import keras

    from zoo import layers

    y = layers.batch_norm(y, name=f"{last}_norm")
    if stride > 1 or x.shape[-1] != width:
        x = layers.convolution(x, width, 1, stride=stride, name=f"{name}_shortcut")
        x = layers.batch_norm(x, name=f"{name}_shortcut_norm")
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=f"{name}_add")([x, y]))


FAMILY = register(
    Family(
        name="resnet",
        title="ResNet v1.5",
        reference="He et al. 2015, arXiv:1512.03385, with the stride as in torchvision's resnet18, resnet50, resnet101",
        small_images="halvings go, the first ones first, while the last map is under 4 pixels: at 32 pixels a 3×3 "
        "stem and no pool",
        # Published: 1.814, 4.089 and 7.801 billion multiply-adds (torchvision's weights).
        sizes=(
            Size("small", ("resnet18",), {"block": "basic", "depths": (2, 2, 2, 2)}, 11_689_512, 1_814_073_344),
            Size("base", ("resnet50",), {"block": "bottleneck", "depths": (3, 4, 6, 3)}, 25_557_032, 4_089_184_256),
            Size("large", ("resnet101",), {"block": "bottleneck", "depths": (3, 4, 23, 3)}, 44_549_160, 7_801_405_440),
        ),
        build=build,
    )
)
