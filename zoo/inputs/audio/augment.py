"""Augmentation of training clips by `AudioSettings`, as TensorFlow operations; random numbers are arguments."""

from __future__ import annotations

from typing import Any

from zoo.inputs.audio.settings import AudioSettings

RANDOM_NUMBERS = 4
"""The number of random numbers that the augmentation of one waveform takes."""


def mask_numbers(settings: AudioSettings) -> int:
    """Return the number of random numbers that the masks of one spectrogram take."""
    return 2 * (settings.frequency_masks + settings.time_masks)


def augmented(waveform: Any, settings: AudioSettings, random: Any) -> Any:
    """Augment a waveform, float32 [samples].

    `random`, float32 [RANDOM_NUMBERS] in [0, 1), decides the shift, the level of the noise, and the noise itself.
    """
    if settings.shift > 0:
        waveform = shifted(waveform, settings.shift, random[0])
    if settings.noise > 0:
        waveform = noisy(waveform, settings.noise * random[1], random[2:4])
    return waveform


def shifted(waveform: Any, share: float, place: Any) -> Any:
    """Shift a waveform by up to `share` of its length to either side, and fill with silence.

    `place` (float32 scalar in [0, 1)) decides how far.
    """
    import tensorflow as tf

    (samples,) = waveform.shape
    reach = int(share * samples)
    start = tf.cast(place * (2.0 * reach + 1), tf.int32)
    return tf.slice(tf.pad(waveform, [[reach, reach]]), [start], [samples])


def noisy(waveform: Any, level: Any, seed: Any) -> Any:
    """Add white noise of `level` times the waveform's root mean square; `seed`, float32 [2] in [0, 1), decides it."""
    import tensorflow as tf

    seed = tf.cast(seed * 2.0**24, tf.int32)
    white = tf.random.stateless_normal(waveform.shape, seed, alg="philox")
    return waveform + level * tf.sqrt(tf.reduce_mean(tf.square(waveform))) * white


def masked(log_mel: Any, settings: AudioSettings, random: Any) -> Any:
    """Mask bands and frames of normalized spectrograms, float32 [batch, frames, bands] (SpecAugment, Park et al. 2019).

    `random`, float32 [batch, mask_numbers] in [0, 1), decides widths and positions. Warping in time is left out: it
    helped least there (section 4).
    """
    _, frames, bands = log_mel.shape
    for mask in range(settings.frequency_masks + settings.time_masks):
        width, position = random[:, 2 * mask, None], random[:, 2 * mask + 1, None]
        if mask < settings.frequency_masks:
            log_mel *= _mask(bands, settings.frequency_width, width, position)[:, None, :]
        else:
            log_mel *= _mask(frames, settings.time_width, width, position)[:, :, None]
    return log_mel


def _mask(size: int, share: float, width: Any, position: Any) -> Any:
    """Return float32 [batch, size]: 0 in a random interval of up to `share` of the size, 1 elsewhere.

    `width` and `position`, float32 [batch, 1], decide the interval.
    """
    import tensorflow as tf

    length = tf.floor(width * (int(share * size) + 1.0))
    start = tf.floor(position * (size - length + 1))
    numbers = tf.range(size, dtype=tf.float32)
    return tf.cast(tf.logical_or(numbers < start, numbers >= start + length), tf.float32)
