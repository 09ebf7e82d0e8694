"""ConvNeXt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.registry import Family, Size, register
from zoo.structure import Structure, strides

if TYPE_CHECKING:
    from zoo.layers import Network, Tensor

DEPTHS = (3, 3, 27, 3)


def build(
    image: Tensor, classes: int, structure: Structure, *, widths: tuple[int, int, int, int], drop: float
) -> Network:
    """A stem of patches, four stages of blocks with a 7×7 depthwise convolution, an average, a norm and the logits."""
    import keras

    from zoo import layers

    first, second, *stages = strides(structure, 5)
    stride = first * second
    # Patches of one pixel would see no neighbors; there the stem is an ordinary convolution.
    if stride == 1:
        x = layers.convolution(image, widths[0], 3, bias=True, name="stem")
    else:
        x = layers.convolution(image, widths[0], stride, stride=stride, bias=True, padding="none", name="stem")
    x = layers.LayerNormalization(name="stem_norm")(x)
    features, dropped = {}, iter(layers.drops(drop, sum(DEPTHS)))
    for stage, (width, depth, halving) in enumerate(zip(widths, DEPTHS, (1, *stages), strict=True), start=1):
        if stage > 1:
            x = layers.LayerNormalization(name=f"stage{stage}_downsample_norm")(x)
            x = layers.convolution(
                x, width, halving, stride=halving, bias=True, padding="none", name=f"stage{stage}_downsample"
            )
        for number in range(1, depth + 1):
            x = _block(x, drop=next(dropped), name=f"stage{stage}_block{number}")
        stride *= halving
        features[f"stage{stage}"] = layers.Feature(x, stride)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.LayerNormalization(name="head_norm")(x)
    return layers.Network(layers.logits(x, classes), features)


def _block(x: Tensor, *, drop: float, name: str) -> Tensor:
    from zoo import layers

    width = x.shape[-1]
    y = layers.depthwise(x, 7, bias=True, name=f"{name}_depthwise")
    y = layers.LayerNormalization(name=f"{name}_norm")(y)
    # Dense layers over the channels as convolutions: onnxruntime 1.31 keeps the residual in its own layout and fuses it
    # into them. 0.9 of the latency of products.
    y = layers.convolution(y, 4 * width, 1, bias=True, name=f"{name}_widen")
    y = layers.activation(y, "gelu", name=f"{name}_gelu")
    y = layers.convolution(y, width, 1, bias=True, name=f"{name}_narrow")
    y = layers.Scale(name=f"{name}_scale")(y)
    return layers.residual(x, y, drop=drop, name=name)


FAMILY = register(
    Family(
        name="convnext",
        title="ConvNeXt",
        reference="Liu et al. 2022, arXiv:2201.03545, as timm's convnext_small, convnext_base, convnext_large",
        small_images="halvings go, the first ones first, while the last map is under 4 pixels: at 64 the stem has "
        "patches of 2 pixels, at 32 it is a 3×3 convolution",
        # Published: 8.684, 15.355 and 34.361 billion multiply-adds (torchvision's weights).
        sizes=(
            Size(
                "small",
                ("convnext_small",),
                {"widths": (96, 192, 384, 768), "drop": 0.4},
                50_223_688,
                8_683_712_256,
                smallest_side=32,
            ),
            Size(
                "base",
                ("convnext_base",),
                {"widths": (128, 256, 512, 1024), "drop": 0.5},
                88_591_464,
                15_354_729_472,
                smallest_side=32,
            ),
            Size(
                "large",
                ("convnext_large",),
                {"widths": (192, 384, 768, 1536), "drop": 0.5},
                197_767_336,
                34_361_433_600,
                smallest_side=32,
            ),
        ),
        build=build,
    )
)
