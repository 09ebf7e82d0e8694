"""ConvNeXt."""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.inputs.image.settings import ImageSettings
from zoo.models.convnext.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule
from zoo.weights.pretrained import APACHE, KerasApplication, Published, PublishedInput, Tag

TIMM_NAMES = {
    "stem.0": "stem",
    "stem.1": "stem_norm",
    "stages.{s}.downsample.0": "stage{s+1}_downsample_norm",
    "stages.{s}.downsample.1": "stage{s+1}_downsample",
    "stages.{s}.blocks.{b}.conv_dw": "stage{s+1}_block{b+1}_depthwise",
    "stages.{s}.blocks.{b}.norm": "stage{s+1}_block{b+1}_norm",
    "stages.{s}.blocks.{b}.mlp.fc1": "stage{s+1}_block{b+1}_widen",
    "stages.{s}.blocks.{b}.mlp.fc2": "stage{s+1}_block{b+1}_narrow",
    "stages.{s}.blocks.{b}.gamma": "stage{s+1}_block{b+1}_scale/gamma",
    "head.norm": "head_norm",
    "head.fc": "logits",
}

KERAS_NAMES = {
    "convnext_{w}_stem_conv": "stem",
    "convnext_{w}_stem_layernorm": "stem_norm",
    # Number 0 of these leads to the second stage, which Keras calls stage_1.
    **{f"convnext_{{w}}_downsampling_layernorm_{n}": f"stage{n + 2}_downsample_norm" for n in range(3)},
    **{f"convnext_{{w}}_downsampling_conv_{n}": f"stage{n + 2}_downsample" for n in range(3)},
    "convnext_{w}_stage_{s}_block_{b}_depthwise_conv": "stage{s+1}_block{b+1}_depthwise",
    "convnext_{w}_stage_{s}_block_{b}_layernorm": "stage{s+1}_block{b+1}_norm",
    "convnext_{w}_stage_{s}_block_{b}_pointwise_conv_1": "stage{s+1}_block{b+1}_widen",
    "convnext_{w}_stage_{s}_block_{b}_pointwise_conv_2": "stage{s+1}_block{b+1}_narrow",
    "convnext_{w}_stage_{s}_block_{b}_layer_scale": "stage{s+1}_block{b+1}_scale",
    "convnext_{w}_head_layernorm": "head_norm",
    "convnext_{w}_head_dense": "logits",
}

_224, _224_TIGHT = PublishedInput(224), PublishedInput(224, crop_pct=0.95)
_384 = PublishedInput(384, crop_pct=1.0, resize_mode="squash")
_CLIP = PublishedInput(
    256, crop_pct=1.0, mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)
)


def _size(
    name: str,
    parameters: int,
    multiply_adds: int,
    *tags: Tag,
    blocks: tuple[int, int, int, int] = (3, 3, 27, 3),
    widths: tuple[int, int, int, int],
    drop_path_rate: float,
) -> Size:
    model = f"convnext_{name}"
    return Size(
        name,
        (model,),
        {"blocks": blocks, "widths": widths, "drop_path_rate": drop_path_rate},
        parameters,
        multiply_adds,
        smallest_side=32,
        weights={
            "timm": Published(model, TIMM_NAMES, tags),
            # Without a tag, as sources differ on the license: the README of facebookresearch/ConvNeXt, whose weights
            # they are, says MIT, and timm says Apache-2.0 of the same.
            "keras": KerasApplication(f"ConvNeXt{name.title()}", KERAS_NAMES),
        },
    )


FAMILY = Family(
    name="convnext",
    title="ConvNeXt",
    reference="Liu et al. 2022, arXiv:2201.03545, as timm's convnext_tiny, convnext_small, convnext_base, "
    "convnext_large",
    builder=f"{__name__}.network",
    figures="torchvision's weights",
    small_images="halvings are left out, from the first on, while the last map is under 4 pixels: at 64 the stem has "
    "patches of 2 pixels, at 32 it is a 3×3 convolution",
    # After the paper: AdamW, weight decay 0.05, a slow start, clipped gradients.
    recipe=Recipe(
        epochs=100,
        label_smoothing=0.1,
        optimizer=Optimizer(name="adamw", lr=5e-4, weight_decay=5e-2, clip_norm=1.0),
        schedule=Schedule(warmup_epochs=5),
        input=ImageSettings(shift=0.1),
    ),
    recipes=RECIPES,
    sizes=(
        _size(
            "tiny",
            28_589_128,
            4_455_531_264,
            Tag("in12k_ft_in1k", APACHE, _224_TIGHT),
            Tag("fb_in22k_ft_in1k", APACHE, _224),
            Tag("fb_in1k", APACHE, _224),
            Tag("fb_in22k_ft_in1k_384", APACHE, _384),
            blocks=(3, 3, 9, 3),
            widths=(96, 192, 384, 768),
            drop_path_rate=0.1,
        ),
        _size(
            "small",
            50_223_688,
            8_683_712_256,
            Tag("in12k_ft_in1k", APACHE, _224_TIGHT),
            Tag("fb_in22k_ft_in1k", APACHE, _224),
            Tag("fb_in1k", APACHE, _224),
            Tag("fb_in22k_ft_in1k_384", APACHE, _384),
            widths=(96, 192, 384, 768),
            drop_path_rate=0.4,
        ),
        _size(
            "base",
            88_591_464,
            15_354_729_472,
            Tag("fb_in22k_ft_in1k", APACHE, _224),
            Tag("fb_in1k", APACHE, _224),
            Tag("fb_in22k_ft_in1k_384", APACHE, _384),
            Tag("clip_laion2b_augreg_ft_in12k_in1k", APACHE, _CLIP),
            widths=(128, 256, 512, 1024),
            drop_path_rate=0.5,
        ),
        _size(
            "large",
            197_767_336,
            34_361_433_600,
            Tag("fb_in22k_ft_in1k", APACHE, _224),
            Tag("fb_in1k", APACHE, _224),
            Tag("fb_in22k_ft_in1k_384", APACHE, _384),
            widths=(192, 384, 768, 1536),
            drop_path_rate=0.5,
        ),
    ),
)
