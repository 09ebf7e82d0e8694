"""One labelled picture as a source has it, and what a source gives: examples that no split has been dealt yet."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from zoo.errors import ZooError
from zoo.preprocess import MODES, eight_bit, open_header, open_picture

SHARE_OF_MEMORY = 4
"""Encoded pictures are held where all of them take less than the available memory over this."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An encoded picture on disk: `length` bytes from `offset` on; `plain` when it can be used as it stands."""

    path: str
    offset: int
    length: int
    plain: bool

    def read(self) -> bytes:
        """The picture as a plain JPEG or PNG.

        Raises:
            ZooError: the file is not what it was when the data were loaded.
        """
        try:
            with Path(self.path).open("rb") as file:
                file.seek(self.offset)
                encoded = file.read(self.length)
        except OSError as error:
            raise ZooError(f"{self.path} can no longer be read ({error.strerror}): start again") from None
        return encoded if self.plain else transcoded(encoded)


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled picture. `digest` is the SHA-256 of its bytes in the source, before any transcoding."""

    split: str
    label: int
    name: str
    encoded: bytes | Stored
    size: int
    height: int
    width: int
    grey: bool
    digest: bytes

    def read(self) -> bytes:
        """The picture as a plain JPEG or PNG."""
        return self.encoded if isinstance(self.encoded, bytes) else self.encoded.read()


@dataclass(frozen=True)
class Found:
    """What a source gives. The examples' splits are `train` and, where the source has them, `validation` and `test`."""

    source: str
    data_dir: str | None
    labels: tuple[str, ...]
    examples: list[Example]
    skipped: tuple[str, ...]
    licence: str


def examine(encoded: bytes, *, split: str, label: int, name: str, path: str, offset: int = 0) -> tuple[Example, bytes]:
    """The example that `encoded`, which lies at `offset` in `path`, makes; and its plain bytes. Only a header is read.

    Raises:
        ZooError: it is no picture, or must be transcoded and cannot be decoded.
    """
    picture = open_header(encoded)
    plain = is_plain(picture, encoded)
    usable = encoded if plain else transcoded(encoded)
    example = Example(
        split=split,
        label=label,
        name=name,
        encoded=Stored(path, offset, len(encoded), plain),
        size=len(usable),
        height=picture.height,
        width=picture.width,
        grey=picture.mode in ("1", "L", "LA") or picture.mode.startswith("I"),
        digest=hashlib.sha256(encoded).digest(),
    )
    return example, usable


def is_plain(picture: Image.Image, encoded: bytes) -> bool:
    """Whether TensorFlow and Pillow read the same pixels: from 8-bit JPEG, grey or RGB, and from 8-bit PNG."""
    if picture.format == "JPEG":
        return picture.mode in ("L", "RGB")
    # The byte at 24 is the bit depth, whatever mode Pillow makes of it.
    eight_bits = picture.format == "PNG" and encoded[24] == 8
    return eight_bits and picture.mode in MODES.values() and "transparency" not in picture.info


def transcoded(encoded: bytes) -> bytes:
    """A picture of any kind that Pillow reads as a plain PNG of the same pixels."""
    return png(eight_bit(open_picture(encoded)))


def png(picture: Image.Image) -> bytes:
    """A picture of mode L, LA, RGB or RGBA as a PNG file."""
    file = io.BytesIO()
    # Without its metadata, of which a profile would outweigh a small picture.
    Image.frombytes(picture.mode, picture.size, picture.tobytes()).save(file, "PNG")
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
