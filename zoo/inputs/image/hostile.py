"""Hostile images: small files that claim a huge image, or decompress to one, to exhaust a server."""

from __future__ import annotations

import functools
import io
import struct
import zlib

from PIL import Image

from zoo.inputs.image.preprocessing import MOST_PARTS, PARTS
from zoo.inputs.image.uploads import PNG

GRAY, RGB = 0, 2
"""Color types in a PNG header."""


@functools.cache
def refused_images() -> dict[str, bytes]:
    """Return files that every network has to refuse, all because of their headers; by name."""
    jpeg = _jpeg("RGB", 16)
    return {
        "a PNG of 60000 by 1": png(60_000, 1),
        "a PNG of 1 by 60000": png(1, 60_000),
        "a PNG of 20000 by 1": png(20_000, 1),
        "a PNG of 20000 by 20000, 1 bit": png(20_000, 20_000, bits=1, kind=GRAY),
        "a PNG that claims all that its header can": png(2**31 - 1, 2**31 - 1, pixels=_compressed_zeros(9)),
        "a JPEG that claims 65500 by 65500": claiming(jpeg, 65_500, 65_500),
        "a JPEG of many scans": of_many_scans(MOST_PARTS + 200),
        "a PNG of many compressed texts": png(9, 9, texts=MOST_PARTS + 200),
    }


@functools.cache
def costly_images() -> dict[str, bytes]:
    """Return files that a network may answer or refuse, because they claim no more than is allowed; by name."""
    jpeg = _jpeg("RGB", 16)
    return {
        "a PNG of 16000 by 1": png(16_000, 1),
        "a PNG that claims 5000 by 5000": png(5_000, 5_000, pixels=_compressed_zeros(9)),
        "a JPEG that claims 5000 by 5000": claiming(jpeg, 5_000, 5_000),
        "a PNG of 5000 by 5000, 1 bit": png(5_000, 5_000, bits=1, kind=GRAY),
        "a PNG with 50 MB too much of data": png(9, 9, pixels=_compressed_zeros(50_000_000)),
        "a JPEG of as many scans as may be": of_many_scans(MOST_PARTS),
    }


def png(width: int, height: int, *, bits: int = 8, kind: int = RGB, pixels: bytes = b"", texts: int = 0) -> bytes:
    """Build a PNG file.

    Args:
        width: the width in its header.
        height: the height in its header.
        bits: bits per channel.
        kind: `GRAY` or `RGB`.
        pixels: the compressed pixels; by default those of a black image.
        texts: the number of compressed texts, of 8 MB each.
    """
    line = 1 + (width * bits * (3 if kind == RGB else 1) + 7) // 8
    text = b"Comment\0\0" + _compressed_zeros(7_900_000) if texts else b""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    chunks = [_chunk(b"IHDR", header), _chunk(b"zTXt", text) * texts]
    return b"".join([PNG, *chunks, _chunk(b"IDAT", pixels or _compressed_zeros(line * height)), _chunk(b"IEND", b"")])


def claiming(jpeg: bytes, width: int, height: int) -> bytes:
    """Write another size into the header of a JPEG file."""
    offset = jpeg.index(b"\xff\xc0") + 5  # behind the marker SOF0, a length and a precision
    return jpeg[:offset] + struct.pack(">HH", height, width) + jpeg[offset + 4 :]


def of_many_scans(count: int) -> bytes:
    """Build a progressive JPEG file of 2000 by 2000 pixels with `count` scans, by repeating its last one."""
    jpeg = _jpeg("L", 2_000, progressive=True)
    scans = jpeg.count(PARTS["JPEG"])
    last_scan = jpeg[jpeg.rindex(PARTS["JPEG"]) : -2]
    return jpeg[:-2] + last_scan * (count - scans) + jpeg[-2:]


def _jpeg(mode: str, side: int, **options: bool) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _compressed_zeros(count: int) -> bytes:
    compressor, block = zlib.compressobj(9), bytes(2**20)
    whole_blocks, remainder = divmod(count, len(block))
    return b"".join(
        [
            *(compressor.compress(block) for _ in range(whole_blocks)),
            compressor.compress(block[:remainder]),
            compressor.flush(),
        ]
    )


def _chunk(chunk_type: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + chunk_type + content + struct.pack(">I", zlib.crc32(chunk_type + content))
