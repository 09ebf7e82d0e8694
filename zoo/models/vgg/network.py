"""The builder of VGG."""

from __future__ import annotations

from zoo import blocks, layers
from zoo.layers import Outputs, Tensor
from zoo.structure import Structure, strides

WIDTHS = (64, 128, 256, 512, 512)


def build(
    image: Tensor, classes: int, structure: Structure, *, convolutions: tuple[int, int, int, int, int]
) -> Outputs:
    """Build five stages of `convolutions`, each with a pool at its end, two hidden layers and the logits."""
    assert structure.window is not None, "VGG's structure has a window"
    x, stride, maps = image, 1, {}
    for stage, (width, count, pool) in enumerate(
        zip(WIDTHS, convolutions, strides(structure, 5), strict=True), start=1
    ):
        for number in range(1, count + 1):
            x = blocks.convolution_norm_relu(x, width, 3, bias=True, name=f"stage{stage}_conv{number}")
        maps[f"stage{stage}"] = layers.FeatureMap(x, stride)
        if pool == 2:
            x = layers.max_pool(x, 2, stride=2, name=f"stage{stage}_pool")
        stride *= pool
    return Outputs(blocks.dense_head(x, classes, window=structure.window, drop="after"), maps)
