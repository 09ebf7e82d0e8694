"""Images of datasets: their properties, and portable forms of them that TensorFlow and Pillow decode alike."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from zoo.data.entries import read_file
from zoo.data.example import Example
from zoo.errors import ZooError
from zoo.inputs.image.jpeg import libjpeg_complaint, loses_pixels
from zoo.inputs.image.png_file import SIGNATURE, is_gray, is_quiet, is_whole
from zoo.inputs.image.preprocessing import open_header, open_image, open_png


@dataclass(frozen=True, slots=True)
class FileSlice:
    """An encoded image in a file: `length` bytes from `offset` on.

    `portable` says that TensorFlow and Pillow decode those bytes alike, so that they need no transcoding; `whole` that
    they are all of the file, and that TensorFlow can read them as they are.
    """

    path: str
    offset: int
    length: int
    portable: bool
    whole: bool = False

    @property
    def file(self) -> str:
        """The path of the file if TensorFlow can read it as it is, else an empty string."""
        return self.path if self.whole else ""

    def read(self) -> bytes:
        """Read the image as a portable JPEG or PNG.

        Raises:
            ZooError: the file cannot be read any more.
        """
        try:
            with Path(self.path).open("rb") as file:
                file.seek(self.offset)
                encoded = file.read(self.length)
        except OSError as error:
            raise ZooError(f"{self.path} can no longer be read ({error.strerror}): start again") from None
        if len(encoded) != self.length:
            raise ZooError(f"{self.path} has become shorter: start again")
        return to_portable(encoded, self.portable)


@dataclass(frozen=True, slots=True)
class ImageTraits:
    """The properties of an image that are known without decoding it again.

    Attributes:
        height: the height in pixels.
        width: the width in pixels.
        gray: whether it has no colors.
        damage: libjpeg's complaint, if the image can be decoded but lacks pixels; empty for an undamaged image.
    """

    height: int
    width: int
    gray: bool
    damage: str = ""


RECORDS = (FileSlice, ImageTraits)


def inspect(path: Path, *, split: str, target: Any, name: str) -> Example:
    """Decode an image file whole, to find damage, and inspect it.

    Raises:
        ZooError: it is not an image, or is damaged.
    """
    encoded = read_file(path)
    open_image(encoded)
    example, content = inspect_image(encoded, split=split, target=target, name=name, path=str(path))
    whole = content == encoded or (encoded.startswith(SIGNATURE) and is_quiet(encoded))
    file_slice = FileSlice(str(path), 0, len(encoded), example.content.portable, whole)
    return dataclasses.replace(example, content=file_slice)


def inspect_image(
    encoded: bytes, *, split: str, target: Any, name: str, path: str, offset: int = 0
) -> tuple[Example, bytes]:
    """Describe an encoded image that lies at `offset` in the file `path`; also return it as a portable image.

    A portable image is not decoded, except for a quick look by libjpeg: a JPEG that libjpeg complains about is
    transcoded, because TensorFlow 2.21 would print the complaint to standard error each time.

    Raises:
        ZooError: it is not an image, or must be transcoded and cannot be decoded.
    """
    image = open_header(encoded)
    complaint = libjpeg_complaint(encoded) if image.format in ("JPEG", "MPO") else ""
    portable = is_portable(image) and not complaint
    content = to_portable(encoded, portable)
    if portable and image.format == "PNG" and not is_whole(content):
        raise ZooError("a PNG with fewer pixels than its header says")
    traits = ImageTraits(
        height=image.height,
        width=image.width,
        gray=is_gray(encoded) if image.format == "PNG" else image.mode in ("1", "L"),
        damage=complaint if loses_pixels(complaint) else "",
    )
    described = Example(
        split=split,
        target=target,
        name=name,
        content=FileSlice(path, offset, len(encoded), portable),
        size=len(content),
        digest=hashlib.sha256(encoded).digest(),
        traits=traits,
    )
    return described, content


def is_portable(image: Image.Image) -> bool:
    """Return whether TensorFlow and Pillow decode an image to the same pixels: every PNG, and gray and RGB JPEGs.

    An MPO file is a JPEG with further images after the first one, which TensorFlow and Pillow ignore; phones write such
    files.
    """
    return image.format == "PNG" or (image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB"))


def to_portable(encoded: bytes, portable: bool) -> bytes:
    """Transcode an image to PNG unless it is portable. A portable PNG loses its texts, a portable JPEG nothing.

    Raises:
        ZooError: it cannot be decoded.
    """
    if not portable:
        return encode_png(open_image(encoded))
    return open_png(encoded).encoded if encoded.startswith(SIGNATURE) else encoded


def encode_png(image: Image.Image) -> bytes:
    """Encode an image of mode L, LA, RGB or RGBA as PNG, without metadata."""
    file = io.BytesIO()
    # A new image, because a color profile that comes along may be larger than a small image itself.
    Image.frombytes(image.mode, image.size, image.tobytes()).save(file, "PNG")
    return file.getvalue()
