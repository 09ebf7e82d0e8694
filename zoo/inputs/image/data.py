"""The functions of `zoo.input.Data` for images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.data.dataset import Dataset
from zoo.data.example import Example
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.inputs.image import hostile as hostile_images
from zoo.inputs.image.labeled_image import RECORDS, inspect
from zoo.inputs.image.photographs import stand_ins
from zoo.inputs.image.preprocessing import FULL_RANGE, Preprocessing, open_image
from zoo.inputs.image.remarks import remarks
from zoo.inputs.image.resizable import kept
from zoo.inputs.image.settings import ImageSettings
from zoo.inputs.image.upload_sample import upload_sample
from zoo.structure import LARGEST_SIDE, MOST_CHANNELS, SMALLEST_SIDE, Structure

__all__ = [
    "RECORDS",
    "adjustments",
    "check",
    "client_tolerance",
    "damaged",
    "doubtful",
    "form",
    "hostile",
    "inspect",
    "kept",
    "published",
    "reference",
    "remarks",
    "samples",
    "stand_ins",
    "structure",
    "suiting",
]

USUAL_SIDE = 224
"""The side of the input, in pixels, where the images differ in size or are larger than this."""

MEAN, STD = 0.5, 0.5
"""The normalization of networks that start from random weights: each channel lies between -1 and 1."""

START_OF_SCAN, LONGEST_SCAN_HEADER = b"\xff\xda", 16
"""The marker in a JPEG that precedes the values of its pixels, and the most bytes between the two."""

CUT = 20
"""The bytes that are cut off the end of an image to damage it."""

LEVELS = {"bilinear": 1, "bicubic": 2}
"""The largest difference between Pillow's pixels and TensorFlow's that passes, in levels of 0–255, by interpolation.

Both scale bicubically in two steps and round in between, Pillow in fixed point. A value that lies halfway may be
rounded differently, and the second step may double that difference. It was seen in 1 of 9 million values of
photographs, and in 11 of 9 million of black-and-white noise.
"""


@dataclass(frozen=True)
class Form:
    """The form of a dataset's images: height and width if all have one size, and 1 channel if all are gray, else 3."""

    size: tuple[int, int] | None
    channels: int


def form(examples: Sequence[Example]) -> Form:
    """Return the common size of all images, and their channels."""
    sizes = {(example.traits.height, example.traits.width) for example in examples}
    channels = 1 if all(example.traits.gray for example in examples) else 3
    return Form(sizes.pop() if len(sizes) == 1 else None, channels)


def suiting(dataset: Dataset, settings: ImageSettings, like: Preprocessing | None) -> Preprocessing:
    """Return the preprocessing `like` of pretrained weights, or one for random weights, changed as the settings ask.

    Raises:
        ZooError: the settings ask for other channels than the weights have.
    """
    return adapted(like, settings) if like else suited(dataset.form, settings)


def suited(form: Form, settings: ImageSettings) -> Preprocessing:
    """Return the preprocessing of a network with random weights: it suits the data, changed as the settings ask."""
    height, width = (settings.size,) * 2 if settings.size else (form.size or (USUAL_SIDE,) * 2)
    if not settings.size and max(height, width) > USUAL_SIDE:
        height = width = USUAL_SIDE
    channels = settings.channels or form.channels
    return Preprocessing(
        height,
        width,
        channels,
        (MEAN,) * channels,
        (STD,) * channels,
        settings.crop_pct or 1.0,
        white_level=settings.white_level or FULL_RANGE,
        background="white" if settings.background == "auto" else settings.background,
    )


def adapted(source: Preprocessing, settings: ImageSettings) -> Preprocessing:
    """Return the preprocessing of weights, with the changes that settings ask for.

    Raises:
        ZooError: they ask for other channels.
    """
    if settings.channels not in (0, source.channels):
        raise ZooError(
            f"image.channels={settings.channels}: the weights take {source.channels}: "
            "leave it out; images with other channels are converted"
        )
    height, width = (settings.size, settings.size) if settings.size else (source.height, source.width)
    return dataclasses.replace(
        source,
        height=height,
        width=width,
        crop_pct=settings.crop_pct or source.crop_pct,
        white_level=settings.white_level or source.white_level,
        background=source.background if settings.background == "auto" else settings.background,
    )


def adjustments(dataset: Dataset, preprocessing: Preprocessing, settings: ImageSettings) -> Iterator[str]:
    """Say that images are scaled to the network's input, if the settings do not state its size."""
    size = dataset.form.size
    if settings.size or size == (preprocessing.height, preprocessing.width):
        return
    images = f"the images are {size[0]}×{size[1]} (height×width)" if size else "the images differ in size"
    network_size = f"{preprocessing.height}×{preprocessing.width}"
    yield f"{images} and are scaled and cropped to the network's {network_size}: --set image.size=… takes another size"


def reference(shape: Sequence[int]) -> Preprocessing:
    """Return the preprocessing of a network for images of a height, a width and a number of channels."""
    height, width, channels = shape
    _check_channels(channels)
    return Preprocessing(height, width, channels, (MEAN,) * channels, (STD,) * channels)


def published(folder: Path, task: str, seconds: float | None = None) -> Preprocessing:
    """Refuse a folder, because weights for images are files."""
    raise ZooError(f"{folder} is a folder: weights for images are read from a file")


def structure(family: Family, size: Size, preprocessing: Preprocessing) -> Structure:
    """Return the structure that suits the size of the images."""
    return family.structure(size, preprocessing.height, preprocessing.width)


def check(family: Family, size: Size, preprocessing: Preprocessing, structure: Structure) -> None:
    """Raise ZooError when no network takes such images, or the last map of the structure would have no pixels."""
    height, width, channels = preprocessing.shape
    if not (min(height, width) >= SMALLEST_SIDE and max(height, width) <= LARGEST_SIDE):
        raise ZooError(
            f"an image of {height}×{width} pixels cannot be taken: "
            f"each side must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"
        )
    _check_channels(channels)
    fewer_halvings = family.reference_structure(size).halvings - structure.halvings
    smallest_side = max(SMALLEST_SIDE, -(-size.smallest_side // 2**fewer_halvings))
    if min(height, width) < smallest_side:
        raise ZooError(
            f"{family.name} {size.name} with {structure.halvings} halvings needs images of at least "
            f"{smallest_side}×{smallest_side} pixels, not {height}×{width}: raise image.size, or train "
            "without weights, which adapts the network"
        )


def _check_channels(channels: int) -> None:
    if not 1 <= channels <= MOST_CHANNELS:
        raise ZooError(f"{channels} channels are not supported: choose 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA)")


def samples(raw: Sequence[bytes], preprocessing: Preprocessing) -> list[bytes]:
    """Return a JPEG that has to be scaled, made of the first image, and then the images as they are."""
    return [upload_sample(open_image(raw[0], preprocessing.white_level), preprocessing), *raw]


def doubtful(raw: Sequence[bytes], preprocessing: Preprocessing) -> list[Any]:
    """Return nothing: the samples already need every step of the preprocessing."""
    return []


def damaged(raw: bytes, preprocessing: Preprocessing) -> dict[str, Any]:
    """Return files that no decoder takes; `raw` is an undamaged file."""
    # libjpeg writes a line to standard error about a JPEG that ends before its scan begins.
    half_length = (raw.find(START_OF_SCAN) + LONGEST_SCAN_HEADER + len(raw)) // 2
    return {
        "bytes that are no image": b"no image",
        "no bytes": b"",
        "half an image": raw[:half_length],
        "an image without its end": raw[:-CUT],
    }


def hostile() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return small files that claim a huge image, or decompress to one."""
    return hostile_images.refused_images(), hostile_images.costly_images()


def client_tolerance(preprocessing: Preprocessing) -> float:
    """Return `LEVELS` for the interpolation."""
    return LEVELS[preprocessing.interpolation]
