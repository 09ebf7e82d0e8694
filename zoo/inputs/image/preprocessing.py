"""The definition of image preprocessing, and its implementation for clients with Pillow and numpy.

First, an encoded image becomes `pixels`, uint8 [height, width, channels]: it is decoded, converted to 8 bits,
composited over a background if the network takes no alpha, converted to the wanted channels, resized to cover the
network's input and center-cropped. Then the pixels are normalized to the network's float32 input,
`(pixels / 255 - mean) / std`.

`zoo.inputs.image.decoding` implements both steps as TensorFlow operations. The results differ by at most one of the 255
levels, because of rounding; by two for CMYK (which datasets never give to a graph), and by two in one of a million
pixels of black-and-white noise with bicubic interpolation. Sizes and crops are those of timm's evaluation
(`transforms_imagenet_eval` of timm 1.0.31): the shorter side becomes `floor(size / crop_pct)`. EXIF orientation is
ignored, because the decoders of TensorFlow ignore it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from zoo.errors import ZooError
from zoo.file_kinds import BMP, GIF, JPEG, PNG, kind_of
from zoo.inputs.image.png_file import GRAY, GRAY_ALPHA, PALETTE, RGB, SIGNATURE, PngFile, header_only, read_png
from zoo.schema import record

if TYPE_CHECKING:
    from PIL import Image

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""Pillow's mode for each number of channels."""

DECODED = {JPEG: "JPEG", PNG: "PNG", BMP: "BMP", GIF: "GIF"}
"""Pillow's name for each kind of file that is decoded; see `zoo.file_kinds`."""

END_OF_JPEG = b"\xff\xd9"
"""The end marker of a JPEG. Pillow 13.0 reads files without it, TensorFlow does not."""

FULL_RANGE = 65535
"""The largest 16-bit sample."""

BACKGROUNDS = {"white": 255, "black": 0}
"""The level of every channel, by the name of the background."""

MOST_PIXELS = 25_000_000
"""Pixels. A larger image is refused after its header, before decoding, because a small file may claim any size."""

LONGEST_SIDE = 16_384
"""Pixels. An image with a longer side is refused after its header, too."""

TOO_LARGE = f"more than {MOST_PIXELS} pixels in all or {LONGEST_SIDE} on a side: scale the image down"

LARGEST_SCALED, TIMES_SCALED = 8_000_000, 8
"""The most pixels that an image may have while it is resized, because a graph holds them as float32.

The second number is a factor: an image may also have that many times the pixels of the resized image, if that is more.
"""

PARTS, MOST_PARTS = {"JPEG": b"\xff\xda\x00", "PNG": b"TXt"}, 64
"""The first bytes of the parts of a file that are slow to decode, by format, and how many such parts it may have.

They are the scans of a JPEG (42 bytes may take 30 ms at 25 megapixels) and the compressed texts of a PNG (8 kB may take
50 ms).
"""


@record
class Preprocessing:
    """The preprocessing of a network's images. Names are those of timm where timm has the same setting.

    Attributes:
        kind: the kind of input.
        height: the height of the network's input, in pixels.
        width: the width of the network's input, in pixels.
        channels: 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGBA).
        mean: a number for each channel, which is subtracted from levels between 0 (black) and 1 (white).
        std: a number for each channel, by which the difference is divided.
        crop_pct: the share of the resized image's side that the center crop keeps.
        interpolation: the method that resizes images.
        resize_mode: `shortest` keeps the aspect ratio, and the crop removes what is too long; `squash` does not.
        white_level: the 16-bit sample that is white, such as 4095 if images use 12 of the bits. A sample becomes
            `sample * 256 // (white_level + 1)`, at most 255.
        background: the color that transparent images are composited over if the network takes 1 or 3 channels. `none`
            drops alpha and keeps the colors that the file has under it.
    """

    kind: Literal["image"] = dataclasses.field(default="image", kw_only=True)
    height: int
    width: int
    channels: Annotated[int, Field(ge=1, le=4)]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_pct: Annotated[float, Field(gt=0, le=1)] = 1.0
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    resize_mode: Literal["shortest", "squash"] = "shortest"
    white_level: Annotated[int, Field(ge=1, le=FULL_RANGE)] = FULL_RANGE
    background: Literal["none", "white", "black"] = "none"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels

    @property
    def shows_background(self) -> bool:
        """True if transparent images are composited over the background."""
        return self.background != "none" and self.channels in (1, 3)

    def scale_and_offset(self) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 [channels] twice: the network's input is `pixels * scale + offset`."""
        std = np.asarray(self.std, np.float64)
        scale = 1 / (255 * std)
        return scale.astype(np.float32), (-np.asarray(self.mean, np.float64) / std).astype(np.float32)


def covering(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Return the height and width to resize an image to, so that it covers the center crop.

    Raises:
        ZooError: it is so narrow that the resized image would be too large.
    """
    smallest_size = before_crop(preprocessing)
    if preprocessing.resize_mode == "squash":
        scaled = smallest_size
    elif height * smallest_size[1] <= width * smallest_size[0]:
        scaled = smallest_size[0], width * smallest_size[0] // height
    else:
        scaled = height * smallest_size[1] // width, smallest_size[1]
    # A client resizes the width first, a graph the height.
    if max(height * scaled[1], scaled[0] * width, scaled[0] * scaled[1]) > largest_scaled(preprocessing):
        network_size = f"{preprocessing.width} by {preprocessing.height}"
        raise ZooError(f"{width} by {height} pixels are too narrow to be scaled to cover {network_size}: crop it first")
    return scaled


def largest_scaled(preprocessing: Preprocessing) -> int:
    """Return the most pixels that an image may have while it is resized."""
    return max(LARGEST_SCALED, TIMES_SCALED * math.prod(before_crop(preprocessing)))


def before_crop(preprocessing: Preprocessing) -> tuple[int, int]:
    """Return the least height and width of a resized image."""
    return int(preprocessing.height / preprocessing.crop_pct), int(preprocessing.width / preprocessing.crop_pct)


def pixels_from_bytes(encoded: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """Return the pixels of an encoded image, uint8 [height, width, channels].

    Raises:
        ZooError: it cannot be decoded.
    """
    return pixels_from_image(open_image(encoded, preprocessing.white_level), preprocessing)


def open_image(encoded: bytes, white_level: int = FULL_RANGE) -> Image.Image:
    """Decode the first frame of an image to 8 bits, in mode L, LA, RGB or RGBA.

    Raises:
        ZooError: it is not an image, is damaged or cut short, or is too large.
    """
    from PIL import ImageChops

    image = open_header(encoded)
    with _decoding(encoded):
        if image.format == "PNG":
            file = read_png(encoded)
            return _deep_png(file, white_level) if file.depth == 16 else _shallow_png(file)
        if image.format in ("JPEG", "MPO") and END_OF_JPEG not in encoded:
            raise ValueError("cut short")
        image.load()
    if image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow 13.0 reads every CMYK as Adobe's, where 255 means no ink.
        image = ImageChops.invert(image)
    return _to_known_mode(image)


def open_header(encoded: bytes) -> Image.Image:
    """Open an encoded image, and read only its format, mode and size.

    Raises:
        ZooError: it is not an image, or is too large.
    """
    from PIL import Image

    with _decoding(encoded):
        # Pillow 13.0 reads everything before the pixels of a PNG, and refuses an image for a text that is too long.
        head = header_only(encoded) if encoded.startswith(SIGNATURE) else encoded
        image = Image.open(io.BytesIO(head), formats=tuple(DECODED.values()))
    if is_too_large(*image.size):
        raise ZooError(f"{image.width} by {image.height} pixels are {TOO_LARGE}")
    if image.format in PARTS and encoded.count(PARTS[image.format]) > MOST_PARTS:
        raise ZooError(f"a {image.format} with more than {MOST_PARTS} scans or texts: save it again")
    return image


def is_too_large(width: int, height: int) -> bool:
    """Return whether an image of this size is refused after its header."""
    return width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE


@contextlib.contextmanager
def _decoding(encoded: bytes) -> Iterator[None]:
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except Image.DecompressionBombError:
        raise ZooError(f"its header claims {TOO_LARGE}") from None
    except (OSError, SyntaxError, ValueError) as error:
        file_kind = kind_of(encoded)
        if file_kind not in DECODED:
            raise ZooError(f"not a JPEG, PNG, BMP or GIF but {file_kind}") from None
        # The message of UnidentifiedImageError is only the address of an object.
        reason = "its header cannot be read" if isinstance(error, UnidentifiedImageError) else str(error)[:80]
        raise ZooError(f"a damaged {DECODED[file_kind]} ({reason})") from None


def open_png(encoded: bytes) -> PngFile:
    """Read the parts of a PNG that its pixels depend on, see `zoo.inputs.image.png_file`.

    Raises:
        ZooError: it is damaged or cut short.
    """
    with _decoding(encoded):
        return read_png(encoded)


def largest_sample(file: PngFile) -> int:
    """Return the largest color sample of a 16-bit PNG."""
    with _decoding(file.encoded):
        samples = _deep_samples(file)
    return int(samples[..., : 1 if file.color in (GRAY, GRAY_ALPHA) else 3].max())


def _shallow_png(file: PngFile) -> Image.Image:
    """Decode a PNG of at most 8 bits a sample."""
    image = _loaded(file)
    if file.key is None:
        return _to_known_mode(image)
    # Pillow 13.0 compares the transparent color with samples that it has already converted to 8 bits.
    image = image.convert("L" if file.color == GRAY else "RGB")
    samples = np.asarray(image).reshape(image.height, image.width, -1)
    key = np.array(file.key) * 255 // ((1 << file.depth) - 1)
    image.putalpha(_image(np.where((samples == key).all(-1), 0, 255).astype(np.uint8)))
    return image


def _deep_png(file: PngFile, white_level: int) -> Image.Image:
    """Decode a 16-bit PNG and convert it to 8 bits."""
    samples = _deep_samples(file)
    if file.key is not None:
        opaque = (samples != file.key).any(-1, keepdims=True)
        samples = np.concatenate([samples, opaque * np.uint16(FULL_RANGE)], -1)
    with_alpha = samples.shape[-1] in (2, 4)
    levels = np.minimum(samples.astype(np.uint32) * 256 // (white_level + 1), 255)
    if with_alpha:
        levels[..., -1] = samples[..., -1] >> 8
    return _image(levels.astype(np.uint8))


def _deep_samples(file: PngFile) -> np.ndarray:
    """Return the samples of a 16-bit PNG, uint16 [height, width, channels]."""
    if file.color == GRAY:
        return np.asarray(_loaded(file)).astype(np.uint16)[..., None]
    if file.color == GRAY_ALPHA:
        # A pixel has as many bytes as in 8-bit RGBA.
        return np.asarray(_loaded(file, "RGBA")).copy().view(">u2").astype(np.uint16)
    # Pillow 13.0 reads only the high byte of each sample; with the opposite byte order it reads the low byte.
    name = "RGB" if file.color == RGB else "RGBA"
    high, low = (np.asarray(_loaded(file, f"{name};16{order}")).astype(np.uint16) for order in "BL")
    return high << 8 | low


def _loaded(file: PngFile, raw_mode: str | None = None) -> Image.Image:
    """Decode a PNG with Pillow. `raw_mode` makes it read the pixels as if the file had another layout."""
    from PIL import Image

    image: Any = Image.open(io.BytesIO(file.encoded), formats=("PNG",))
    if raw_mode:
        image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    image.load()
    if file.color != PALETTE:
        image.info.pop("transparency", None)
    return image


def _image(levels: np.ndarray) -> Image.Image:
    """Make an image of uint8 [height, width] or [height, width, channels]."""
    from PIL import Image

    return Image.fromarray(levels[..., 0] if levels.shape[2:] == (1,) else levels)


def _to_known_mode(image: Image.Image) -> Image.Image:
    """Convert an image to L, LA, RGB or RGBA, whichever loses nothing."""
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB") if image.mode not in MODES.values() else image


def pixels_from_image(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """Return the pixels of a decoded image of mode L, LA, RGB or RGBA, uint8 [height, width, channels]."""
    from PIL import Image

    if image.mode in ("LA", "RGBA") and preprocessing.shows_background:
        image = _composite(image, BACKGROUNDS[preprocessing.background])
    image = image.convert(MODES[preprocessing.channels])
    height, width = covering(image.height, image.width, preprocessing)
    if (width, height) != image.size:
        method = Image.Resampling[preprocessing.interpolation.upper()]
        # Each band is resized separately, because Pillow 13.0 weights colors by alpha when it resizes LA and RGBA, and
        # TensorFlow does not. The width is resized before the height: given both, Pillow 13.0 begins with the cheaper
        # side, Pillow 12 with the width. Bicubic results of the two orders differ by up to 30 levels, because levels
        # are clipped after the first step.
        wider = [band.resize((width, image.height), method) for band in image.split()]
        bands = [band.resize((width, height), method) for band in wider]
        image = Image.merge(image.mode, bands)
    top, left = round((height - preprocessing.height) / 2), round((width - preprocessing.width) / 2)
    image = image.crop((left, top, left + preprocessing.width, top + preprocessing.height))
    return np.asarray(image, np.uint8).reshape(preprocessing.shape)


def _composite(image: Image.Image, level: int) -> Image.Image:
    """Composite an image of mode LA or RGBA over a background of one level, and remove its alpha."""
    samples = np.asarray(image).astype(np.uint16)
    alpha = samples[..., -1:]
    # At most 255 * 255 + 127, which fits in 16 bits.
    return _image(((samples[..., :-1] * alpha + level * (255 - alpha) + 127) // 255).astype(np.uint8))
