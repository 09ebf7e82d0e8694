"""How timm calls the layers of each family: tables from its names to ours, to be read side by side.

`{n}` stands for a number, perhaps with a letter (`2a`), or for a word without a dot or an underscore; `{n+1}` on our
side for that number plus one: timm counts from 0, zoo from 1; `{n#}` for a letter's place in the alphabet. A row maps
a layer, or one tensor where its right side has a slash. The first row that fits is taken. Right sides that are None
name what a trained network does not use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from zoo.models import vgg

Table = Mapping[str, str | None]

RESNET: Table = {
    "conv1": "stem",
    "bn1": "stem_norm",
    "layer{s}.{b}.conv{n}": "stage{s}_block{b+1}_conv{n}",
    "layer{s}.{b}.bn{n}": "stage{s}_block{b+1}_conv{n}_norm",
    "layer{s}.{b}.downsample.0": "stage{s}_block{b+1}_shortcut",
    "layer{s}.{b}.downsample.1": "stage{s}_block{b+1}_shortcut_norm",
    "fc": "logits",
}

# Inverted residual blocks, in both mobile families.
_BLOCKS: Table = {
    "conv_stem": "stem",
    "bn1": "stem_norm",
    "blocks.{s}.{b}.conv_exp": "stage{s+1}_block{b+1}_widen",
    "blocks.{s}.{b}.conv_pw": "stage{s+1}_block{b+1}_pointwise",
    "blocks.{s}.{b}.conv_dw": "stage{s+1}_block{b+1}_depthwise",
    "blocks.{s}.{b}.conv_pwl": "stage{s+1}_block{b+1}_narrow",
    "blocks.{s}.{b}.conv": "stage{s+1}_block{b+1}_conv",
    "blocks.{s}.{b}.bn{n}": "stage{s+1}_block{b+1}_norm{n}",
    "blocks.{s}.{b}.se.conv_reduce": "stage{s+1}_block{b+1}_squeeze",
    "blocks.{s}.{b}.se.conv_expand": "stage{s+1}_block{b+1}_excite",
    "conv_head": "head",
    "bn2": "head_norm",
    "classifier": "logits",
}

CONVNEXT: Table = {
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

VIT: Table = {
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


def _normed(table: Table) -> Table:
    """Rows for timm's blocks of a convolution (`conv`) and its norm (`bn`)."""
    convolutions = {f"{theirs}.conv": ours for theirs, ours in table.items()}
    return {**convolutions, **{f"{theirs}.bn": f"{ours}_norm" for theirs, ours in table.items()}}


INCEPTION_V3: Table = {
    **_normed(
        {
            "Conv2d_{n}_{k}": "conv{n}",
            "Mixed_{m}.branch_pool": "mixed{m}_pool_2",
            "Mixed_{m}.branch{b}_{n}": "mixed{m}_{b}_{n}",
            "Mixed_{m}.branch{b}": "mixed{m}_{b}_1",
        }
    ),
    "fc": "logits",
    # The auxiliary classifier, which only training uses.
    "AuxLogits.fc": None,
    "AuxLogits.{n}.conv": None,
    "AuxLogits.{n}.bn": None,
}

INCEPTION_V4: Table = {
    **_normed(
        {
            "features.0": "conv1a",
            "features.1": "conv2a",
            "features.2": "conv2b",
            "features.{m}.conv": "mixed{m}_conv_1",
            "features.{m}.branch{b}_{n}": "mixed{m}_branch{b}_{n+1}",
            "features.{m}.branch{b}.{n}": "mixed{m}_branch{b}_{n+1}",
            "features.{m}.branch{b}": "mixed{m}_branch{b}_1",
        }
    ),
    "last_linear": "logits",
}

INCEPTION_RESNET_V2: Table = {
    **_normed(
        {
            "conv2d_{n}": "conv{n}",
            "mixed_{m}.branch{b}.{n}": "mixed{m}_branch{b}_{n+1}",
            "mixed_{m}.branch{b}": "mixed{m}_branch{b}_1",
            "repeat.{r}.branch{b}.{n}": "block35_{r+1}_branch{b}_{n+1}",
            "repeat.{r}.branch{b}": "block35_{r+1}_branch{b}_1",
            "repeat_1.{r}.branch{b}.{n}": "block17_{r+1}_branch{b}_{n+1}",
            "repeat_1.{r}.branch{b}": "block17_{r+1}_branch{b}_1",
            "repeat_2.{r}.branch{b}.{n}": "block8_{r+1}_branch{b}_{n+1}",
            "repeat_2.{r}.branch{b}": "block8_{r+1}_branch{b}_1",
            "block8.branch{b}.{n}": "block8_10_branch{b}_{n+1}",
            "block8.branch{b}": "block8_10_branch{b}_1",
        }
    ),
    "repeat.{r}.conv2d": "block35_{r+1}_join",
    "repeat_1.{r}.conv2d": "block17_{r+1}_join",
    "repeat_2.{r}.conv2d": "block8_{r+1}_join",
    "block8.conv2d": "block8_10_join",
    "classif": "logits",
}


def _vgg(size: str) -> Table:
    """timm numbers every step of VGG's stages in one row: convolution, norm, ReLU, …, pool."""
    (depths,) = (row.options["depths"] for row in vgg.FAMILY.sizes if row.name == size)
    rows, step = {}, 0
    for stage, depth in enumerate(depths, start=1):
        for number in range(1, depth + 1):
            rows[f"features.{step}"] = f"stage{stage}_conv{number}"
            rows[f"features.{step + 1}"] = f"stage{stage}_conv{number}_norm"
            step += 3
        step += 1
    return {**rows, "pre_logits.fc{n}": "head{n}", "head.fc": "logits"}


TIMM: dict[tuple[str, str], Table] = {
    ("inception", "small"): INCEPTION_V3,
    ("inception", "base"): INCEPTION_V4,
    ("inception", "large"): INCEPTION_RESNET_V2,
    **{("resnet", size): RESNET for size in ("small", "base", "large")},
    **{("vgg", size): _vgg(size) for size in ("small", "base", "large")},
    **{("convnext", size): CONVNEXT for size in ("small", "base", "large")},
    **{("vit", size): VIT for size in ("small", "base", "large")},
    **{("mobilenet", size): _BLOCKS for size in ("small", "base", "large")},
    **{("efficientnet", size): _BLOCKS for size in ("small", "base", "large")},
}


def ours(name: str, table: Table) -> str | None:
    """The layer, or `layer/variable`, that a row of the table gives for a name; None when the network does not use it.

    Raises:
        KeyError: no row fits.
    """
    if name in table:
        return table[name]
    for pattern, target in table.items():
        found = re.fullmatch(re.sub(r"\\\{(\w)\\\}", r"(?P<\1>[^._]+)", re.escape(pattern)), name)
        if found:
            return target and _filled(target, found.groupdict())
    raise KeyError(name)


def _filled(target: str, values: Mapping[str, str]) -> str:
    for letter, value in values.items():
        following = re.sub(r"\d+", lambda number: str(int(number[0]) + 1), value, count=1)
        target = target.replace(f"{{{letter}}}", value).replace(f"{{{letter}+1}}", following)
        if f"{{{letter}#}}" in target:
            target = target.replace(f"{{{letter}#}}", str(ord(value[0]) - ord("a") + 1))
    return target
