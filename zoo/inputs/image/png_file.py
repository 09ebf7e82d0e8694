"""Read the chunks of a PNG file, and keep those that its pixels depend on."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""The color types."""

CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")

QUIET = (b"tRNS", b"pHYs", b"tIME", b"tEXt", b"eXIf", b"gAMA", b"sRGB", b"cHRM", b"sBIT", b"bKGD")
"""Other chunks that libpng neither decompresses nor, as programs write them, warns about.

Of these, only tRNS can change the pixels: TensorFlow 2.21 asks libpng to apply no gamma and no background. Color
profiles, compressed and international texts are missing here: libpng decompresses them and warns about many profiles.
"""

KEY_BYTES = {GRAY: 2, RGB: 6}
"""The bytes of a tRNS chunk that holds one transparent color, by color type."""

SAMPLES = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
"""The number of samples of a pixel, by color type."""

PASSES = (
    ((0, 0, 1, 1),),
    ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
"""First row, first column and the steps between rows and columns of each pass, without and with interlacing."""

READ_AT_ONCE = 2**20
"""The number of bytes of pixels that are decompressed at a time."""

FIRST_KIND, DEPTH, COLOR_TYPE = 12, 24, 25
"""The offsets of the kind of the first chunk, and of bit depth and color type, in a file."""

HEADER = 33
"""The offset of the end of the first chunk."""


@dataclass(frozen=True)
class PngFile:
    """The parts of a PNG file that its pixels depend on.

    Attributes:
        encoded: the file without its other parts, such as texts, color profiles and animation frames.
        depth: bits of a sample.
        color: the color type.
        key: the transparent color of a gray or RGB image, one sample a channel; None if there is none.
        transparent: whether it has alpha of any kind.
    """

    encoded: bytes
    depth: int
    color: int
    key: tuple[int, ...] | None
    transparent: bool


def read_png(encoded: bytes) -> PngFile:
    """Read the parts of a PNG file that its pixels depend on, and check their checksums.

    It accepts and ignores the same chunks as libpng. A chunk that is not needed may be damaged and of any size. A tRNS
    chunk counts only once, before the pixels, after the palette, and with the right length.

    Raises:
        ValueError: the file is cut short, or a part that is needed is damaged.
    """
    kept, seen, last, key, keyed = [SIGNATURE], set[bytes](), b"", None, False
    depth = color = entries = 0
    for kind, data, sound in _chunks(encoded):
        needed = kind in CRITICAL
        # libpng 1.6 refuses an unknown kind that is critical: bit 5 of its first letter is 0.
        if not needed and not kind[0] & 0x20:
            raise ValueError(f"it has an unknown part {kind!r:.20}")
        if needed and not sound:
            raise ValueError(f"the checksum of its {kind.decode()} is wrong")
        if (kind == b"IHDR") != (not last):
            raise ValueError("its header is not the first part, or is there twice")
        if kind == b"IHDR":
            if len(data) != 13 or data[10:] not in (b"\0\0\0", b"\0\0\1"):
                raise ValueError("its header is of an unknown kind")
            depth, color = data[8], data[9]
        elif kind == b"PLTE":
            if kind in seen or (color == PALETTE and not 3 <= len(data) <= 768):
                raise ValueError("its palette is there twice, or has another length")
            # In images of other types the palette is only a suggestion.
            needed = color == PALETTE
            entries = min(len(data) // 3, 1 << depth)
        elif kind == b"IDAT":
            if color == PALETTE and not entries:
                raise ValueError("its palette is missing")
            if kind in seen and last != kind:
                raise ValueError("its pixels are in two places")
        elif kind == b"tRNS":
            in_place = kind not in seen and b"IDAT" not in seen
            fits = 0 < len(data) <= entries if color == PALETTE else len(data) == KEY_BYTES.get(color)
            needed = keyed = sound and in_place and fits
            if needed and color != PALETTE:
                key = tuple(sample & ((1 << depth) - 1) for sample in struct.unpack(f">{len(data) // 2}H", data))
        if needed:
            kept.append(_chunk(kind, data))
        last = kind
        if sound:
            seen.add(kind)
    if last != b"IEND":
        raise ValueError("cut short")
    return PngFile(b"".join(kept), depth, color, key, keyed or color in (GRAY_ALPHA, RGBA))


def is_gray(encoded: bytes) -> bool:
    """Return whether a PNG has no colors, by its header: Pillow 13.0 opens 16-bit gray with alpha as RGBA."""
    return encoded[COLOR_TYPE] in (GRAY, GRAY_ALPHA)


def is_whole(encoded: bytes) -> bool:
    """Return whether a PNG with right checksums has as many pixels as its header says, and their data end properly.

    libpng refuses other files, and Pillow 13.0 reads them.
    """
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", encoded, len(SIGNATURE) + 8)
    bits = depth * SAMPLES.get(color, 0)
    sizes = [(-(-(height - top) // down), -(-(width - left) // right)) for top, left, down, right in PASSES[interlaced]]
    missing = sum(rows * (1 + -(-columns * bits // 8)) for rows, columns in sizes if rows > 0 and columns > 0)
    inflating = zlib.decompressobj()
    for kind, data, _ in _chunks(encoded):
        if kind != b"IDAT":
            continue
        while data and missing >= 0 and not inflating.eof:
            try:
                missing -= len(inflating.decompress(data, READ_AT_ONCE))
            except zlib.error:
                return False
            data = inflating.unconsumed_tail
    return missing < 0 or (missing == 0 and inflating.eof)


def is_quiet(encoded: bytes) -> bool:
    """Return whether libpng reads a valid PNG as it is, without a warning or decompressing anything but the pixels."""
    return all(sound and kind in CRITICAL + QUIET for kind, _, sound in _chunks(encoded))


def header_only(encoded: bytes) -> bytes:
    """Return a file with the header of a PNG and no pixels."""
    return encoded[:HEADER] + _chunk(b"IDAT", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"".join([struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))])


def _chunks(encoded: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield kind, data and whether the checksum is right, of every complete chunk, up to the end chunk."""
    place, kind = len(SIGNATURE), b""
    while kind != b"IEND" and place + 12 <= len(encoded):
        (length,) = struct.unpack_from(">I", encoded, place)
        kind, behind = encoded[place + 4 : place + 8], place + 8 + length
        if not kind.isalpha():
            raise ValueError("it is damaged between two of its parts")
        if behind + 4 > len(encoded):
            return
        data = encoded[place + 8 : behind]
        yield kind, data, encoded[behind : behind + 4] == struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        place = behind + 4
