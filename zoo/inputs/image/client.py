"""The functions of `zoo.input.Client` for images; a raw example is the bytes of an encoded image."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.contract import BATCH
from zoo.data.entries import read_file
from zoo.data.named_files import named_files
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.input import Arrays, NamedExample
from zoo.inputs.image.image_files import reason_for_no_image
from zoo.inputs.image.preprocessing import Preprocessing, pixels_from_bytes
from zoo.signature import Tensor
from zoo.structure import LARGEST_SIDE, MOST_CHANNELS, SMALLEST_SIDE
from zoo.weights.pretrained import PublishedInput

IMAGE = "image"
"""Raw pixels, 0–255, as a decoder gives them. Normalization is inside the model."""

IMAGE_BYTES = "image_bytes"
"""JPEG or PNG files as uploaded. Decoding, scaling and cropping are inside the model."""

UPLOAD = Path("image.jpg")
"""The image file that the examples of a model card read."""


def tensors(preprocessing: Preprocessing) -> dict[str, Tensor]:
    """Return the image, uint8 [batch, height, width, channels]."""
    return {IMAGE: Tensor("uint8", (BATCH, *preprocessing.shape))}


def raw_tensors(preprocessing: Preprocessing) -> dict[str, Tensor]:
    """Return the uploaded file, a string."""
    return {IMAGE_BYTES: Tensor("string", (BATCH,))}


def network_tensors(preprocessing: Preprocessing) -> dict[str, Tensor]:
    """Return the normalized image, float32 [batch, height, width, channels]."""
    return {IMAGE: Tensor("float32", (BATCH, *preprocessing.shape))}


def encode(raw: Sequence[bytes], preprocessing: Preprocessing) -> Arrays:
    """Decode, scale and crop encoded images.

    Raises:
        ZooError: an image cannot be decoded.
    """
    if not raw:
        return {IMAGE: np.zeros((0, *preprocessing.shape), np.uint8)}
    return {IMAGE: np.stack([pixels_from_bytes(encoded, preprocessing) for encoded in raw])}


def raw_arrays(raw: Sequence[bytes], preprocessing: Preprocessing) -> Arrays:
    """Return encoded images as an object array of bytes."""
    return {IMAGE_BYTES: np.array(list(raw), object)}


def random(preprocessing: Preprocessing, count: int, generator: np.random.Generator) -> Arrays:
    """Return images with every value equally likely."""
    return {IMAGE: generator.integers(0, 256, (count, *preprocessing.shape), np.uint8)}


def noise(preprocessing: Preprocessing, count: int, generator: np.random.Generator) -> list[bytes]:
    """Return gray PNGs of random pixels."""
    from PIL import Image

    encoded = []
    for pixels in generator.integers(0, 256, (count, preprocessing.height, preprocessing.width), np.uint8):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        encoded.append(file.getvalue())
    return encoded


def named_examples(
    paths: Sequence[Path], preprocessing: Preprocessing, leave_out: Callable[[Path, str], None]
) -> Iterator[NamedExample]:
    """Read image files; a folder stands for the image files in it, whatever their names, in natural order.

    Raises:
        ZooError: there is no image.
    """
    for path in [
        path
        for argument in paths
        for path in named_files(argument, "image", "JPEG, PNG, BMP or GIF", reason_for_no_image, leave_out)
    ]:
        try:
            yield NamedExample(str(path), read_file(path))
        except ZooError as error:
            yield NamedExample(str(path), None, str(error))


def catalog(family: Family, size: Size) -> dict[str, Any]:
    """Return the sizes and channels that a network takes, and the sizes of published weights."""
    published = next(iter(size.weights.values()), None)
    return {
        "small_images": family.small_images,
        "input_sizes": {
            "weights": sorted({tag.input.side for tag in published.tags}) if published else [],
            "smallest": SMALLEST_SIDE,
            "largest": LARGEST_SIDE,
        },
        "channels": list(range(1, MOST_CHANNELS + 1)),
        "limits": {
            "small images": family.small_images,
            "input": f"{SMALLEST_SIDE} to {LARGEST_SIDE} pixels a side, 1 to {MOST_CHANNELS} channels",
        },
    }


def published(wanted: PublishedInput) -> dict[str, Any]:
    """Return the size and the preprocessing of the images that weights want."""
    return {
        "input": f"{wanted.side} pixels",
        "input_size": wanted.side,
        "mean": list(wanted.mean),
        "std": list(wanted.std),
        "crop_pct": wanted.crop_pct,
        "interpolation": wanted.interpolation,
        "resize_mode": wanted.resize_mode,
    }


def facts(preprocessing: Preprocessing) -> dict[str, str]:
    """Return the size of the input."""
    channels = "1 channel" if preprocessing.channels == 1 else f"{preprocessing.channels} channels"
    return {"input": f"{preprocessing.height}×{preprocessing.width} pixels, {channels}"}


def problems(preprocessing: Preprocessing) -> list[str]:
    """List what is wrong: sides below 1, or channels without a mean and a std."""
    messages = []
    if min(preprocessing.height, preprocessing.width) < 1:
        messages.append(f"images of {preprocessing.height} by {preprocessing.width} pixels")
    if not len(preprocessing.mean) == len(preprocessing.std) == preprocessing.channels:
        messages.append(f"mean and std are not of {preprocessing.channels} channels")
    return messages


def python(preprocessing: Preprocessing) -> str:
    """Return an expression that reads `UPLOAD`."""
    return f'Path("{UPLOAD}").read_bytes()'


def rest(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return `UPLOAD`."""
    return {IMAGE_BYTES: UPLOAD}


def files(preprocessing: Preprocessing) -> dict[str, str]:
    """Return no files: the manifest has all that clients need."""
    return {}
