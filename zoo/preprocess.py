"""The one statement of how an image becomes a network's input, and its rendering for clients (Pillow, numpy).

First the image becomes `pixels`, uint8 [height, width, channels]: decoded, brought to 8 bits, laid over a background
where the network takes no alpha, brought to the wanted channels, scaled to cover the network's size, cropped in the
middle. Then the pixels become the network's float32 input: `(pixels / 255 - mean) / deviation`.
`zoo.preprocess_graph` renders both steps as TensorFlow operations; the two
renderings agree to one level of rounding (CMYK, which data sets never hand to a graph: two; bicubic on noise of black
and white: two in a pixel of a million).
Sizes and the place of the crop are those of timm's evaluation (`transforms_imagenet_eval` of timm 1.0.31): there, too,
the shorter side becomes `floor(size / crop_pct)`.
EXIF orientation is ignored by both, as decoders in a graph ignore it.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from zoo.errors import ZooError
from zoo.file_kinds import kind_of
from zoo.png_file import GRAY, GRAY_ALPHA, PALETTE, RGB, SIGNATURE, PngFile, header_only, read_png
from zoo.schema import record

if TYPE_CHECKING:
    from PIL import Image

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""What the channels of an image are, in Pillow's words."""

FORMATS = ("JPEG", "PNG", "BMP", "GIF")

END_OF_JPEG = b"\xff\xd9"
"""What a whole JPEG holds. Pillow does without (13.0), decoders in a graph do not."""

FULL_RANGE = 65535
"""The largest sample of 16 bits."""

BACKGROUNDS = {"white": 255, "black": 0}
"""The level that every channel of a background has."""

LARGEST_IMAGE = 25_000_000
"""Pixels; a larger image is refused by its header, before it is decoded: a small file may claim any size."""

LARGEST_SIDE = 16_384
"""Pixels; an image with a longer side is refused by its header, too."""

LARGEST_SCALED, TIMES_SCALED = 8_000_000, 8
"""Pixels that an image may have on its way to the network's size, for a graph holds them as float32.

It may have so many times the pixels of that size, where that is more.
"""

PARTS, MOST_PARTS = {"JPEG": b"\xff\xda\x00", "PNG": b"TXt"}, 64
"""How the parts of a file begin that each take as long as a whole image, and how many a file may have.

They are the scans of a JPEG (30 ms at 25 megapixels, for 42 bytes) and the compressed texts of a PNG (50 ms for 8 kB).
"""


@record
class Preprocessing:
    """How raw input becomes model input.

    `crop_pct` is the share of the scaled image's side that is kept. With the `resize_mode` `shortest` an image keeps
    its aspect ratio and what is too long is cropped; with `squash` it takes the aspect ratio of the input. `mean` and
    `std` have one number a channel, in units of the full range (1.0 is white). The names are those of timm.

    `white_level` is the sample that is white in images of 16 bits, such as 4095 where they use 12: a sample becomes
    `sample * 256 // (white_level + 1)`, at most 255. `background` shows through where an image is transparent and the
    network takes 1 or 3 channels; `none` leaves alpha out and takes colors as the file has them, as with 2 or 4
    channels.
    """

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
        """Whether transparent images are laid over the background."""
        return self.background != "none" and self.channels in (1, 3)

    def scale_and_offset(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 [channels] twice: the network's input is `pixels * scale + offset`."""
        std = np.asarray(self.std, np.float64)
        scale = 1 / (255 * std)
        return scale.astype(np.float32), (-np.asarray(self.mean, np.float64) / std).astype(np.float32)


def covering(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """The height and width to scale an image to, so that the central crop lies inside it.

    Raises:
        ZooError: it is so narrow that it would be too large when scaled.
    """
    least = before_crop(preprocessing)
    if preprocessing.resize_mode == "squash":
        scaled = least
    elif height * least[1] <= width * least[0]:
        scaled = least[0], width * least[0] // height
    else:
        scaled = height * least[1] // width, least[1]
    # A client scales the width first, a graph the height.
    if max(height * scaled[1], scaled[0] * width, scaled[0] * scaled[1]) > largest_scaled(preprocessing):
        wanted = f"{preprocessing.width} by {preprocessing.height}"
        raise ZooError(f"{width} by {height} pixels are too narrow to be scaled to cover {wanted}: crop it first")
    return scaled


def largest_scaled(preprocessing: Preprocessing) -> int:
    """The most pixels that an image may have on its way to the network's size."""
    return max(LARGEST_SCALED, TIMES_SCALED * math.prod(before_crop(preprocessing)))


def before_crop(preprocessing: Preprocessing) -> tuple[int, int]:
    """The least height and width that a scaled image has."""
    return int(preprocessing.height / preprocessing.crop_pct), int(preprocessing.width / preprocessing.crop_pct)


def pixels_from_bytes(encoded: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """uint8 [height, width, channels] of an encoded image.

    Raises:
        ZooError: it cannot be decoded.
    """
    return pixels_from_image(open_image(encoded, preprocessing.white_level), preprocessing)


def open_image(encoded: bytes, white_level: int = FULL_RANGE) -> Image.Image:
    """The first frame of an encoded image, decoded whole and in 8 bits: of mode L, LA, RGB or RGBA.

    Raises:
        ZooError: it is no image, is damaged or cut short, or is too large.
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
        # Pillow 13.0 takes every CMYK for Adobe's, where 255 is no ink.
        image = ImageChops.invert(image)
    return _of_channels(image)


def open_header(encoded: bytes) -> Image.Image:
    """An encoded image of which only format, mode and size have been read.

    Raises:
        ZooError: it is no image, or is too large.
    """
    from PIL import Image

    with _decoding(encoded):
        # Of a PNG Pillow 13.0 reads all that comes before the pixels, and refuses an image for its text.
        head = header_only(encoded) if encoded.startswith(SIGNATURE) else encoded
        image = Image.open(io.BytesIO(head), formats=FORMATS)
    if image.width * image.height > LARGEST_IMAGE or max(image.size) > LARGEST_SIDE:
        limit = f"{LARGEST_IMAGE} in all or {LARGEST_SIDE} on a side"
        raise ZooError(f"{image.width} by {image.height} pixels are more than {limit}: scale it down")
    if image.format in PARTS and encoded.count(PARTS[image.format]) > MOST_PARTS:
        raise ZooError(f"the {image.format} has more than {MOST_PARTS} scans or texts: save it again")
    return image


@contextlib.contextmanager
def _decoding(encoded: bytes) -> Iterator[None]:
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        kind = kind_of(encoded)
        if kind in ("a JPEG", "a PNG", "a BMP", "a GIF"):
            # Of what Pillow does not identify it says no more than the address of an object.
            unknown = isinstance(error, UnidentifiedImageError)
            kind += f" that is damaged: {'its header cannot be read' if unknown else str(error)[:80]}"
        raise ZooError(f"no JPEG, PNG, BMP or GIF that can be decoded (this is {kind})") from None


def open_png(encoded: bytes) -> PngFile:
    """The parts of a PNG that decide its pixels, see `zoo.png_file`.

    Raises:
        ZooError: it is damaged or cut short.
    """
    with _decoding(encoded):
        return read_png(encoded)


def largest_sample(file: PngFile) -> int:
    """The largest sample of the colors of a PNG of 16 bits a sample."""
    with _decoding(file.encoded):
        samples = _deep_samples(file)
    return int(samples[..., : 1 if file.color in (GRAY, GRAY_ALPHA) else 3].max())


def _shallow_png(file: PngFile) -> Image.Image:
    """A PNG of at most 8 bits a sample."""
    image = _loaded(file)
    if file.key is None:
        return _of_channels(image)
    # Pillow 13.0 compares the key with samples that it has already brought to 8 bits.
    image = image.convert("L" if file.color == GRAY else "RGB")
    samples = np.asarray(image).reshape(image.height, image.width, -1)
    key = np.array(file.key) * 255 // ((1 << file.depth) - 1)
    image.putalpha(_image(np.where((samples == key).all(-1), 0, 255).astype(np.uint8)))
    return image


def _deep_png(file: PngFile, white_level: int) -> Image.Image:
    """A PNG of 16 bits a sample, brought to 8."""
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
    """uint16 [height, width, channels] of a PNG of 16 bits a sample."""
    if file.color == GRAY:
        return np.asarray(_loaded(file)).astype(np.uint16)[..., None]
    if file.color == GRAY_ALPHA:
        # The bytes of a pixel are as many as in RGBA of 8 bits.
        return np.asarray(_loaded(file, "RGBA")).copy().view(">u2").astype(np.uint16)
    # Pillow 13.0 reads one byte of each sample of a color: the high one or, told that the file is of the other order,
    # the low one.
    name = "RGB" if file.color == RGB else "RGBA"
    high, low = (np.asarray(_loaded(file, f"{name};16{order}")).astype(np.uint16) for order in "BL")
    return high << 8 | low


def _loaded(file: PngFile, raw_mode: str | None = None) -> Image.Image:
    """A PNG decoded by Pillow, its pixels as they lie in memory being taken for `raw_mode` where that is given."""
    from PIL import Image

    image: Any = Image.open(io.BytesIO(file.encoded), formats=("PNG",))
    if raw_mode:
        image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    image.load()
    if file.color != PALETTE:
        image.info.pop("transparency", None)
    return image


def _image(levels: np.ndarray) -> Image.Image:
    """An image of uint8 [height, width] or [height, width, channels]."""
    from PIL import Image

    return Image.fromarray(levels[..., 0] if levels.shape[2:] == (1,) else levels)


def _of_channels(image: Image.Image) -> Image.Image:
    """The image in one of the modes that convert to each other without loss of meaning: L, LA, RGB or RGBA."""
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB") if image.mode not in MODES.values() else image


def pixels_from_image(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """uint8 [height, width, channels] of a decoded image of mode L, LA, RGB or RGBA."""
    from PIL import Image

    if image.mode in ("LA", "RGBA") and preprocessing.shows_background:
        image = _over(image, BACKGROUNDS[preprocessing.background])
    image = image.convert(MODES[preprocessing.channels])
    height, width = covering(image.height, image.width, preprocessing)
    if (width, height) != image.size:
        method = Image.Resampling[preprocessing.interpolation.upper()]
        # Band by band: scaling LA and RGBA, Pillow weighs colors by their alpha (13.0), and a graph does not.
        # Width, then height: given both, Pillow 13.0 begins with what it takes for cheaper, and 12 with the width. For
        # bicubic, which is clipped in between, the two orders are up to 30 levels apart.
        wider = [band.resize((width, image.height), method) for band in image.split()]
        bands = [band.resize((width, height), method) for band in wider]
        image = Image.merge(image.mode, bands)
    top, left = round((height - preprocessing.height) / 2), round((width - preprocessing.width) / 2)
    image = image.crop((left, top, left + preprocessing.width, top + preprocessing.height))
    return np.asarray(image, np.uint8).reshape(preprocessing.shape)


def _over(image: Image.Image, level: int) -> Image.Image:
    """An image of mode LA or RGBA without its alpha, as it looks on a background of one level."""
    samples = np.asarray(image).astype(np.uint16)
    alpha = samples[..., -1:]
    # At most 255 * 255 + 127, which 16 bits hold.
    return _image(((samples[..., :-1] * alpha + level * (255 - alpha) + 127) // 255).astype(np.uint8))
