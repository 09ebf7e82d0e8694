"""EfficientNetV2."""

from __future__ import annotations

import math
from typing import Literal

from zoo.family import Family, Size
from zoo.inputs.image.settings import ImageSettings
from zoo.models.efficientnet.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule
from zoo.weights.names import TIMM_BLOCKS, Names
from zoo.weights.pretrained import APACHE, HALF, KERAS_TAG, KerasApplication, Published, PublishedInput, Tag, Triple

Stage = tuple[Literal["convolution", "fused", "inverted"], int, int, int, int]
"""A stage: the kind and number of its blocks, the stride of the first (2 halves the map), expansion, channels."""

Stages = tuple[Stage, ...]

# Table 4 of the paper, and the other sizes of its authors' code (automl/efficientnetv2, effnetv2_configs.py).
SMALL: Stages = (
    ("convolution", 2, 1, 1, 24),
    ("fused", 4, 2, 4, 48),
    ("fused", 4, 2, 4, 64),
    ("inverted", 6, 2, 4, 128),
    ("inverted", 9, 1, 6, 160),
    ("inverted", 15, 2, 6, 256),
)
MEDIUM: Stages = (
    ("convolution", 3, 1, 1, 24),
    ("fused", 5, 2, 4, 48),
    ("fused", 5, 2, 4, 80),
    ("inverted", 7, 2, 4, 160),
    ("inverted", 14, 1, 6, 176),
    ("inverted", 18, 2, 6, 304),
    ("inverted", 5, 1, 6, 512),
)
LARGE: Stages = (
    ("convolution", 4, 1, 1, 32),
    ("fused", 7, 2, 4, 64),
    ("fused", 7, 2, 4, 96),
    ("inverted", 10, 2, 4, 192),
    ("inverted", 19, 1, 6, 224),
    ("inverted", 25, 2, 6, 384),
    ("inverted", 7, 1, 6, 640),
)
B0: Stages = (
    ("convolution", 1, 1, 1, 16),
    ("fused", 2, 2, 4, 32),
    ("fused", 2, 2, 4, 48),
    ("inverted", 3, 2, 4, 96),
    ("inverted", 5, 1, 6, 112),
    ("inverted", 8, 2, 6, 192),
)


def _channels(channels: int, width: float) -> int:
    """Return the multiple of 8 that is nearest to `width` times `channels`."""
    return int(channels * width + 4) // 8 * 8


def _scaled(width: float, depth: float) -> Stages:
    """Return the stages of B0 with `width` times its channels and `depth` times its blocks."""
    return tuple(
        (block_kind, math.ceil(blocks * depth), halving, expansion, _channels(channels, width))
        for block_kind, blocks, halving, expansion, channels in B0
    )


def _fused(stage: int) -> Names:
    """Return Keras' names in a stage of blocks that widen by a 3×3 convolution; the blocks are lettered."""
    return {
        f"block{stage}{{b}}_expand_conv": f"stage{stage}_block{{b#}}_widen",
        f"block{stage}{{b}}_expand_bn": f"stage{stage}_block{{b#}}_norm1",
        f"block{stage}{{b}}_project_conv": f"stage{stage}_block{{b#}}_narrow",
        f"block{stage}{{b}}_project_bn": f"stage{stage}_block{{b#}}_norm2",
    }


KERAS_NAMES: Names = {
    "stem_conv": "stem",
    "stem_bn": "stem_norm",
    "top_conv": "head",
    "top_bn": "head_norm",
    "block1{b}_project_conv": "stage1_block{b#}_conv",
    "block1{b}_project_bn": "stage1_block{b#}_norm1",
    **_fused(2),
    **_fused(3),
    "block{s}{b}_expand_conv": "stage{s}_block{b#}_pointwise",
    "block{s}{b}_expand_bn": "stage{s}_block{b#}_norm1",
    "block{s}{b}_dwconv2": "stage{s}_block{b#}_depthwise",
    "block{s}{b}_bn": "stage{s}_block{b#}_norm2",
    "block{s}{b}_se_reduce": "stage{s}_block{b#}_squeeze",
    "block{s}{b}_se_expand": "stage{s}_block{b#}_excite",
    "block{s}{b}_project_conv": "stage{s}_block{b#}_narrow",
    "block{s}{b}_project_bn": "stage{s}_block{b#}_norm3",
    "predictions": "logits",
}

_MIDDLE: Triple = (128 / 255, 128 / 255, 128 / 255)


def _keras(model: str, published_input: PublishedInput) -> KerasApplication:
    """Return the network of keras.applications. Its weights are those of google/automl (efficientnetv2)."""
    return KerasApplication(model, KERAS_NAMES, (Tag(KERAS_TAG, APACHE, published_input),))


def _size(
    letter: str,
    name: str,
    parameters: int,
    multiply_adds: int,
    published_input: PublishedInput,
    keras_side: int,
    **options: object,
) -> Size:
    """Return the row of S, M or L, whose weights are from ImageNet-21k or -1k."""
    tags = (Tag("in21k_ft_in1k", APACHE, published_input), Tag("in1k", APACHE, published_input))
    # Its authors measured with their preprocessing.py, which squeezes images square for inputs of 320 pixels and more.
    squeezed = PublishedInput(
        keras_side, crop_pct=1.0, interpolation="bilinear", resize_mode="squash", mean=_MIDDLE, std=_MIDDLE
    )
    return Size(
        name,
        (f"efficientnetv2_{letter}", f"tf_efficientnetv2_{letter}"),
        options,
        parameters,
        multiply_adds,
        weights={
            "timm": Published(f"tf_efficientnetv2_{letter}", TIMM_BLOCKS, tags),
            "keras": _keras(f"EfficientNetV2{letter.upper()}", squeezed),
        },
    )


def _scaled_size(
    name: str,
    parameters: int,
    multiply_adds: int,
    measured: PublishedInput,
    *tags: Tag,
    width: float = 1.0,
    depth: float = 1.0,
    dropout: float,
) -> Size:
    """Return the row of B0 to B3; `measured` is the input at which its authors measured it.

    They prepared images as for EfficientNet of version 1 (google/automl, efficientnetv2/preprocess_legacy.py).
    """
    return Size(
        name,
        (f"efficientnetv2_{name}", f"tf_efficientnetv2_{name}"),
        {
            "stem": _channels(32, width),
            "stages": _scaled(width, depth),
            "last": _channels(1280, width),
            "dropout": dropout,
        },
        parameters,
        multiply_adds,
        weights={
            "timm": Published(f"tf_efficientnetv2_{name}", TIMM_BLOCKS, tags),
            "keras": _keras(f"EfficientNetV2{name.upper()}", measured),
        },
    )


_300 = PublishedInput(300, crop_pct=1.0, mean=HALF, std=HALF)
_384 = PublishedInput(384, crop_pct=1.0, resize_mode="squash", mean=HALF, std=HALF)

FAMILY = Family(
    name="efficientnet",
    title="EfficientNetV2",
    reference="Tan & Le 2021, arXiv:2104.00298 (B0 to B3, S, M, L), with TensorFlow's padding, as timm's "
    "tf_efficientnetv2_b0 to tf_efficientnetv2_b3, tf_efficientnetv2_s, tf_efficientnetv2_m, tf_efficientnetv2_l",
    builder=f"{__name__}.network",
    figures="small at 384 pixels, base and large at 480: torchvision's weights of efficientnet_v2_s, _m, _l; b0 at 224 "
    "pixels, b1 at 240, b2 at 260, b3 at 300: README of google/automl, efficientnetv2",
    # After the paper: little weight decay, because depthwise convolutions tolerate no more.
    recipe=Recipe(
        epochs=60,
        label_smoothing=0.1,
        optimizer=Optimizer(name="adamw", lr=2e-3, weight_decay=2e-2, clip_norm=1.0),
        schedule=Schedule(warmup_epochs=3),
        input=ImageSettings(shift=0.1),
    ),
    recipes=RECIPES,
    sizes=(
        _scaled_size(
            "b0",
            7_139_704,
            718_086_176,
            PublishedInput(224, crop_pct=0.875),
            Tag("in1k", APACHE, PublishedInput(192, crop_pct=0.875)),
            dropout=0.2,
        ),
        _scaled_size(
            "b1",
            8_141_052,
            1_015_859_232,
            PublishedInput(240, crop_pct=0.882),
            Tag("in1k", APACHE, PublishedInput(192, crop_pct=0.882)),
            depth=1.1,
            dropout=0.2,
        ),
        _scaled_size(
            "b2",
            10_096_086,
            1_168_830_832,
            PublishedInput(260, crop_pct=0.89),
            Tag("in1k", APACHE, PublishedInput(208, crop_pct=0.89)),
            width=1.1,
            depth=1.2,
            dropout=0.3,
        ),
        _scaled_size(
            "b3",
            14_358_406,
            1_609_978_624,
            PublishedInput(300, crop_pct=0.904),
            Tag("in21k_ft_in1k", APACHE, PublishedInput(240, crop_pct=0.9, resize_mode="squash", mean=HALF, std=HALF)),
            Tag("in1k", APACHE, PublishedInput(240, crop_pct=0.904)),
            width=1.2,
            depth=1.4,
            dropout=0.3,
        ),
        _size("s", "small", 21_458_488, 2_849_895_872, _300, 384, stem=24, stages=SMALL, last=1280, dropout=0.2),
        _size("m", "base", 54_139_356, 5_362_207_200, _384, 480, stem=24, stages=MEDIUM, last=1280, dropout=0.3),
        _size("l", "large", 118_515_272, 12_231_188_544, _384, 480, stem=32, stages=LARGE, last=1280, dropout=0.4),
    ),
)
