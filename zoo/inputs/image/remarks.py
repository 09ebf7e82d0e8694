"""Remarks on images from which a network learns little: copies, and images that are damaged, dark or of one color."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.prefetch import map_ahead
from zoo.inputs.image.png_file import SIGNATURE
from zoo.inputs.image.preprocessing import FULL_RANGE, Preprocessing, largest_sample, open_png, pixels_from_bytes
from zoo.provenance import usable_cpus

SAMPLE = 128
"""The number of images that are decoded for the remarks, which takes a second or two."""

NEARLY_BLACK = 15
"""An image is nearly black if none of its levels (0 to 255) is above this."""

SMALL_PART = 4
"""16-bit images come out dark if their largest sample times this is at most the white level."""

NAMED = 3
"""The most images that a remark names."""


@dataclass(frozen=True)
class Inspection:
    """Properties of one image, as the network gets it.

    Attributes:
        name: its name in messages.
        pixels: a digest of its pixels.
        file: a digest of its encoded bytes.
        one_color: whether all its pixels are equal.
        nearly_black: whether no level is above `NEARLY_BLACK`.
        transparent: whether it is a PNG with alpha.
        largest: the largest sample of a 16-bit image, else None.
    """

    name: str
    pixels: bytes
    file: bytes
    one_color: bool
    nearly_black: bool
    transparent: bool
    largest: int | None


def remarks(splits: Sequence[Examples], preprocessing: Preprocessing) -> Iterator[str]:
    """Yield a line for each oddity of the images, as a network with this preprocessing gets them.

    Damaged images are counted among all images, other oddities in a sample of `SAMPLE` images.
    """
    damaged = [
        f"{images.names(index)} ({images.traits(index).damage})"
        for images in splits
        for index in range(len(images))
        if images.traits(index).damage
    ]
    if damaged:
        yield f"damaged images: {len(damaged)}, gray where pixels are missing: {_some(damaged)}"
    sample = list(_spread(splits))
    inspections = list(
        map_ahead(lambda split_and_index: _inspect(*split_and_index, preprocessing), sample, ahead=usable_cpus())
    )
    by_pixels: dict[bytes, list[Inspection]] = defaultdict(list)
    for inspection in inspections:
        by_pixels[inspection.pixels].append(inspection)
    equal = [group for group in by_pixels.values() if len({inspection.file for inspection in group}) > 1]
    groups = (
        ("are equal to others, though their files differ", [inspection for group in equal for inspection in group]),
        ("are of one color", [inspection for inspection in inspections if inspection.one_color]),
        (
            "are nearly black",
            [inspection for inspection in inspections if inspection.nearly_black and not inspection.one_color],
        ),
    )
    for description, odd_images in groups:
        if odd_images:
            yield (
                f"{len(odd_images)} of {len(inspections)} images, as the network gets them, {description}: "
                f"{_some([inspection.name for inspection in odd_images])}{_advice(odd_images, preprocessing)}"
            )
    largest = [inspection.largest for inspection in inspections if inspection.largest is not None]
    yield from _range(largest, preprocessing.white_level)


def _spread(splits: Sequence[Examples]) -> Iterator[tuple[Examples, int]]:
    """Yield images at equal distances over all splits, each as its split and its index there."""
    starts = np.cumsum([0, *map(len, splits)])
    for position in np.linspace(0, starts[-1] - 1, min(SAMPLE, int(starts[-1]))).astype(int):
        split = int(np.searchsorted(starts, position, "right")) - 1
        yield splits[split], int(position - starts[split])


def _inspect(images: Examples, index: int, preprocessing: Preprocessing) -> Inspection:
    encoded = images.read(index)
    pixels = pixels_from_bytes(encoded, preprocessing)
    png = open_png(encoded) if encoded.startswith(SIGNATURE) else None
    colors = pixels[..., : 1 if preprocessing.channels < 3 else 3]
    return Inspection(
        name=images.names(index),
        pixels=hashlib.sha256(pixels.tobytes()).digest(),
        file=hashlib.sha256(encoded).digest(),
        one_color=bool((pixels == pixels[:1, :1]).all()),
        nearly_black=bool(colors.max() <= NEARLY_BLACK),
        transparent=png is not None and png.transparent,
        largest=largest_sample(png) if png and png.depth == 16 else None,
    )


def _advice(odd_images: Sequence[Inspection], preprocessing: Preprocessing) -> str:
    """Advise another background if images are transparent and the network takes no alpha."""
    if preprocessing.channels not in (1, 3) or not any(inspection.transparent for inspection in odd_images):
        return ""
    background = "white" if preprocessing.background != "white" else "black"
    return f"; parts of them are transparent: train with --set image.background={background}"


def _range(largest: Sequence[int], white_level: int) -> Iterator[str]:
    """Yield a line if 16-bit images use a small part of the range up to `white_level`, or go beyond it.

    `largest` holds the largest sample of each image.
    """
    if not largest:
        return
    if max(largest) * SMALL_PART <= white_level:
        bits = max(1, int(max(largest)).bit_length())
        yield (
            f"16-bit images come out dark: their largest sample is {max(largest)}, and {white_level} is white: "
            f"train with --set image.white_level={(1 << bits) - 1}"
        )
    elif max(largest) > white_level:
        yield (
            f"16-bit images have samples up to {max(largest)}, and everything above {white_level} is white: "
            f"train with --set image.white_level={FULL_RANGE}"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
