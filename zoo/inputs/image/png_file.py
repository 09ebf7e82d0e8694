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
"""Other chunks that libpng does not decompress, and does not warn about where programs write them as usual.

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
"""The offsets of the type of the first chunk, of the bit depth and of the color type in a file."""

HEADER = 33
"""The offset of the end of the first chunk."""


@dataclass(frozen=True)
class PngFile:
    """The parts of a PNG file that its pixels depend on.

    Attributes:
        encoded: the file without its other parts, such as texts, color profiles and animation frames.
        depth: the bits of a sample.
        color: the color type.
        key: the transparent color of a gray or RGB image, a sample for each channel; None if no color is transparent.
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
    needed_parts, seen_types, last_type, key, has_key = [SIGNATURE], set[bytes](), b"", None, False
    depth = color = palette_entries = 0
    for chunk_type, data, is_intact in _chunks(encoded):
        is_needed = chunk_type in CRITICAL
        # libpng 1.6 refuses an unknown type that is critical: bit 5 of its first letter is 0.
        if not is_needed and not chunk_type[0] & 0x20:
            raise ValueError(f"it has an unknown part {chunk_type!r:.20}")
        if is_needed and not is_intact:
            raise ValueError(f"the checksum of its {chunk_type.decode()} is wrong")
        if (chunk_type == b"IHDR") != (not last_type):
            raise ValueError("its header is not the first part, or is there twice")
        if chunk_type == b"IHDR":
            if len(data) != 13 or data[10:] not in (b"\0\0\0", b"\0\0\1"):
                raise ValueError("its header is of an unknown kind")
            depth, color = data[8], data[9]
        elif chunk_type == b"PLTE":
            if chunk_type in seen_types or (color == PALETTE and not 3 <= len(data) <= 768):
                raise ValueError("its palette is there twice, or has another length")
            # In images of other types the palette is only a suggestion.
            is_needed = color == PALETTE
            palette_entries = min(len(data) // 3, 1 << depth)
        elif chunk_type == b"IDAT":
            if color == PALETTE and not palette_entries:
                raise ValueError("its palette is missing")
            if chunk_type in seen_types and last_type != chunk_type:
                raise ValueError("its pixels are in two places")
        elif chunk_type == b"tRNS":
            in_order = chunk_type not in seen_types and b"IDAT" not in seen_types
            fits_color_type = (
                0 < len(data) <= palette_entries if color == PALETTE else len(data) == KEY_BYTES.get(color)
            )
            is_needed = has_key = is_intact and in_order and fits_color_type
            if is_needed and color != PALETTE:
                key = tuple(sample & ((1 << depth) - 1) for sample in struct.unpack(f">{len(data) // 2}H", data))
        if is_needed:
            needed_parts.append(_chunk(chunk_type, data))
        last_type = chunk_type
        if is_intact:
            seen_types.add(chunk_type)
    if last_type != b"IEND":
        raise ValueError("cut short")
    return PngFile(b"".join(needed_parts), depth, color, key, has_key or color in (GRAY_ALPHA, RGBA))


def is_gray(encoded: bytes) -> bool:
    """Return whether a PNG has no colors, by its header: Pillow 13.0 opens 16-bit gray with alpha as RGBA."""
    return encoded[COLOR_TYPE] in (GRAY, GRAY_ALPHA)


def is_whole(encoded: bytes) -> bool:
    """Return whether a PNG with right checksums has all pixels that its header announces, and their data end properly.

    libpng refuses other files, and Pillow 13.0 reads them.
    """
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", encoded, len(SIGNATURE) + 8)
    bits = depth * SAMPLES.get(color, 0)
    sizes = [(-(-(height - top) // down), -(-(width - left) // right)) for top, left, down, right in PASSES[interlaced]]
    missing_bytes = sum(rows * (1 + -(-columns * bits // 8)) for rows, columns in sizes if rows > 0 and columns > 0)
    decompressor = zlib.decompressobj()
    for chunk_type, data, _ in _chunks(encoded):
        if chunk_type != b"IDAT":
            continue
        while data and missing_bytes >= 0 and not decompressor.eof:
            try:
                missing_bytes -= len(decompressor.decompress(data, READ_AT_ONCE))
            except zlib.error:
                return False
            data = decompressor.unconsumed_tail
    return missing_bytes < 0 or (missing_bytes == 0 and decompressor.eof)


def is_quiet(encoded: bytes) -> bool:
    """Return whether libpng reads a valid PNG as it is, without a warning or decompressing anything but the pixels."""
    return all(is_intact and chunk_type in CRITICAL + QUIET for chunk_type, _, is_intact in _chunks(encoded))


def header_only(encoded: bytes) -> bytes:
    """Return a file with the header of a PNG and no pixels."""
    return encoded[:HEADER] + _chunk(b"IDAT", b"")


def _chunk(chunk_type: bytes, data: bytes) -> bytes:
    return b"".join(
        [struct.pack(">I", len(data)), chunk_type, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(chunk_type)))]
    )


def _chunks(encoded: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield the type and the data of every complete chunk, and whether its checksum is right, up to the end chunk."""
    offset, chunk_type = len(SIGNATURE), b""
    while chunk_type != b"IEND" and offset + 12 <= len(encoded):
        (length,) = struct.unpack_from(">I", encoded, offset)
        chunk_type, end = encoded[offset + 4 : offset + 8], offset + 8 + length
        if not chunk_type.isalpha():
            raise ValueError("it is damaged between two of its parts")
        if end + 4 > len(encoded):
            return
        data = encoded[offset + 8 : end]
        yield chunk_type, data, encoded[end : end + 4] == struct.pack(">I", zlib.crc32(data, zlib.crc32(chunk_type)))
        offset = end + 4
