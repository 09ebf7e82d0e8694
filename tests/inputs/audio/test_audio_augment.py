"""Augmentation of clips: the effect of each random number, and that nothing else is random."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from zoo.inputs.audio import augment
from zoo.inputs.audio.settings import AudioSettings

CLIP = np.random.default_rng(0).standard_normal(1_000).astype(np.float32)
SPECTRUM = np.ones((50, 40), np.float32)


def test_the_same_numbers_give_the_same_clip() -> None:
    settings, numbers = AudioSettings(shift=0.2, noise=0.5), tf.constant([0.1, 0.7, 0.3, 0.9])
    once = augment.augmented(tf.constant(CLIP), settings, numbers).numpy()
    assert np.array_equal(once, augment.augmented(tf.constant(CLIP), settings, numbers))
    assert not np.array_equal(once, augment.augmented(tf.constant(CLIP), settings, tf.constant([0.1, 0.7, 0.3, 0.8])))
    assert once.shape == CLIP.shape


def test_without_augmentation_a_clip_stays_as_it_is() -> None:
    nothing = AudioSettings(shift=0, noise=0, frequency_masks=0, time_masks=0)
    assert np.array_equal(augment.augmented(tf.constant(CLIP), nothing, tf.zeros([4])), CLIP)
    assert augment.mask_numbers(nothing) == 0
    assert np.array_equal(augment.masked(tf.constant(SPECTRUM[None]), nothing, tf.zeros([1, 0]))[0], SPECTRUM)


def test_a_shift_fills_with_silence() -> None:
    for place, offset in ((0.0, 100), (0.5, 0), (0.9999, -100)):
        expected = np.zeros_like(CLIP)
        expected[max(0, offset) : 1_000 + min(0, offset)] = CLIP[max(0, -offset) : 1_000 - max(0, offset)]
        assert np.array_equal(augment.shifted(tf.constant(CLIP), 0.1, tf.constant(place)), expected)


def test_noise_has_the_level_that_it_should() -> None:
    for loudness in (1.0, 0.01):
        noisy = augment.noisy(tf.constant(loudness * CLIP), 0.5, tf.constant([0.3, 0.4])).numpy()
        added = (noisy - loudness * CLIP).std() / (loudness * CLIP.std())
        assert abs(added - 0.5) < 0.05


def test_masks_cover_what_the_numbers_say() -> None:
    settings = AudioSettings(frequency_masks=1, frequency_width=0.25, time_masks=1, time_width=0.2)
    numbers = tf.constant([[0.99, 0.0, 0.99, 0.999], [0.0] * 4])
    masked, nothing = augment.masked(tf.constant(np.stack([SPECTRUM] * 2)), settings, numbers).numpy()
    assert not masked[:, :10].any()
    assert not masked[-10:].any()
    assert masked[:-10, 10:].all()
    assert nothing.all()


def test_every_width_and_place_can_occur() -> None:
    numbers = np.random.default_rng(0).random((400, 4)).astype(np.float32)
    settings = AudioSettings(frequency_masks=1, time_masks=1, frequency_width=0.1)

    masks = augment.masked(tf.constant(np.stack([SPECTRUM] * 400)), settings, tf.constant(numbers)).numpy()
    widths = (masks.max(1) == 0).sum(1)
    assert {*range(5)} == {*widths.tolist()}
    assert (masks.min((0, 1)) == 0).all()
    assert (masks.min((0, 2)) == 0).all()
