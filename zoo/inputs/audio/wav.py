"""WAV files of 16-bit samples: their header, which a small file may fill with any sizes, and their samples.

`zoo.inputs.audio.graph` reads the same files with TensorFlow operations, to the bit.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from zoo.errors import ZooError

PCM, EXTENSIBLE = 0x0001, 0xFFFE
"""Codes of encodings: integer samples, and a code that says that the real one is in the format chunk's extension."""

MOST_CHUNKS = 64
"""The most parts of a file before its samples: a small file may have millions."""

MOST_CHANNELS = 8
"""Surround sound has eight channels; a file that claims more is refused."""

FULL_SCALE = 32768
"""The 16-bit sample -32768 stands for -1."""


@dataclass(frozen=True)
class Wav:
    """The header of a WAV file.

    Attributes:
        encoding: `PCM` for integer samples, else another code of Microsoft's list.
        channels: the number of channels; a frame has one sample of each.
        rate: frames a second.
        frame_size: the bytes of a frame.
        bits: the bits of a sample.
        start: the offset of the first sample in the file, in bytes.
        size: the bytes of all samples, as the header claims.
    """

    encoding: int
    channels: int
    rate: int
    frame_size: int
    bits: int
    start: int
    size: int

    @property
    def is_16_bit(self) -> bool:
        """True if samples are 16-bit integers."""
        return self.encoding == PCM and self.bits == 16


def is_wav(file: bytes) -> bool:
    """Return whether a file begins as WAV files do."""
    return file[:4] == b"RIFF" and file[8:12] == b"WAVE"


def read_header(file: bytes) -> Wav:
    """Read the header of a WAV file.

    Raises:
        ZooError: the header is damaged, or claims more samples than the file holds.
    """
    offset, format_chunk = 12, b""
    for _ in range(MOST_CHUNKS):
        if offset + 8 > len(file):
            break
        name, size = struct.unpack_from("<4sI", file, offset)
        offset += 8
        if name == b"data":
            return _header(file, format_chunk, offset, size)
        if name == b"fmt ":
            format_chunk = file[offset : offset + min(size, 40)]
        offset += size + size % 2
    raise ZooError("a damaged WAV (no samples were found): save it again")


def _header(file: bytes, format_chunk: bytes, start: int, size: int) -> Wav:
    if len(format_chunk) < 16:
        raise ZooError("a damaged WAV (it does not say its format before its samples): save it again")
    if size > len(file) - start:
        raise ZooError(f"a WAV cut short: its header claims {size} bytes of sound, it holds {len(file) - start}")
    encoding, channels, rate, _, frame_size, bits = struct.unpack_from("<HHIIHH", format_chunk)
    if encoding == EXTENSIBLE:
        encoding = int.from_bytes(format_chunk[24:26], "little") if len(format_chunk) >= 26 else 0
    if not 1 <= channels <= MOST_CHANNELS:
        raise ZooError(f"a WAV that claims {channels} channels: mix it down to one")
    if encoding == PCM and bits == 16 and frame_size != 2 * channels:
        raise ZooError(
            f"a damaged WAV (frames of {frame_size} bytes for {channels} channels of 16 bits): save it again"
        )
    return Wav(encoding, channels, rate, frame_size, bits, start, size)


def read_samples(file: bytes, header: Wav) -> np.ndarray:
    """Return the samples of a 16-bit file, float32 [frames, channels] from -1 to below 1; drop an incomplete frame."""
    count = header.size // header.frame_size * header.channels
    samples = np.frombuffer(file, "<i2", count, header.start).reshape(-1, header.channels)
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def written(samples: np.ndarray, rate: int) -> bytes:
    """Return a 16-bit WAV file of samples, float [frames] or [frames, channels] from -1 to 1; others are clipped."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    levels = np.clip(np.round(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype("<i2").tobytes()
    format_chunk = struct.pack("<4sIHHIIHH", b"fmt ", 16, PCM, channels, rate, 2 * channels * rate, 2 * channels, 16)
    body = b"WAVE" + format_chunk + struct.pack("<4sI", b"data", len(levels)) + levels
    return struct.pack("<4sI", b"RIFF", len(body)) + body
