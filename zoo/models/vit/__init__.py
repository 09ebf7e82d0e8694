"""Vision transformers with patches of 16 pixels."""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.inputs.image.settings import ImageSettings
from zoo.models.vit.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule
from zoo.structure import SMALLEST_MAP, Structure
from zoo.weights.pretrained import APACHE, HALF, Published, PublishedInput, Tag

HALVINGS = 4
"""Patches of 16 pixels."""

TIMM_NAMES = {
    "cls_token": "tokens/token",
    "pos_embed": "tokens/positions",
    "patch_embed.proj": "patches",
    "blocks.{b}.norm{n}": "block{b+1}_norm{n}",
    "blocks.{b}.attn.qkv": "block{b+1}_queries_keys_values",
    "blocks.{b}.attn.proj": "block{b+1}_attended",
    "blocks.{b}.mlp.fc1": "block{b+1}_widen",
    "blocks.{b}.mlp.fc2": "block{b+1}_narrow",
    "norm": "norm",
    "head": "logits",
}

_INPUT = PublishedInput(224, crop_pct=0.9, mean=HALF, std=HALF)


def _size(
    name: str,
    parameters: int,
    multiply_adds: int,
    *tags: str,
    width: int,
    depth: int,
    heads: int,
    drop_path_rate: float,
) -> Size:
    model = f"vit_{name}_patch16_224"
    return Size(
        name,
        (model, f"vit_{name}"),
        {"width": width, "depth": depth, "heads": heads, "drop_path_rate": drop_path_rate},
        parameters,
        multiply_adds,
        halvings=HALVINGS,
        smallest_side=16,
        weights={"timm": Published(model, TIMM_NAMES, tuple(Tag(tag, APACHE, _INPUT) for tag in tags))},
    )


def structure(size: Size, height: int, width: int) -> Structure:
    """Choose a structure: patches of 16 pixels, or smaller ones where the shorter side would have fewer than 4.

    They are no smaller than 2 pixels. Pixels at the end that do not fill a patch are cut.
    """
    side, halvings = min(height, width), size.halvings
    while halvings > 1 and side >> halvings < SMALLEST_MAP:
        halvings -= 1
    return Structure(halvings)


FAMILY = Family(
    name="vit",
    title="ViT, patch 16",
    reference="Dosovitskiy et al. 2020, arXiv:2010.11929, as timm's vit_tiny_patch16_224, vit_small_patch16_224, "
    "vit_base_patch16_224, vit_large_patch16_224; drop-path rates of Steiner et al. 2021, arXiv:2106.10270",
    builder=f"{__name__}.network",
    pretext_options={"mae": {}},
    figures="with attention's own products: timm's results/benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv (tiny, "
    "small; files that say 4.25 of small leave them out), torchvision's weights of vit_b_16 and vit_l_16 (base, large)",
    small_images="patches of 16 pixels; of 8, 4 or 2 where the shorter side would have fewer than 4 of them",
    structure=structure,
    scaled={"patches": 64},
    # After Touvron et al. 2020, table 9: AdamW, weight decay 0.05, a slow start, clipped gradients.
    recipe=Recipe(
        epochs=100,
        label_smoothing=0.1,
        optimizer=Optimizer(name="adamw", lr=5e-4, weight_decay=5e-2, clip_norm=1.0),
        schedule=Schedule(warmup_epochs=5),
        input=ImageSettings(shift=0.1),
    ),
    # As timm's `no_weight_decay`.
    undecayed=("tokens/token", "tokens/positions"),
    resampled=("tokens/positions",),
    recipes=RECIPES,
    sizes=(
        _size(
            "tiny",
            5_717_416,
            1_253_683_200,
            "augreg_in21k_ft_in1k",
            width=192,
            depth=12,
            heads=3,
            drop_path_rate=0.0,
        ),
        _size(
            "small",
            22_050_664,
            4_598_882_304,
            "augreg_in21k_ft_in1k",
            "augreg_in1k",
            width=384,
            depth=12,
            heads=6,
            drop_path_rate=0.1,
        ),
        _size(
            "base",
            86_567_656,
            17_563_828_224,
            "augreg2_in21k_ft_in1k",
            "augreg_in21k_ft_in1k",
            "augreg_in1k",
            "orig_in21k_ft_in1k",
            "sam_in1k",
            width=768,
            depth=12,
            heads=12,
            drop_path_rate=0.1,
        ),
        _size(
            "large",
            304_326_632,
            61_554_712_576,
            "augreg_in21k_ft_in1k",
            width=1024,
            depth=24,
            heads=16,
            drop_path_rate=0.1,
        ),
    ),
)
