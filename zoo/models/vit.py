"""Vision transformers with patches of 16 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.registry import Family, Size, register

if TYPE_CHECKING:
    from zoo.layers import Network, Tensor

PATCHES = (16, 8, 4, 2)
FEWEST_PATCHES = 4
"""The shortest side, in patches, that a picture keeps."""


def build(image: Tensor, classes: int, *, width: int, depth: int, heads: int, drop: float) -> Network:
    """Patches with positions, `depth` blocks of attention and of two dense layers, the logits from the class token."""
    import keras

    from zoo import layers

    patch = patch_size(min(image.shape[1:3]))
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
    # The token alone is normalised: nothing else is read.
    x = keras.layers.Cropping1D((0, rows * columns), name="token")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.LayerNormalization(name="norm")(x)
    return layers.Network(layers.logits(x, classes), features)


def patch_size(side: int) -> int:
    """16, or less where the shorter side would have fewer than 4 patches; what is over at the end is cut."""
    return next((patch for patch in PATCHES if side // patch >= FEWEST_PATCHES), PATCHES[-1])


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
            ),
            Size(
                "base",
                ("vit_base_patch16_224",),
                {"width": 768, "depth": 12, "heads": 12, "drop": 0.1},
                86_567_656,
                17_563_828_224,
            ),
            Size(
                "large",
                ("vit_large_patch16_224",),
                {"width": 1024, "depth": 24, "heads": 16, "drop": 0.1},
                304_326_632,
                61_554_712_576,
            ),
        ),
        build=build,
    )
)
