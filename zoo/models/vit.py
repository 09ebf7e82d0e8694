"""Vision transformers with patches of 16 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.registry import Family, Size, register
from zoo.structure import SMALLEST_MAP, Structure

if TYPE_CHECKING:
    from zoo.layers import Network, Tensor

HALVINGS = 4
"""Patches of 16 pixels."""


def build(
    image: Tensor, classes: int, structure: Structure, *, width: int, depth: int, heads: int, drop: float
) -> Network:
    """Patches with positions, `depth` blocks of attention and of two dense layers, the logits from the class token."""
    import keras

    from zoo import layers

    patch = 2**structure.halvings
    x = keras.layers.Conv2D(width, patch, strides=patch, kernel_initializer="lecun_normal", name="patches")(image)
    rows, columns = x.shape[1:3]
    x = layers.Tokens(name="tokens")(x)
    features = {}
    for number, dropped in enumerate(layers.drops(drop, depth), start=1):
        x = _block(x, heads, drop=dropped, name=f"block{number}")
        if number % (depth // 4) == 0:
            y = keras.layers.Cropping1D((1, 0), name=f"block{number}_patches")(x)
            y = keras.layers.Reshape((rows, columns, width), name=f"block{number}_map")(y)
            features[f"block{number}"] = layers.Feature(y, patch)
    # The token alone is normalized: nothing else is read.
    x = keras.layers.Cropping1D((0, rows * columns), name="token")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.LayerNormalization(name="norm")(x)
    return layers.Network(layers.logits(x, classes), features)


def structure(size: Size, height: int, width: int) -> Structure:
    """Patches of 16 pixels, or smaller ones where the shorter side would have fewer than 4; a rest at the end is cut.

    The patches are no smaller than 2 pixels.
    """
    side, halvings = min(height, width), size.halvings
    while halvings > 1 and side >> halvings < SMALLEST_MAP:
        halvings -= 1
    return Structure(halvings)


def _block(x: Tensor, heads: int, *, drop: float, name: str) -> Tensor:
    from zoo import layers

    width = x.shape[-1]
    y = layers.LayerNormalization(name=f"{name}_norm1")(x)
    y = layers.Dense(3 * width, name=f"{name}_queries_keys_values")(y)
    y = layers.Attention(heads, name=f"{name}_attention")(y)
    y = layers.Dense(width, name=f"{name}_attended")(y)
    x = layers.residual(x, y, drop=drop, name=f"{name}_attention")
    y = layers.LayerNormalization(name=f"{name}_norm2")(x)
    y = layers.Dense(4 * width, name=f"{name}_widen")(y)
    y = layers.activation(y, "gelu", name=f"{name}_gelu")
    y = layers.Dense(width, name=f"{name}_narrow")(y)
    return layers.residual(x, y, drop=drop, name=name)


FAMILY = register(
    Family(
        name="vit",
        title="ViT, patch 16",
        reference="Dosovitskiy et al. 2020, arXiv:2010.11929, as timm's vit_small_patch16_224, vit_base_patch16_224, "
        "vit_large_patch16_224; stochastic depth of Steiner et al. 2021, arXiv:2106.10270",
        small_images="patches of 16 pixels; of 8, 4 or 2 where the shorter side would have fewer than 4 of them",
        # Published, with attention's own products: 4.61 billion multiply-adds (timm's results/
        # benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv; files that say 4.25 leave them out), 17.564 and 61.555
        # (torchvision's weights of vit_b_16 and vit_l_16).
        sizes=(
            Size(
                "small",
                ("vit_small_patch16_224",),
                {"width": 384, "depth": 12, "heads": 6, "drop": 0.1},
                22_050_664,
                4_598_882_304,
                halvings=HALVINGS,
                smallest_side=16,
            ),
            Size(
                "base",
                ("vit_base_patch16_224",),
                {"width": 768, "depth": 12, "heads": 12, "drop": 0.1},
                86_567_656,
                17_563_828_224,
                halvings=HALVINGS,
                smallest_side=16,
            ),
            Size(
                "large",
                ("vit_large_patch16_224",),
                {"width": 1024, "depth": 24, "heads": 16, "drop": 0.1},
                304_326_632,
                61_554_712_576,
                halvings=HALVINGS,
                smallest_side=16,
            ),
        ),
        build=build,
        structure=structure,
    )
)
