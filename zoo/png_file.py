"""The chunks of a PNG file: what decides its pixels, without what does not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""The color types."""

CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")

KEY_BYTES = {GRAY: 2, RGB: 6}
"""The length of a tRNS chunk by color type, where it holds the one color that is transparent."""


SAMPLES = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
"""The samples of a pixel, by color type."""

PASSES = (
    ((0, 0, 1, 1),),
    ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
"""First row and column of each pass, and the steps between them: of plain images, and of interlaced ones."""

READ_AT_ONCE = 2**20
"""Bytes of pixels."""

DEPTH, COLOR_TYPE = 24, 25
"""The places of bit depth and color type in a file."""

HEADER = 33
"""The bytes of a file up to the end of its first chunk."""


@dataclass(frozen=True)
class PngFile:
    """The parts of a PNG file that decide its pixels.

    `encoded` is the file without all other parts: text, profiles, frames of an animation, what follows the end.
    `depth` is the bits of a sample, `color` the color type. `key` is the transparent color of a gray or RGB image, a
    sample a channel, None where there is none. `transparent`: whether it has alpha, of whatever kind.
    """

    encoded: bytes
    depth: int
    color: int
    key: tuple[int, ...] | None
    transparent: bool


def read_png(encoded: bytes) -> PngFile:
    """The parts of a PNG file that decide its pixels, each with its checksum checked.

    It takes and passes over what libpng does: a chunk that is not needed may be damaged and of any size. So a tRNS
    chunk counts where libpng counts it: once, before the pixels, behind the palette, of a fitting length.

    Raises:
        ValueError: the file is cut short, or a part that is needed is damaged.
    """
    kept, seen, last, key, keyed = [SIGNATURE], set[bytes](), b"", None, False
    depth = color = entries = 0
    for kind, data, sound in _chunks(encoded):
        needed = kind in CRITICAL
        # libpng 1.6 refuses kinds that it does not know where bit 5 of the first letter says that they matter.
        if not needed and not kind[0] & 0x20:
            raise ValueError(f"it has an unknown part {kind!r:.20}")
        if needed and not sound:
            raise ValueError(f"the checksum of its {kind.decode()} is wrong")
        if (kind == b"IHDR") != (not last):
            raise ValueError("its header is not the first part, or is there twice")
        if kind == b"IHDR":
            if len(data) != 13 or data[10:] not in (b"\0\0\0", b"\0\0\1"):
                raise ValueError("its header is none that is known")
            depth, color = data[8], data[9]
        elif kind == b"PLTE":
            if kind in seen or (color == PALETTE and not 3 <= len(data) <= 768):
                raise ValueError("its palette is there twice, or has another length")
            # In other images it is a suggestion.
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
    """Whether the header of a PNG says that it has no colors; Pillow 13.0 takes 16 bits of gray and alpha for RGBA."""
    return encoded[COLOR_TYPE] in (GRAY, GRAY_ALPHA)


def is_whole(encoded: bytes) -> bool:
    """Whether the compressed pixels of a sound PNG are as many as its header says, and come to their end.

    libpng refuses others, and Pillow (13.0) reads them.
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


def header_only(encoded: bytes) -> bytes:
    """A file with the header of a PNG and no pixels."""
    return encoded[:HEADER] + _chunk(b"IDAT", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"".join([struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))])


def _chunks(encoded: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Kind, data and whether the checksum is right, of every chunk that is whole, to the end."""
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
