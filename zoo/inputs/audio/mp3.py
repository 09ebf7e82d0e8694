"""The length of MP3 files, from their frames (ISO 11172-3, section 2.4.2.3; ISO 13818-3 for the lower rates)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

BITRATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Kilobits per second of layer III by their number in a frame's header, for MPEG-1 and for the versions after it."""

RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Samples per second by their number in the header, for MPEG-1, MPEG-2 and MPEG-2.5."""

TRIMMED = 4 * 1152
"""The most samples at the two ends together that the encoder adds and decoders leave out."""

ID3 = 10
"""Bytes of the header of an ID3 tag before the first frame."""


def states_length(file: bytes) -> bool:
    """Return whether the first frame holds the number of all frames, as encoders with a variable bit rate write it."""
    return _length_offset(file) is not None


def is_cut_short(file: bytes) -> bool:
    """Return whether the first frame says that the file was longer; libsndfile (1.2) appends silence.

    That frame holds `Xing` or `Info`, flags, and the numbers of frames and bytes.
    """
    offset = _length_offset(file)
    if offset is None or len(file) < offset + 16:
        return False
    flags, _, size = struct.unpack_from(">III", file, offset + 4)
    return flags & 3 == 3 and size > len(file) - _begin(file)


def _length_offset(file: bytes) -> int | None:
    """Return the offset of `Xing` or `Info`, which precedes the numbers of frames and bytes; None if there is none."""
    begin = _begin(file)
    offsets = [offset for mark in (b"Xing", b"Info") if (offset := file.find(mark, begin, begin + 200)) >= 0]
    return min(offsets, default=None)


def samples(file: bytes) -> int:
    """Return the samples of all frames up to the first bytes that are not a frame."""
    return sum(count for _, count in _frames(file))


def _begin(file: bytes) -> int:
    """Return the offset of the first frame, after an ID3 tag."""
    if not file.startswith(b"ID3") or len(file) < ID3:
        return 0
    size = 0
    for byte in file[6:ID3]:  # seven bits each
        size = size << 7 | byte & 127
    return ID3 + size


def _frames(file: bytes) -> Iterator[tuple[int, int]]:
    """Yield the bytes and the samples of each frame."""
    offset = _begin(file)
    while offset + 4 <= len(file):
        first, second, third = file[offset], file[offset + 1], file[offset + 2]
        version, layer = second >> 3 & 3, second >> 1 & 3
        bitrate, rate = third >> 4, third >> 2 & 3
        if first != 0xFF or second & 0xE0 != 0xE0 or version == 1 or layer != 1 or bitrate in (0, 15) or rate == 3:
            return
        is_mpeg_1 = version == 3
        count = 1152 if is_mpeg_1 else 576
        size = count // 8 * 1000 * BITRATES[is_mpeg_1][bitrate] // RATES[version][rate] + (third >> 1 & 1)
        yield size, count
        offset += size
