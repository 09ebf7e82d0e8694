"""Synthetic sound that resembles speech, generated for demos and tests. No human speaks in it.

A word is a sequence of speech sounds. Voiced ones are harmonics of a falling pitch, each as loud as the resonances of a
vocal tract let it through; formants are those of Peterson & Barney 1952 (table II, men). Hissing ones are noise around
a frequency. Every clip has its own voice: pitch, length of the vocal tract, speed, loudness, background noise. Accuracy
on these clips says nothing about human speech, and is called synthetic wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zoo.inputs.audio import wav

LICENSE = "made by zoo.inputs.audio.synthetic, without rights reserved"

RATE = 16_000

SECONDS = 1.0

VOICED: dict[str, tuple[float, float, float]] = {
    "i": (270, 2290, 3010),
    "e": (530, 1840, 2480),
    "a": (730, 1090, 2440),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "m": (250, 1000, 2100),
}
"""The formants of each voiced sound, in hertz."""

HISSING: dict[str, tuple[float, float]] = {"s": (6000, 1500), "š": (3000, 900), "f": (4500, 4000)}
"""The center and the width of each hissing sound, in hertz."""

WORDS: dict[str, str] = {
    "see": "si",
    "us": "as",
    "shoe": "šu",
    "ash": "aš",
    "you": "iu",
    "we": "ui",
    "my": "mai",
    "am": "am",
    "safe": "sef",
    "foam": "fom",
}
"""The sounds of each word. Some words differ only in their order."""

STEP = 16
"""Samples from one value of formants and loudness to the next; between them they are interpolated."""

SMOOTHED = 0.04
"""Seconds; the window that smooths the steps between sounds."""

RESONANCE = 60.0
"""Half the width of a formant, in hertz."""


def clips(per_word: int, seed: int, words: dict[str, str] = WORDS) -> Iterator[tuple[str, bytes]]:
    """Yield `per_word` clips of each word, as the word and a 16-bit WAV file; every clip has a new voice."""
    generator = np.random.default_rng(seed)
    for _ in range(per_word):
        for word, sounds in words.items():
            yield word, wav.written(spoken(sounds, generator), RATE)


def write_folder(root: Path, per_word: int, seed: int = 0, words: dict[str, str] = WORDS) -> None:
    """Write clips into one folder a word, as `--data folder:` takes them."""
    for number, (word, file) in enumerate(clips(per_word, seed, words)):
        path = root / word / f"{number // len(words):04}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file)


def spoken(sounds: str, generator: np.random.Generator) -> np.ndarray:
    """Return a clip of a word in a new voice, float64 [SECONDS · RATE]."""
    samples = int(SECONDS * RATE)
    length = int(samples * generator.uniform(0.4, 0.8))
    weights = generator.uniform(0.7, 1.3, len(sounds))
    ends = np.round(np.cumsum(weights) / weights.sum() * length).astype(int)
    sound_index = np.searchsorted(ends, np.arange(length), side="right")
    voice = _voiced(sounds, sound_index, generator) + _hissing(sounds, sound_index, generator)
    voice *= np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / (0.02 * RATE))
    clip = np.zeros(samples)
    start = generator.integers(samples - length + 1)
    clip[start : start + length] = voice / np.abs(voice).max()
    background = generator.standard_normal(samples) * 10 ** generator.uniform(-2.2, -1.0)
    return (clip + background) * generator.uniform(0.1, 0.5)


def _smoothed(steps: np.ndarray, length: int) -> np.ndarray:
    """Smooth the steps between sounds, [length / STEP], as a mouth moves; return [length]."""
    window = np.hanning(int(SMOOTHED * RATE / STEP) | 1)
    padded = np.pad(steps, len(window) // 2, mode="edge")
    smooth = np.convolve(padded, window / window.sum(), mode="valid")
    return _finer(smooth, length)


def _finer(values: np.ndarray, length: int) -> np.ndarray:
    return np.interp(np.arange(length), STEP * np.arange(len(values)), values)


def _voiced(sounds: str, sound_index: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    tract = generator.uniform(0.9, 1.25)
    length, coarse = len(sound_index), sound_index[::STEP]
    pitch = generator.uniform(85, 250) * np.linspace(1.1, generator.uniform(0.75, 1.0), length)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    loud = np.array([{True: 1.0, False: 0.0}[sound in VOICED] for sound in sounds])
    # A hissing sound has the formants of its neighbor, so that they do not jump.
    nearest_voiced = [
        min((abs(other - index), neighbor) for other, neighbor in enumerate(sounds) if neighbor in VOICED)[1]
        for index in range(len(sounds))
    ]
    formants = [
        _smoothed(np.array([VOICED[sound][number] for sound in nearest_voiced])[coarse] * tract, length)[::STEP]
        for number in range(3)
    ]
    total = np.zeros(length)
    for harmonic in range(1, int(4000 / pitch.max()) + 1):
        frequency = harmonic * pitch[::STEP]
        gain = sum(
            strength / (1 + ((frequency - formant) / RESONANCE / (1 + number)) ** 2)
            for number, (strength, formant) in enumerate(zip((1.0, 0.5, 0.25), formants, strict=True))
        )
        total += _finer(gain + 0.01, length) / harmonic**0.5 * np.sin(harmonic * phase)
    return total * _smoothed(loud[coarse], length)


def _hissing(sounds: str, sound_index: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    length = len(sound_index)
    total = np.zeros(length)
    frequencies = np.fft.rfftfreq(length, 1 / RATE)
    for index, sound in enumerate(sounds):
        if sound in HISSING:
            center, width = HISSING[sound]
            noise = np.fft.rfft(generator.standard_normal(length))
            shaped = np.fft.irfft(noise * np.exp(-0.5 * ((frequencies - center) / width) ** 2), length)
            total += 0.3 * shaped / shaped.std() * _smoothed((sound_index[::STEP] == index).astype(float), length)
    return total
