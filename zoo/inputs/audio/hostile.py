"""Hostile sound: small files whose header claims much, to exhaust a server."""

from __future__ import annotations

import functools
import struct

import numpy as np

from zoo.inputs.audio import wav


@functools.cache
def refused_files() -> dict[str, bytes]:
    """Return files that every network has to refuse, all because of their headers; by name."""
    plain = wav.written(np.zeros(800), 16_000)
    return {
        "a WAV that claims 4 GB of samples": _overwritten(plain, 40, "<I", 2**32 - 1),
        "a WAV that claims 4 GB before its samples": plain[:12] + b"LIST\xff\xff\xff\xff" + plain[12:],
        "a WAV that claims a format of 4 GB": _overwritten(plain, 16, "<I", 2**32 - 1),
        "a WAV that claims 65535 channels": _overwritten(plain, 22, "<H", 65_535),
        "a WAV that claims frames of 0 bytes": _overwritten(plain, 32, "<H", 0),
        "a WAV that claims no channels": _overwritten(plain, 22, "<H", 0),
        "a WAV of a million parts": plain[:12] + b"LIST\0\0\0\0" * 1_000_000 + plain[12:],
    }


@functools.cache
def costly_files() -> dict[str, bytes]:
    """Return files that a network may answer or refuse, because they claim no more than is allowed; by name."""
    plain = wav.written(np.zeros(800), 16_000)
    return {
        "a WAV of as many parts as may be": plain[:12] + b"LIST\0\0\0\0" * (wav.MOST_CHUNKS - 2) + plain[12:],
        "a WAV of ten minutes": wav.written(np.zeros(600 * 16_000), 16_000),
        "a WAV of eight channels": wav.written(np.zeros((60 * 16_000, wav.MOST_CHANNELS)), 16_000),
        "a WAV of one sample": wav.written(np.zeros(1), 16_000),
    }


def _overwritten(file: bytes, offset: int, struct_format: str, value: int) -> bytes:
    content = struct.pack(struct_format, value)
    return file[:offset] + content + file[offset + len(content) :]
