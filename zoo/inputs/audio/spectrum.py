"""The log-mel spectrogram: its constants, which every rendering uses, and its implementation with numpy.

A clip is cut into frames, each is weighted by a Hann window, and the power of its Fourier transform is summed in bands
of equal width on the mel scale of HTK (Young et al. 2006, The HTK Book, section 5.4). The logarithm is natural, of the
sum plus a floor. The peaks of the bands' triangles are 1. With librosa's names: `n_fft` the next power of two of the
frame, `hann` periodic, `center=False`, `power=2`, `htk=True`, `norm=None`, `fmin=0`, `fmax=rate / 2`. librosa pads a
window that is shorter than `n_fft` on both sides; zoo pads it only at the end, so that frames begin at 0.
"""

from __future__ import annotations

import functools

import numpy as np

from zoo.inputs.audio.preprocessing import AudioPreprocessing

FLOOR = 1e-6
"""Added to each band's power before the logarithm, so that digital silence has a logarithm.

It lies above the power of 16-bit rounding noise (2e-8 to 2e-7 a band with the default settings) and above the rounding
of float32.
"""


def log_mel(waveform: np.ndarray, preprocessing: AudioPreprocessing) -> np.ndarray:
    """Return the logarithms, float64 [batch, frames, bands], of waveforms [batch, samples], not yet normalized."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), preprocessing.frame, 1)
    windowed = frames[:, :: preprocessing.hop] * hann(preprocessing.frame)
    power = np.abs(np.fft.rfft(windowed, transform_size(preprocessing.frame))) ** 2
    return np.log(power @ mel_matrix(preprocessing) + FLOOR)


def transform_size(frame: int) -> int:
    """Return the size of the Fourier transform, in samples: the next power of two."""
    return 1 << (frame - 1).bit_length()


def hann(frame: int) -> np.ndarray:
    """Return the periodic Hann window, float64 [frame]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)


def mel_matrix(preprocessing: AudioPreprocessing) -> np.ndarray:
    """Return the share of each frequency in each band, float64 [transform_size // 2 + 1, bands]."""
    size = transform_size(preprocessing.frame)
    frequencies = np.arange(size // 2 + 1) * preprocessing.rate / size
    highest = 2595 * np.log10(1 + preprocessing.rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, preprocessing.bands + 2) / 2595) - 1)
    rising = (frequencies[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies[:, None]) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rising, falling))


@functools.lru_cache(maxsize=8)
def kernels(preprocessing: AudioPreprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Return the spectrogram as two matrix products: float32 [frame, waves] and [waves, bands].

    The first matrix gives the real and the imaginary parts of the windowed transform, for the frequencies that bands
    use. Their squares times the second matrix are the power in each band.
    """
    size, mel = transform_size(preprocessing.frame), mel_matrix(preprocessing)
    used = np.flatnonzero(mel.any(1))
    angles = 2 * np.pi * np.outer(np.arange(preprocessing.frame), used) / size
    waves = np.concatenate([np.cos(angles), np.sin(angles)], 1) * hann(preprocessing.frame)[:, None]
    return waves.astype(np.float32), np.concatenate([mel[used]] * 2).astype(np.float32)
