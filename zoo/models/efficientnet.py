"""EfficientNetV2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from zoo.registry import Family, Size, register
from zoo.structure import Structure, strides

if TYPE_CHECKING:
    from zoo.layers import Network, Tensor

Stage = tuple[Literal["plain", "fused", "separable"], int, int, int, int]
"""Kind of block, how many, whether the first one halves (2) or not (1), expansion, channels."""

# Table 4 of the paper, and the larger two of its authors' code (automl/efficientnetv2, effnetv2_configs.py).
SMALL: tuple[Stage, ...] = (
    ("plain", 2, 1, 1, 24),
    ("fused", 4, 2, 4, 48),
    ("fused", 4, 2, 4, 64),
    ("separable", 6, 2, 4, 128),
    ("separable", 9, 1, 6, 160),
    ("separable", 15, 2, 6, 256),
)
MEDIUM: tuple[Stage, ...] = (
    ("plain", 3, 1, 1, 24),
    ("fused", 5, 2, 4, 48),
    ("fused", 5, 2, 4, 80),
    ("separable", 7, 2, 4, 160),
    ("separable", 14, 1, 6, 176),
    ("separable", 18, 2, 6, 304),
    ("separable", 5, 1, 6, 512),
)
LARGE: tuple[Stage, ...] = (
    ("plain", 4, 1, 1, 32),
    ("fused", 7, 2, 4, 64),
    ("fused", 7, 2, 4, 96),
    ("separable", 10, 2, 4, 192),
    ("separable", 19, 1, 6, 224),
    ("separable", 25, 2, 6, 384),
    ("separable", 7, 1, 6, 640),
)
LAST = 1280
DROP = 0.2
EPSILON = 1e-3


def build(image: Tensor, classes: int, structure: Structure, *, stages: tuple[Stage, ...], dropout: float) -> Network:
    """A stem, stages of blocks, a layer of 1280 channels, an average and the logits."""
    import keras

    from zoo import layers

    stem, *halvings = strides(structure, 5)
    x = _convolution(image, stages[0][-1], 3, stride=stem, name="stem", norm="stem_norm")
    stride, features = stem, {"stem": layers.Feature(x, stem)}
    dropped = iter(layers.drops(DROP, sum(blocks for _, blocks, *_ in stages)))
    for stage, (kind, blocks, halving, expansion, channels) in enumerate(stages, start=1):
        first = halvings.pop(0) if halving == 2 else 1
        for number in range(1, blocks + 1):
            step, name = first if number == 1 else 1, f"stage{stage}_block{number}"
            y = _BRANCHES[kind](x, channels, step, expansion, name=name)
            drop = next(dropped)
            x = layers.residual(x, y, drop=drop, name=name) if step == 1 and x.shape[-1] == channels else y
        stride *= first
        features[f"stage{stage}"] = layers.Feature(x, stride)
    x = _convolution(x, LAST, 1, name="head", norm="head_norm")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return layers.Network(layers.logits(x, classes), features)


def _convolution(
    x: Tensor,
    filters: int,
    kernel: int,
    *,
    stride: int = 1,
    act: bool = True,
    scale: float = 1.0,
    name: str,
    norm: str,
) -> Tensor:
    """Convolution as TensorFlow pads it, batch normalization and, with `act`, SiLU."""
    from zoo import layers

    x = layers.convolution(x, filters, kernel, stride=stride, padding="tensorflow", name=name)
    x = layers.batch_norm(x, epsilon=EPSILON, scale=scale, name=norm)
    return layers.activation(x, "silu", name=f"{name}_silu") if act else x


def _plain(x: Tensor, channels: int, stride: int, expansion: int, *, name: str) -> Tensor:
    """One convolution; nothing is widened."""
    scale = _first_scale(x, channels, stride)
    return _convolution(x, channels, 3, stride=stride, scale=scale, name=f"{name}_conv", norm=f"{name}_norm1")


def _fused(x: Tensor, channels: int, stride: int, expansion: int, *, name: str) -> Tensor:
    """Widen by a 3×3 convolution, narrow."""
    wide = expansion * x.shape[-1]
    y = _convolution(x, wide, 3, stride=stride, name=f"{name}_widen", norm=f"{name}_norm1")
    scale = _first_scale(x, channels, stride)
    return _convolution(y, channels, 1, act=False, scale=scale, name=f"{name}_narrow", norm=f"{name}_norm2")


def _separable(x: Tensor, channels: int, stride: int, expansion: int, *, name: str) -> Tensor:
    """Widen, convolve each channel, excite, narrow; squeezed to a quarter of the channels that come in."""
    from zoo import layers

    y = _convolution(x, expansion * x.shape[-1], 1, name=f"{name}_pointwise", norm=f"{name}_norm1")
    y = layers.depthwise(y, 3, stride=stride, padding="tensorflow", name=f"{name}_depthwise")
    y = layers.batch_norm(y, epsilon=EPSILON, name=f"{name}_norm2")
    y = layers.activation(y, "silu", name=f"{name}_depthwise_silu")
    y = layers.squeeze_excite(y, x.shape[-1] // 4, act="silu", gate="sigmoid", name=name)
    scale = _first_scale(x, channels, stride)
    return _convolution(y, channels, 1, act=False, scale=scale, name=f"{name}_narrow", norm=f"{name}_norm3")


def _first_scale(x: Tensor, channels: int, stride: int) -> float:
    """0 where the branch has a shortcut, which is then all that a fresh block gives (Goyal et al. 2017, section 5.1).

    Otherwise an untrained network's logits are of the order of 1e6 and decided by rounding.
    """
    return 0.0 if stride == 1 and x.shape[-1] == channels else 1.0


_BRANCHES = {"plain": _plain, "fused": _fused, "separable": _separable}

FAMILY = register(
    Family(
        name="efficientnet",
        title="EfficientNetV2",
        reference="Tan & Le 2021, arXiv:2104.00298 (S, M, L), with TensorFlow's padding, as timm's "
        "tf_efficientnetv2_s, tf_efficientnetv2_m, tf_efficientnetv2_l",
        small_images="halvings go, the first ones first, while the last map is under 4 pixels",
        # Published: 8.366 billion multiply-adds at 384 pixels, 24.582 and 56.080 at 480 (torchvision's weights of
        # efficientnet_v2_s, efficientnet_v2_m, efficientnet_v2_l); these are the same count at 224.
        sizes=(
            Size(
                "small",
                ("efficientnetv2_s", "tf_efficientnetv2_s"),
                {"stages": SMALL, "dropout": 0.2},
                21_458_488,
                2_849_895_872,
            ),
            Size(
                "base",
                ("efficientnetv2_m", "tf_efficientnetv2_m"),
                {"stages": MEDIUM, "dropout": 0.3},
                54_139_356,
                5_362_207_200,
            ),
            Size(
                "large",
                ("efficientnetv2_l", "tf_efficientnetv2_l"),
                {"stages": LARGE, "dropout": 0.4},
                118_515_272,
                12_231_188_544,
            ),
        ),
        build=build,
    )
)
