"""The builder of vision transformers."""

from __future__ import annotations

import keras

from zoo import blocks, layers
from zoo.layers import Outputs, Tensor
from zoo.structure import Structure


def build(
    image: Tensor, classes: int, structure: Structure, *, width: int, depth: int, heads: int, drop_path_rate: float
) -> Outputs:
    """Build patches with positions, `depth` blocks of attention and two dense layers, logits from the class token."""
    patch = 2**structure.halvings
    width, heads = layers.width_and_heads("patches", width, heads)
    x = keras.layers.Conv2D(width, patch, strides=patch, kernel_initializer="lecun_normal", name="patches")(image)
    rows, columns = x.shape[1:3]
    x = layers.Tokens(name="tokens")(x)
    maps = {}
    for number, rate in enumerate(blocks.drop_path_rates(drop_path_rate, depth), start=1):
        x = blocks.attention_block(x, heads, drop_path_rate=rate, name=f"block{number}")
        if number % (depth // 4) == 0:
            y = keras.layers.Cropping1D((1, 0), name=f"block{number}_patches")(x)
            y = keras.layers.Reshape((rows, columns, width), name=f"block{number}_map")(y)
            maps[f"block{number}"] = layers.FeatureMap(y, patch)
    # Only the class token is normalized, as nothing else is read.
    x = keras.layers.Cropping1D((0, rows * columns), name="token")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.LayerNormalization(name="norm")(x)
    return Outputs(layers.logits(x, classes), maps)
