"""Augmentation of training images as TensorFlow operations; random numbers are arguments."""

from __future__ import annotations

from typing import Any

from zoo.inputs.image.settings import ImageSettings

RANDOM_NUMBERS = 6
"""The number of random numbers that the augmentation of one image takes."""


def augmented(pixels: Any, augment: ImageSettings, random: Any) -> Any:
    """Augment an image, uint8 [height, width, channels].

    `random`, float32 [RANDOM_NUMBERS] in [0, 1), decides the crop, the shift and the flip.
    """
    import tensorflow as tf

    if augment.smallest_crop < 1:
        pixels = cropped(pixels, augment.smallest_crop, random[0], random[1:3])
    if augment.shift > 0:
        pixels = shifted(pixels, augment.shift, random[3:5])
    if augment.flip:
        pixels = tf.where(random[5] < 0.5, pixels[:, ::-1], pixels)
    return pixels


def cropped(pixels: Any, smallest: float, area: Any, place: Any) -> Any:
    """Crop an image to a part of its own aspect ratio and resize that to the full size.

    `smallest` is the least share of the area that is kept. `area` (float32 scalar) decides the share and `place`
    (float32 [2]) the position, both in [0, 1).
    """
    import tensorflow as tf

    *full, channels = pixels.shape
    side = tf.sqrt(smallest + (1 - smallest) * area)
    size = tf.minimum(tf.cast(tf.math.ceil(side * tf.constant(full, tf.float32)), tf.int32), full)
    start = tf.cast(place * tf.cast(full - size + 1, tf.float32), tf.int32)
    part = tf.slice(pixels, tf.concat([start, [0]], 0), tf.concat([size, [channels]], 0))
    return tf.saturate_cast(tf.round(tf.image.resize(part, full, method="bilinear")), tf.uint8)


def shifted(pixels: Any, share: float, place: Any) -> Any:
    """Shift an image by up to `share` of each side, and fill the border by reflection.

    `place` (float32 [2] in [0, 1)) decides how far.
    """
    import tensorflow as tf

    reach = [int(share * side) for side in pixels.shape[:2]]
    padded = tf.pad(pixels, [*([pad, pad] for pad in reach), [0, 0]], "REFLECT")
    start = tf.cast(place * tf.constant([2.0 * pad + 1 for pad in reach]), tf.int32)
    return tf.slice(padded, tf.concat([start, [0]], 0), pixels.shape)
