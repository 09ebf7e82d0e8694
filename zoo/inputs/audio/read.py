"""Read the clips of a dataset: each is decoded once to find damage, and keeps its digest and its length."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.prefetch import map_ahead
from zoo.errors import ZooError
from zoo.inputs.audio.preprocessing import WAVEFORM, AudioPreprocessing, decoded_file, encode
from zoo.inputs.audio.settings import AudioSettings
from zoo.inputs.audio.spectrum import log_mel

LARGEST_FILE = 256 * 2**20
"""Bytes; a larger file counts as one that cannot be read."""

READ_AHEAD = 64

MEASURED = 512
"""Clips that the means and standard deviations are measured on, at equal distances; it takes two seconds."""

LONGEST_BY_DATA = 10.0
"""Seconds; the longest clip that the data alone decide."""

SMALLEST_STD = 1e-3
"""The least standard deviation of a band: one that is always silent has none."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file in a class folder, which should be a clip."""

    split: str
    label: int
    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that can be decoded: its encoded bytes, their SHA-256, and how long it is."""

    split: str
    label: int
    name: str
    content: bytes
    digest: bytes
    rate: int
    seconds: float


@dataclass(frozen=True, slots=True)
class UnreadableClip:
    """A clip that cannot be decoded, and the reason."""

    split: str
    label: int
    name: str
    reason: str


def read_clips(candidates: Iterable[Candidate]) -> tuple[list[Clip], list[UnreadableClip]]:
    """Read and decode candidates, in order; those that are broken, empty or no sound come second."""
    found = list(map_ahead(_read, candidates, READ_AHEAD))
    clips = [clip for clip in found if isinstance(clip, Clip)]
    return clips, [clip for clip in found if isinstance(clip, UnreadableClip)]


def _read(candidate: Candidate) -> Clip | UnreadableClip:
    split, label, name = candidate.split, candidate.label, candidate.name
    try:
        content = _content(candidate.path)
        samples, rate = decoded_file(content)
    except ZooError as error:
        return UnreadableClip(split, label, name, str(error))
    return Clip(split, label, name, content, hashlib.sha256(content).digest(), rate, len(samples) / rate)


def _content(path: Path) -> bytes:
    try:
        # Only files are opened, because reading a pipe would never end.
        if not path.is_file():
            raise ZooError("no file")
        if path.stat().st_size > LARGEST_FILE:
            raise ZooError(f"larger than {LARGEST_FILE >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ZooError(error.strerror or "cannot be read") from None


def suiting(
    contents: Sequence[bytes],
    seconds: Sequence[float],
    settings: AudioSettings,
    like: AudioPreprocessing | None = None,
) -> AudioPreprocessing:
    """Return the preprocessing that suits training clips.

    Args:
        contents: the encoded clips of the training split.
        seconds: their lengths.
        settings: the recipe's section.
        like: the preprocessing of the weights that training starts from; what `settings` does not say is taken from it.

    Raises:
        ZooError: a clip cannot be decoded.
    """
    waves = settings.front == "waveform"
    start = like or AudioPreprocessing(front=settings.front, clip_norm=waves)
    rate = settings.rate or start.rate
    frame, hop = (round(length * rate / start.rate) for length in (start.frame, start.hop))
    made = dataclasses.replace(
        start,
        rate=rate,
        samples=max(frame, round(rate * (settings.seconds or _usual_seconds(seconds, like)))),
        short=start.short if settings.short == "auto" else settings.short,
        frame=frame,
        hop=hop,
    )
    return made if made.front == "waveform" or made.mean else with_statistics(contents, made)


def _usual_seconds(seconds: Sequence[float], like: AudioPreprocessing | None) -> float:
    if like:
        return like.samples / like.rate
    most = float(np.quantile(seconds, 0.9, method="inverted_cdf"))
    return min(math.ceil(most * 10 - 1e-6) / 10, LONGEST_BY_DATA)


def with_statistics(contents: Sequence[bytes], preprocessing: AudioPreprocessing) -> AudioPreprocessing:
    """Return the preprocessing with the mean and the standard deviation of each band over the clips."""
    places = np.linspace(0, len(contents) - 1, min(MEASURED, len(contents))).astype(int)
    count, total, squares = 0, 0.0, 0.0
    for place in places:
        logarithms = log_mel(encode([contents[place]], preprocessing)[WAVEFORM], preprocessing)[0]
        count += len(logarithms)
        total, squares = total + logarithms.sum(0), squares + (logarithms**2).sum(0)
    mean = np.asarray(total) / count
    std = np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, SMALLEST_STD**2))
    return dataclasses.replace(preprocessing, mean=tuple(map(float, mean)), std=tuple(map(float, std)))
