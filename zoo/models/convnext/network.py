"""The builder of ConvNeXt."""

from __future__ import annotations

import keras

from zoo import layers
from zoo.blocks import drop_path_rates, residual
from zoo.layers import Outputs, Tensor
from zoo.structure import Structure, strides


def build(
    image: Tensor,
    classes: int,
    structure: Structure,
    *,
    blocks: tuple[int, int, int, int],
    widths: tuple[int, int, int, int],
    drop_path_rate: float,
) -> Outputs:
    """Build a stem of patches, four stages of 7×7 depthwise blocks, an average, a norm and the logits."""
    first, second, *stages = strides(structure, 5)
    stride = first * second
    # Patches of one pixel would see no neighbors; there the stem is an ordinary convolution.
    if stride == 1:
        x = layers.convolution(image, widths[0], 3, bias=True, name="stem")
    else:
        x = layers.convolution(image, widths[0], stride, stride=stride, bias=True, padding="none", name="stem")
    x = layers.LayerNormalization(name="stem_norm")(x)
    maps, rates = {}, iter(drop_path_rates(drop_path_rate, sum(blocks)))
    for stage, (width, count, halving) in enumerate(zip(widths, blocks, (1, *stages), strict=True), start=1):
        if stage > 1:
            x = layers.LayerNormalization(name=f"stage{stage}_downsample_norm")(x)
            x = layers.convolution(
                x, width, halving, stride=halving, bias=True, padding="none", name=f"stage{stage}_downsample"
            )
        for number in range(1, count + 1):
            x = _block(x, width, drop_path_rate=next(rates), name=f"stage{stage}_block{number}")
        stride *= halving
        maps[f"stage{stage}"] = layers.FeatureMap(x, stride)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.LayerNormalization(name="head_norm")(x)
    return Outputs(layers.logits(x, classes), maps)


def _block(x: Tensor, width: int, *, drop_path_rate: float, name: str) -> Tensor:
    y = layers.depthwise(x, 7, bias=True, name=f"{name}_depthwise")
    y = layers.LayerNormalization(name=f"{name}_norm")(y)
    # 1×1 convolutions rather than dense layers: onnxruntime 1.31 keeps their maps in its own layout and fuses the
    # residual addition into them, which takes 0.9 of the latency.
    y = layers.convolution(y, 4 * width, 1, bias=True, name=f"{name}_widen")
    y = layers.activation(y, "gelu", name=f"{name}_gelu")
    y = layers.convolution(y, width, 1, bias=True, name=f"{name}_narrow")
    y = layers.Scale(name=f"{name}_scale")(y)
    return residual(x, y, drop_path_rate=drop_path_rate, name=name)
