"""Sound files for tests."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import soundfile

from zoo.inputs.audio import wav


def encoded(samples: Any, rate: int = 16_000, form: str = "WAV", subtype: str | None = None) -> bytes:
    """Encode samples, [frames] or [frames, channels], with libsndfile."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.asarray(samples), rate, format=form, subtype=subtype)
    return buffer.getvalue()


def tone(frequency: float = 440, seconds: float = 0.5, rate: int = 16_000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def noise(frames: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels))


def with_chunk(file: bytes, name: bytes = b"LIST", content: bytes = b"a text\0", size: int | None = None) -> bytes:
    """Put a chunk before the format of a WAV file; `size` is what it claims."""
    chunk = name + struct.pack("<I", len(content) if size is None else size) + content + b"\0" * (len(content) % 2)
    return file[:12] + chunk + file[12:]


def patched(file: bytes, place: int, form: str, value: int) -> bytes:
    """Write a number into a file."""
    content = struct.pack(form, value)
    return file[:place] + content + file[place + len(content) :]


PLAIN = wav.written(tone(), 16_000)
"""Its header has 44 bytes: channels at 22, rate at 24, frame size at 32, bits at 34, bytes of sound at 40."""

READABLE = {
    "plain": PLAIN,
    "stereo": encoded(noise(5_000, 2)),
    "three channels": encoded(noise(5_000, 3)),
    "eight channels": encoded(noise(500, 8)),
    "one sample": encoded(noise(1)),
    "as long as the network's": encoded(noise(8_000)),
    "one sample too short": encoded(noise(7_999)),
    "one sample too long": encoded(noise(8_001)),
    "long": encoded(noise(40_001, 2)),
    "extensible": encoded(noise(9_000, 2), form="WAVEX"),
    "a text before": with_chunk(PLAIN),
    "five texts before": with_chunk(with_chunk(with_chunk(with_chunk(with_chunk(PLAIN))))),
    "text after": PLAIN + b"LIST\x04\0\0\0abcd",
    "the end of a frame lost": patched(PLAIN[:-1], 40, "<I", len(PLAIN) - 45),
    "another size of the whole": patched(PLAIN, 4, "<I", 9),
}
"""16-bit WAV files of 16 kHz."""

OTHER = {
    "8-bit": encoded(noise(9_000), subtype="PCM_U8"),
    "24-bit": encoded(noise(9_000, 2), subtype="PCM_24"),
    "32-bit": encoded(noise(9_000), subtype="PCM_32"),
    "float": encoded(noise(9_000), subtype="FLOAT"),
    "double": encoded(noise(9_000), subtype="DOUBLE"),
    "mu-law": encoded(noise(9_000), subtype="ULAW"),
    "96 kHz": encoded(noise(48_000), 96_000),
    "8 kHz": encoded(noise(4_000), 8_000),
    "44.1 kHz, 24 bits, stereo": encoded(noise(9_000, 2), 44_100, subtype="PCM_24"),
    "FLAC": encoded(noise(9_000), form="FLAC"),
    "OGG": encoded(tone(), form="OGG"),
    "MP3": encoded(tone(), form="MP3"),
    "MP3 behind a tag": b"ID3\3\0\0\0\0\0\4abcd" + encoded(tone(), form="MP3"),
}
"""Sound that clients read and a graph refuses."""

OGG = encoded(noise(48_000), form="OGG")

_FLOAT = encoded(noise(900), subtype="FLOAT")

WRONG = {
    "an empty file": b"",
    "text": b"hello, this is not sound at all",
    "a WAV without samples": wav.written(np.zeros(0), 16_000),
    "only the beginning of a header": PLAIN[:30],
    "only RIFF": b"RIFF",
    "RIFF of another kind": b"RIFF\0\0\0\0AVI " + PLAIN[12:],
    "a file that ends too early": PLAIN[:-100],
    "samples that claim 4 GB": patched(PLAIN, 40, "<I", 2**32 - 1),
    "a text that claims 4 GB": with_chunk(PLAIN, size=2**32 - 1),
    "a hundred texts": PLAIN[:12] + b"LIST\0\0\0\0" * 100 + PLAIN[12:],
    "a format of 4 bytes": PLAIN[:12] + b"fmt \4\0\0\0\1\0\1\0" + PLAIN[36:],
    "samples before the format": PLAIN[:12] + PLAIN[36:] + PLAIN[12:36],
    "no channels": patched(PLAIN, 22, "<H", 0),
    "65535 channels": patched(PLAIN, 22, "<H", 65_535),
    "a rate of 0": patched(PLAIN, 24, "<I", 0),
    "a rate of 4 GHz": patched(PLAIN, 24, "<I", 2**32 - 1),
    "an unknown encoding": patched(PLAIN, 20, "<H", 0x4242),
    "NaN": encoded(np.full(900, np.nan), subtype="FLOAT"),
    "infinity": encoded(np.full(900, np.inf), subtype="FLOAT"),
    "one sample of 1e30": _FLOAT[:-4] + np.float32(1e30).tobytes(),
    "a FLAC cut short": encoded(noise(9_000), form="FLAC")[:9_000],
    "an MP3 cut short": encoded(tone(seconds=2), form="MP3")[:1_500],
    "an MP3 cut short behind a tag": b"ID3\3\0\0\0\0\0\4abcd" + encoded(tone(seconds=2), form="MP3")[:1_500],
    "an OGG cut short": OGG[: len(OGG) // 2],
    "an OGG without its last page": OGG[: OGG.rfind(b"OggS")],
    "the head of an MP3": encoded(tone(), form="MP3")[:60],
    "the head of an OGG": encoded(tone(), form="OGG")[:60],
    "an image": b"\x89PNG\r\n\x1a\n" + b"\0" * 60,
}
"""Files that everybody refuses."""

_OTHER = "not WAV, FLAC, OGG or MP3 but "
_NO_SAMPLES, _NO_FORMAT = (
    r"a damaged WAV \(no samples were found\)",
    r"a damaged WAV \(it does not say its format before",
)
_NO_NUMBERS = "samples that are not numbers, or far out of range"
_MP3_CUT, _OGG_CUT = "an MP3 cut short: its header claims more bytes", "an OGG cut short: its last page is not the end"

REASONS = {
    "an empty file": f"{_OTHER}an empty file",
    "text": f"{_OTHER}text",
    "a WAV without samples": "it holds no sound",
    "only the beginning of a header": _NO_SAMPLES,
    "only RIFF": f"{_OTHER}text",
    "RIFF of another kind": f"{_OTHER}a video",
    "a file that ends too early": "a WAV cut short: its header claims 16000 bytes of sound, it holds 15900",
    "samples that claim 4 GB": "a WAV cut short: its header claims 4294967295 bytes of sound, it holds 16000",
    "a text that claims 4 GB": _NO_SAMPLES,
    "a hundred texts": _NO_SAMPLES,
    "a format of 4 bytes": _NO_FORMAT,
    "samples before the format": _NO_FORMAT,
    "no channels": "a WAV that claims 0 channels",
    "65535 channels": "a WAV that claims 65535 channels",
    "a rate of 0": "its header claims 0 samples a second",
    "a rate of 4 GHz": "its header claims 4294967295 samples a second",
    "an unknown encoding": "a damaged WAV, or one in an unknown encoding",
    "NaN": _NO_NUMBERS,
    "infinity": _NO_NUMBERS,
    "one sample of 1e30": _NO_NUMBERS,
    "a FLAC cut short": "a damaged FLAC, or one in an unknown encoding|FLAC cut short",
    "an MP3 cut short": _MP3_CUT,
    "an MP3 cut short behind a tag": _MP3_CUT,
    "an OGG cut short": _OGG_CUT,
    "an OGG without its last page": _OGG_CUT,
    "the head of an MP3": _MP3_CUT,
    "the head of an OGG": _OGG_CUT,
    "an image": f"{_OTHER}a PNG",
}
"""A regular expression for the reason that clients give for each of `WRONG`."""
