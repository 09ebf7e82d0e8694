"""The log-mel spectrogram: against its definition, and in a graph."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.inputs.audio.sounds import tone
from zoo.inputs.audio import graph, spectrum
from zoo.inputs.audio.client import random
from zoo.inputs.audio.preprocessing import AudioPreprocessing

DEFAULT = AudioPreprocessing()
OTHERS = [
    DEFAULT,
    AudioPreprocessing(samples=16_050, bands=64),
    AudioPreprocessing(rate=8_000, samples=4_000, frame=256, hop=100, bands=20),
    AudioPreprocessing(samples=400),
    AudioPreprocessing(samples=5_001, frame=401, hop=160),
]


def by_definition(waveform: np.ndarray, wanted: AudioPreprocessing) -> np.ndarray:
    """Sum the power of each frame's discrete Fourier transform in triangles on the mel scale, term by term."""
    size = 1
    while size < wanted.frame:
        size *= 2
    window = np.array([np.sin(np.pi * n / wanted.frame) ** 2 for n in range(wanted.frame)])
    top = 1127.01048 * np.log(1 + wanted.rate / 2 / 700)
    edges = [700 * (np.exp(top * k / (wanted.bands + 1) / 1127.01048) - 1) for k in range(wanted.bands + 2)]
    rows = []
    for start in range(0, len(waveform) - wanted.frame + 1, wanted.hop):
        frame = waveform[start : start + wanted.frame] * window
        times = np.arange(wanted.frame)
        power = np.array(
            [abs((frame * np.exp(-2j * np.pi * k * times / size)).sum()) ** 2 for k in range(size // 2 + 1)]
        )
        row = []
        for low, peak, high in zip(edges, edges[1:], edges[2:], strict=False):
            frequencies = np.arange(size // 2 + 1) * wanted.rate / size
            weights = np.interp(frequencies, [low, peak, high], [0, 1, 0], left=0, right=0)
            row.append(np.log((weights * power).sum() + 1e-6))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("wanted", [DEFAULT, OTHERS[2]])
def test_it_is_what_the_definition_says(wanted: AudioPreprocessing) -> None:
    clip = np.random.default_rng(0).standard_normal(3_000)
    short = AudioPreprocessing(rate=wanted.rate, samples=3_000, frame=wanted.frame, hop=wanted.hop, bands=wanted.bands)
    assert np.abs(spectrum.log_mel(clip[None], short)[0] - by_definition(clip, short)).max() < 1e-5


@pytest.mark.parametrize("wanted", OTHERS)
def test_a_graph_computes_the_same(wanted: AudioPreprocessing) -> None:
    noise = random(wanted, 2, np.random.default_rng(0))["waveform"]
    loud = tone(1_000, wanted.samples / wanted.rate, wanted.rate)[None].astype(np.float32)
    waveform = np.concatenate([noise, 0.01 * noise, loud, np.zeros_like(loud)])
    expected = spectrum.log_mel(waveform, wanted)
    assert expected.shape[1:] == (wanted.frames, wanted.bands)
    found = graph.prepared({"waveform": tf.constant(waveform)}, wanted)["log_mel"].numpy()
    assert found.dtype == np.float32
    assert np.abs(found - expected)[[0, 1, 2, 3, 5]].max() < 2e-5
    # Beside a loud tone, bands hold the rounding of float32.
    assert np.abs(found - expected)[4].max() < 2e-3


def test_bands_are_normalized() -> None:
    wanted = AudioPreprocessing(mean=tuple(np.linspace(-5, 5, 40)), std=tuple(np.linspace(1, 2, 40)))
    waveform = random(wanted, 2, np.random.default_rng(0))["waveform"]
    expected = (spectrum.log_mel(waveform, wanted) - np.array(wanted.mean)) / np.array(wanted.std)
    found = graph.prepared({"waveform": tf.constant(waveform)}, wanted)["log_mel"].numpy()
    assert np.abs(found - expected).max() < 2e-5


def test_a_waveform_is_left_or_normalized() -> None:
    waveform = 0.3 + random(DEFAULT, 2, np.random.default_rng(0))["waveform"]
    waveform[1] = 0
    plain = graph.prepared({"waveform": tf.constant(waveform)}, AudioPreprocessing(front="waveform"))
    assert np.array_equal(plain["waveform"], waveform)
    wanted = AudioPreprocessing(front="waveform", clip_norm=True)
    normalized = graph.prepared({"waveform": tf.constant(waveform)}, wanted)
    expected = (waveform[0] - waveform[0].mean()) / np.sqrt(waveform[0].var() + 1e-7)
    assert np.abs(normalized["waveform"][0] - expected).max() < 1e-5
    assert not normalized["waveform"][1].numpy().any()
