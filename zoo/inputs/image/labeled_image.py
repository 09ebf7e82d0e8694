"""A labeled image, and the labeled images that a source reads, before they are divided into splits."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from zoo.errors import ZooError
from zoo.inputs.image.jpeg import libjpeg_complaint, loses_pixels
from zoo.inputs.image.png_file import SIGNATURE, is_gray, is_whole
from zoo.inputs.image.preprocessing import open_header, open_image, open_png

SHARE_OF_MEMORY = 4
"""Encoded images are kept in memory if all of them take less than the available memory divided by this."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """An encoded image in a file: `length` bytes from `offset` on.

    `portable` says that TensorFlow and Pillow decode those bytes alike, so that they need no transcoding.
    """

    path: str
    offset: int
    length: int
    portable: bool

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
        return to_portable(encoded, self.portable)


@dataclass(frozen=True, slots=True)
class LabeledImage:
    """One image with its label.

    Attributes:
        split: `train`, `validation` or `test`.
        label: the place of its class among the dataset's labels.
        name: what messages call it.
        encoded: a portable JPEG or PNG, or where to read one.
        size: bytes of the portable image.
        height: in pixels.
        width: in pixels.
        gray: whether it has no colors.
        digest: SHA-256 of its bytes as the source has them, before any transcoding.
        damage: libjpeg's complaint, if it decodes with pixels missing; empty for an undamaged image.
    """

    split: str
    label: int
    name: str
    encoded: bytes | FileSlice
    size: int
    height: int
    width: int
    gray: bool
    digest: bytes
    damage: str = ""

    def read(self) -> bytes:
        """Return the image as a portable JPEG or PNG."""
        return self.encoded if isinstance(self.encoded, bytes) else self.encoded.read()


@dataclass(frozen=True)
class UnreadableImage:
    """An image that a source could not read, and the reason in words that follow `NAME: `."""

    split: str
    label: int
    name: str
    reason: str


@dataclass(frozen=True)
class RawDataset:
    """The labeled images of a source, with the splits that the source itself has.

    Attributes:
        labels: the names of the classes.
        images: every image that can be read. Those of a source without splits are all in `train`.
        unreadable: the images that cannot be read.
        argument: the argument that reads the same data again, such as an absolute path or a name with its version.
        data_dir: the option `data_dir` that reads the same data again, None if the source has no such option.
        license: the license that the dataset itself states, None if it states none.
    """

    labels: tuple[str, ...]
    images: list[LabeledImage]
    unreadable: tuple[UnreadableImage, ...] = ()
    argument: str = ""
    data_dir: str | None = None
    license: str | None = None


def inspect_image(
    encoded: bytes, *, split: str, label: int, name: str, path: str, offset: int = 0
) -> tuple[LabeledImage, bytes]:
    """Describe an encoded image that lies at `offset` in the file `path`; also return it as a portable image.

    A portable image is not decoded, but for a quick look by libjpeg: a JPEG that libjpeg complains about is transcoded,
    because TensorFlow 2.21 would print the complaint to standard error each time.

    Raises:
        ZooError: it is not an image, or must be transcoded and cannot be decoded.
    """
    image = open_header(encoded)
    complaint = libjpeg_complaint(encoded) if image.format in ("JPEG", "MPO") else ""
    portable = is_portable(image) and not complaint
    content = to_portable(encoded, portable)
    if portable and image.format == "PNG" and not is_whole(content):
        raise ZooError("a PNG with fewer pixels than its header says")
    described = LabeledImage(
        split=split,
        label=label,
        name=name,
        encoded=FileSlice(path, offset, len(encoded), portable),
        size=len(content),
        height=image.height,
        width=image.width,
        gray=is_gray(encoded) if image.format == "PNG" else image.mode in ("1", "L"),
        digest=hashlib.sha256(encoded).digest(),
        damage=complaint if loses_pixels(complaint) else "",
    )
    return described, content


def is_portable(image: Image.Image) -> bool:
    """Tell whether TensorFlow and Pillow decode an image to the same pixels: every PNG, and gray and RGB JPEGs."""
    return image.format == "PNG" or (image.format == "JPEG" and image.mode in ("L", "RGB"))


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


def collect_images(
    inspected: Iterable[tuple[LabeledImage, bytes] | UnreadableImage],
) -> tuple[list[LabeledImage], tuple[UnreadableImage, ...]]:
    """Separate the images that can be read from the others, and keep their bytes in memory if all of them fit.

    Args:
        inspected: what `inspect_image` returns for each image, or why it cannot be read.

    Returns:
        The images, each with its bytes or with the place in its file to read them from; and the unreadable images.
    """
    import psutil

    budget = psutil.virtual_memory().available // SHARE_OF_MEMORY
    images: list[LabeledImage] = []
    contents: list[bytes] = []
    unreadable: list[UnreadableImage] = []
    for result in inspected:
        if isinstance(result, UnreadableImage):
            unreadable.append(result)
            continue
        image, content = result
        images.append(image)
        budget -= len(content)
        if budget >= 0:
            contents.append(content)
        else:
            contents.clear()
    if budget >= 0:
        images = [dataclasses.replace(image, encoded=content) for image, content in zip(images, contents, strict=True)]
    return images, tuple(unreadable)
