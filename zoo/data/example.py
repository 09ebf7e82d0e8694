"""One labeled image as a source has it, and what a source gives: examples that no split has been dealt yet."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from zoo.data.jpeg import loses_pixels
from zoo.errors import ZooError
from zoo.png_file import SIGNATURE, is_gray, is_whole
from zoo.preprocess import open_header, open_image, open_png

SHARE_OF_MEMORY = 4
"""Encoded images are held where all of them take less than the available memory over this."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An encoded image on disk: `length` bytes from `offset` on; `plain` where all decoders read it as it stands."""

    path: str
    offset: int
    length: int
    plain: bool

    def read(self) -> bytes:
        """The image as a plain JPEG or PNG.

        Raises:
            ZooError: the file is not what it was when the data were loaded.
        """
        try:
            with Path(self.path).open("rb") as file:
                file.seek(self.offset)
                encoded = file.read(self.length)
        except OSError as error:
            raise ZooError(f"{self.path} can no longer be read ({error.strerror}): start again") from None
        return usable(encoded, self.plain)


@dataclass(frozen=True, slots=True)
class Example:
    """A labeled image.

    `digest` is the SHA-256 of its bytes in the source, before any transcoding. `damage` says what of its pixels is lost
    where it can be decoded all the same.
    """

    split: str
    label: int
    name: str
    encoded: bytes | Stored
    size: int
    height: int
    width: int
    gray: bool
    digest: bytes
    damage: str = ""

    def read(self) -> bytes:
        """The image as a plain JPEG or PNG."""
        return self.encoded if isinstance(self.encoded, bytes) else self.encoded.read()


@dataclass(frozen=True)
class Found:
    """What a source gives. The examples' splits are `train` and, where the source has them, `validation` and `test`."""

    source: str
    data_dir: str | None
    labels: tuple[str, ...]
    examples: list[Example]
    skipped: tuple[str, ...]
    license: str


def examine(
    encoded: bytes, *, split: str, label: int, name: str, path: str, offset: int = 0, complaint: str = ""
) -> tuple[Example, bytes]:
    """The example that `encoded`, which lies at `offset` in `path`, makes; and its plain bytes. Only a header is read.

    A JPEG that libjpeg has a `complaint` about is transcoded, or TensorFlow (2.21) lets it be written to standard
    error.

    Raises:
        ZooError: it is no image, or must be transcoded and cannot be decoded.
    """
    image = open_header(encoded)
    plain = is_plain(image) and not complaint
    content = usable(encoded, plain)
    if plain and image.format == "PNG" and not is_whole(content):
        raise ZooError("a PNG whose pixels are fewer than its header says")
    example = Example(
        split=split,
        label=label,
        name=name,
        encoded=Stored(path, offset, len(encoded), plain),
        size=len(content),
        height=image.height,
        width=image.width,
        gray=is_gray(encoded) if image.format == "PNG" else image.mode in ("1", "L"),
        digest=hashlib.sha256(encoded).digest(),
        damage=complaint if loses_pixels(complaint) else "",
    )
    return example, content


def is_plain(image: Image.Image) -> bool:
    """Whether TensorFlow and Pillow read the same pixels: from JPEG, gray or RGB, and from every PNG."""
    return image.format == "PNG" or (image.format == "JPEG" and image.mode in ("L", "RGB"))


def usable(encoded: bytes, plain: bool) -> bytes:
    """An image as every decoder reads it: a PNG without its text, a plain JPEG as it is, others as PNG.

    Raises:
        ZooError: it cannot be decoded.
    """
    if not plain:
        return png(open_image(encoded))
    return open_png(encoded).encoded if encoded.startswith(SIGNATURE) else encoded


def png(image: Image.Image) -> bytes:
    """An image of mode L, LA, RGB or RGBA as a PNG file."""
    file = io.BytesIO()
    # Without its metadata, of which a profile would outweigh a small image.
    Image.frombytes(image.mode, image.size, image.tobytes()).save(file, "PNG")
    return file.getvalue()


def held_where_they_fit(examined: Iterable[tuple[Example, bytes]]) -> list[Example]:
    """Every example, with its bytes in memory where those of all fit; else each is read from disk when it is wanted."""
    import psutil

    budget = psutil.virtual_memory().available // SHARE_OF_MEMORY
    examples, held = [], []
    for example, encoded in examined:
        examples.append(example)
        budget -= len(encoded)
        if budget >= 0:
            held.append(encoded)
        else:
            held.clear()
    if budget < 0:
        return examples
    return [dataclasses.replace(example, encoded=encoded) for example, encoded in zip(examples, held, strict=True)]
