"""The inputs of networks, computed from a waveform by TensorFlow operations that ONNX has, too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zoo.inputs.audio import spectrum
from zoo.inputs.audio.client import LOG_MEL, WAVEFORM
from zoo.inputs.audio.preprocessing import AudioPreprocessing

EPSILON = 1e-7
"""Added to the variance of a clip, as the feature extractor of Wav2Vec 2.0 in transformers does."""


def network_inputs(waveform: Any, preprocessing: AudioPreprocessing) -> dict[str, Any]:
    """Compute the network's inputs by name, float32 [batch, …], from waveforms, float32 [batch, samples]."""
    if preprocessing.front == "log_mel":
        scale, offset = preprocessing.scale_and_offset()
        return {LOG_MEL: log_mel(waveform, preprocessing) * scale + offset}
    return {WAVEFORM: normalized(waveform) if preprocessing.clip_norm else waveform}


def normalized(waveform: Any) -> Any:
    """Bring each waveform of [batch, samples] to mean 0 and variance 1; silence becomes 0."""
    import tensorflow as tf

    difference = waveform - tf.reduce_mean(waveform, 1, keepdims=True)
    # `tf.pow` instead of `tf.square`, because the ONNX export recognizes a power as a part of a normalization.
    variance = tf.reduce_mean(tf.pow(difference, 2.0), 1, keepdims=True)
    return difference / tf.sqrt(variance + EPSILON)


def log_mel(waveform: Any, preprocessing: AudioPreprocessing) -> Any:
    """Return the logarithms of `zoo.inputs.audio.spectrum.log_mel`, float32 [batch, frames, bands].

    tf2onnx (1.17) cannot convert `tf.signal.stft` (2.21). A convolution with the same kernel is 6 % faster in
    onnxruntime, but its result has to be transposed; a gather of single samples is 50 % slower.
    """
    import tensorflow as tf

    waves, bands = spectrum.kernels(preprocessing)
    frames, frame, hop = preprocessing.frames, preprocessing.frame, preprocessing.hop
    # Frames overlap, but all begin and end at multiples of a block.
    block = math.gcd(frame, hop)
    used = hop * (frames - 1) + frame
    blocks = tf.reshape(waveform[:, :used], [-1, used // block, block])
    block_indices = np.arange(frames)[:, None] * (hop // block) + np.arange(frame // block)
    windows = tf.reshape(tf.gather(blocks, block_indices.astype(np.int32), axis=1), [-1, frames, frame])
    return tf.math.log(tf.matmul(tf.square(tf.matmul(windows, waves)), bands) + spectrum.FLOOR)
