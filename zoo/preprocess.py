"""The one statement of how an image becomes a network's input, and its rendering for clients (Pillow, numpy).

First the image becomes `pixels`, uint8 [height, width, channels]: decoded, scaled to cover the network's size,
cropped in the middle, brought to the wanted channels. Then the pixels become the network's float32 input:
`(pixels / 255 - mean) / deviation`. `zoo.preprocess_graph` renders both steps as TensorFlow operations; the two
renderings agree to one level of rounding (CMYK, which data sets never hand to a graph: two; bicubic on noise of
black and white: two in a pixel of a million).
Sizes and the place of the crop are those of timm's evaluation (`transforms_imagenet_eval` of timm 1.0.31): there, too,
the shorter side becomes `floor(size / crop)`.
EXIF orientation is ignored by both, as decoders in a graph ignore it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from zoo.errors import ZooError
from zoo.schema import record

if TYPE_CHECKING:
    from PIL import Image

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""What the channels of a picture are, in Pillow's words."""

FORMATS = ("JPEG", "PNG", "BMP", "GIF")

ENDS = {"JPEG": b"\xff\xd9", "PNG": b"\0\0\0\0IEND\xaeB`\x82"}
"""What a whole file holds. Pillow does without (13.0), decoders in a graph do not."""

LARGEST_PICTURE = 100_000_000
"""Pixels; a picture that is larger, or would be when scaled, is refused: a small file may claim any size."""


@record
class Preprocessing:
    """How raw input becomes model input.

    `crop` is the share of the scaled picture's side that is kept. `scaling` says whether a picture keeps its shape when
    it is scaled (`cover`: what is too long is cropped) or takes the input's (`stretch`). `mean` and `deviation` have
    one number a channel, in units of the full range (1.0 is white).
    """

    height: int
    width: int
    channels: Annotated[int, Field(ge=1, le=4)]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    scaling: Literal["cover", "stretch"] = "cover"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels

    def scale_and_offset(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 [channels] twice: the network's input is `pixels * scale + offset`."""
        deviation = np.asarray(self.deviation, np.float64)
        scale = 1 / (255 * deviation)
        return scale.astype(np.float32), (-np.asarray(self.mean, np.float64) / deviation).astype(np.float32)


def covering(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """The height and width to scale a picture to, so that the central crop lies inside it.

    Raises:
        ZooError: it is so narrow that it would be too large when scaled.
    """
    least = before_crop(preprocessing)
    if preprocessing.scaling == "stretch":
        scaled = least
    elif height * least[1] <= width * least[0]:
        scaled = least[0], width * least[0] // height
    else:
        scaled = height * least[1] // width, least[1]
    # The width is scaled first.
    if max(height, scaled[0]) * scaled[1] > LARGEST_PICTURE:
        wanted = f"{preprocessing.width} by {preprocessing.height}"
        raise ZooError(f"{width} by {height} pixels are too narrow to be scaled to cover {wanted}: crop it first")
    return scaled


def before_crop(preprocessing: Preprocessing) -> tuple[int, int]:
    """The least height and width that a scaled picture has."""
    return int(preprocessing.height / preprocessing.crop), int(preprocessing.width / preprocessing.crop)


def pixels_from_bytes(encoded: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """uint8 [height, width, channels] of an encoded picture.

    Raises:
        ZooError: it cannot be decoded.
    """
    return pixels_from_picture(open_picture(encoded), preprocessing)


def open_picture(encoded: bytes) -> Image.Image:
    """The first frame of an encoded picture, decoded whole.

    Raises:
        ZooError: it is no picture, is damaged or cut short, or is too large.
    """
    picture = open_header(encoded)
    with _decoding():
        if ENDS.get(picture.format or "", b"") not in encoded:
            raise ValueError("the file is cut short")
        if picture.format == "PNG":
            # Loading alone passes over the checksums of the data (Pillow 13.0); libpng refuses what fails them.
            picture.verify()
            picture = open_header(encoded)
        picture.load()
    return picture


def open_header(encoded: bytes) -> Image.Image:
    """An encoded picture of which only format, mode and size have been read.

    Raises:
        ZooError: it is no picture, or is too large.
    """
    from PIL import Image

    with _decoding():
        picture = Image.open(io.BytesIO(encoded), formats=FORMATS)
    if picture.width * picture.height > LARGEST_PICTURE:
        raise ZooError(f"{picture.width} by {picture.height} pixels are more than {LARGEST_PICTURE}: scale it down")
    return picture


@contextlib.contextmanager
def _decoding() -> Iterator[None]:
    from PIL import Image

    try:
        yield
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ZooError(f"no JPEG, PNG, BMP or GIF that can be decoded ({str(error)[:80]})") from None


def pixels_from_picture(picture: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """uint8 [height, width, channels] of a decoded picture."""
    from PIL import Image

    picture = eight_bit(picture).convert(MODES[preprocessing.channels])
    height, width = covering(picture.height, picture.width, preprocessing)
    if (width, height) != picture.size:
        method = Image.Resampling[preprocessing.interpolation.upper()]
        # Band by band: scaling LA and RGBA, Pillow weighs colours by their alpha (13.0), and a graph does not.
        # Width, then height: given both, Pillow 13.0 begins with what it takes for cheaper, and 12 with the width. For
        # bicubic, which is clipped in between, the two orders are up to 30 levels apart.
        wider = [band.resize((width, picture.height), method) for band in picture.split()]
        bands = [band.resize((width, height), method) for band in wider]
        picture = Image.merge(picture.mode, bands)
    top, left = round((height - preprocessing.height) / 2), round((width - preprocessing.width) / 2)
    picture = picture.crop((left, top, left + preprocessing.width, top + preprocessing.height))
    return np.asarray(picture, np.uint8).reshape(preprocessing.shape)


def eight_bit(picture: Image.Image) -> Image.Image:
    """The picture in one of the modes that convert to each other without loss of meaning: L, LA, RGB or RGBA."""
    from PIL import Image

    if picture.mode.startswith(("I", "F")):
        # 16-bit grey: Pillow's own conversion to L would clip at 255 (Pillow 13.0); libpng keeps the high byte.
        return Image.fromarray((np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode == "1" else "RGB") if picture.mode not in MODES.values() else picture
