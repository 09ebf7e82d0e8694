"""Make PNG files of every depth, color type, filter and interlacing; Pillow does not write all of them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""The number of samples of a pixel, by color type."""

KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8)]
KINDS += [(4, 8), (4, 16), (6, 8), (6, 16)]
"""Color type and depth of every PNG that there is."""

PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
"""First row and column, and the steps between them, of Adam7's passes."""


def chunk(kind: bytes, data: bytes, *, sound: bool = True) -> bytes:
    """Make a chunk; its checksum is wrong unless it is `sound`."""
    checksum = zlib.crc32(kind + data) ^ (not sound)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png_file(
    samples: np.ndarray,
    color: int,
    depth: int,
    *,
    interlaced: bool = False,
    filters: int = 0,
    before: Sequence[bytes] = (),
) -> bytes:
    """Encode unsigned samples [height, width, channels] as PNG.

    `before` are the chunks between the header and the pixels. The rows have the five filters of PNG in turn, beginning
    with `filters`.
    """
    height, width, _ = samples.shape
    places = PASSES if interlaced else [(0, 0, 1, 1)]
    parts = [samples[top::down, left::right] for top, left, down, right in places]
    rows = b"".join(_filtered(part, depth, filters) for part in parts if part.size)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *before,
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def _filtered(samples: np.ndarray, depth: int, first: int) -> bytes:
    rows = []
    above: np.ndarray | None = None
    step = max(1, samples.shape[2] * depth // 8)
    for number, row in enumerate(samples):
        if depth == 16:
            packed = np.frombuffer(row.astype(">u2").tobytes(), np.uint8)
        else:
            bits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth :]
            packed = np.packbits(bits.ravel())
        up = np.zeros_like(packed) if above is None else above
        left, corner = (np.concatenate([np.zeros(step, np.uint8), one])[: len(packed)] for one in (packed, up))
        a, b, c = (one.astype(int) for one in (left, up, corner))
        distances = np.abs([b - c, a - c, a + b - 2 * c])
        nearest = np.choose(distances.argmin(0), [a, b, c])
        kind = (first + number) % 5
        rows.append(bytes([kind]) + (packed - [0 * a, a, b, (a + b) // 2, nearest][kind]).astype(np.uint8).tobytes())
        above = packed
    return b"".join(rows)
