"""Tables from a publisher's names of layers to zoo's, in which both names stand side by side.

A row maps a layer of the publisher to one of zoo, or one tensor to `layer/variable`; None marks what a trained network
does not use.
The first row that fits is taken. On the publisher's side `{n}` stands for a number, perhaps with a letter (`2a`), or
for a word without a dot or an underscore. On zoo's side it stands for the same; `{n+1}` for that number plus one, as
timm counts from 0 and zoo from 1; `{n#}` for a letter's place in the alphabet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Names = Mapping[str, str | None]

TIMM_BLOCKS: Names = {
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
"""The names in timm's networks of inverted residual blocks."""


def translated(name: str, names: Names) -> str | None:
    """Return the layer, or `layer/variable`, that a publisher's name stands for; None if a network does not use it.

    Raises:
        KeyError: no row fits.
    """
    if name in names:
        return names[name]
    for pattern, target in names.items():
        match = re.fullmatch(re.sub(r"\\\{(\w)\\\}", r"(?P<\1>[^._]+)", re.escape(pattern)), name)
        if match:
            return target and _filled(target, match.groupdict())
    raise KeyError(name)


def _filled(target: str, values: Mapping[str, str]) -> str:
    for letter, value in values.items():
        following = re.sub(r"\d+", lambda number: str(int(number[0]) + 1), value, count=1)
        target = target.replace(f"{{{letter}}}", value).replace(f"{{{letter}+1}}", following)
        if f"{{{letter}#}}" in target:
            target = target.replace(f"{{{letter}#}}", str(ord(value[0]) - ord("a") + 1))
    return target
