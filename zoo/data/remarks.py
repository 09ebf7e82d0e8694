"""Remarks on images that say little to a network: all equal, of one color, nearly black, or damaged."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.data.dataset import Images
from zoo.data.prefetch import map_ahead
from zoo.png_file import SIGNATURE
from zoo.preprocess import FULL_RANGE, Preprocessing, largest_sample, open_png, pixels_from_bytes
from zoo.provenance import usable_cpus

LOOKED_AT = 128
"""Images, spread over the splits: as many as are decoded in a second or two."""

NEARLY_BLACK = 15
"""The largest level of an image that is nearly black, of 255."""

SMALL_PART = 4
"""Images of 16 bits that use less than one part in so many of their range come out dark."""

NAMED = 3
"""Images that a remark names."""


@dataclass(frozen=True)
class Look:
    """What an image comes out as; `largest` is its largest sample where it has 16 bits, else None."""

    name: str
    pixels: bytes
    file: bytes
    one_color: bool
    nearly_black: bool
    transparent: bool
    largest: int | None


def remarks(splits: Sequence[Images], preprocessing: Preprocessing) -> Iterator[str]:
    """One line for each thing that is odd about the images, as a network of this preprocessing gets them.

    Equal, black and plain ones are counted on a sample, damaged ones on all.
    """
    damaged = [
        f"{images.names(index)} ({images.damage(index)})"
        for images in splits
        for index in range(len(images))
        if images.damage(index)
    ]
    if damaged:
        yield f"damaged images, gray where pixels are lost: {len(damaged)}: {_some(damaged)}"
    chosen = list(_spread(splits))
    looks = list(map_ahead(lambda place: _look(*place, preprocessing), chosen, ahead=usable_cpus()))
    by_pixels: dict[bytes, list[Look]] = defaultdict(list)
    for look in looks:
        by_pixels[look.pixels].append(look)
    equal = [group for group in by_pixels.values() if len({look.file for look in group}) > 1]
    found = (
        ("are equal to others, though their files differ", [look for group in equal for look in group]),
        ("are of one color", [look for look in looks if look.one_color]),
        ("are nearly black", [look for look in looks if look.nearly_black and not look.one_color]),
    )
    for what, odd in found:
        if odd:
            yield (
                f"{len(odd)} of {len(looks)} images, as the network gets them, {what}: "
                f"{_some([look.name for look in odd])}{_over(odd, preprocessing)}"
            )
    yield from _range([look.largest for look in looks if look.largest is not None], preprocessing.white_level)


def _spread(splits: Sequence[Images]) -> Iterator[tuple[Images, int]]:
    """Images at equal distances over all splits, each as its split and its place there."""
    starts = np.cumsum([0, *map(len, splits)])
    for place in np.linspace(0, starts[-1] - 1, min(LOOKED_AT, int(starts[-1]))).astype(int):
        split = int(np.searchsorted(starts, place, "right")) - 1
        yield splits[split], int(place - starts[split])


def _look(images: Images, index: int, preprocessing: Preprocessing) -> Look:
    encoded = images.read(index)
    pixels = pixels_from_bytes(encoded, preprocessing)
    png = open_png(encoded) if encoded.startswith(SIGNATURE) else None
    colors = pixels[..., : 1 if preprocessing.channels < 3 else 3]
    return Look(
        name=images.names(index),
        pixels=hashlib.sha256(pixels.tobytes()).digest(),
        file=hashlib.sha256(encoded).digest(),
        one_color=bool((pixels == pixels[:1, :1]).all()),
        nearly_black=bool(colors.max() <= NEARLY_BLACK),
        transparent=png is not None and png.transparent,
        largest=largest_sample(png) if png and png.depth == 16 else None,
    )


def _over(odd: Sequence[Look], preprocessing: Preprocessing) -> str:
    """What may mend it where images are transparent and the network does not see that."""
    if preprocessing.channels not in (1, 3) or not any(look.transparent for look in odd):
        return ""
    other = "white" if preprocessing.background != "white" else "black"
    return f"; they are transparent in parts: train with --set image.background={other}"


def _range(largest: Sequence[int], white_level: int) -> Iterator[str]:
    """What is odd about the range of 16 bits that images use, `largest` being the largest sample of each."""
    if not largest:
        return
    if max(largest) * SMALL_PART <= white_level:
        bits = max(1, int(max(largest)).bit_length())
        yield (
            f"images of 16 bits come out dark: their largest sample is {max(largest)}, and {white_level} is white: "
            f"train with --set image.white_level={(1 << bits) - 1}"
        )
    elif max(largest) > white_level:
        yield (
            f"images of 16 bits have samples up to {max(largest)}, and all above {white_level} is white: "
            f"train with --set image.white_level={FULL_RANGE}"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
