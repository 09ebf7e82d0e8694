"""What happens to training images: `zoo.recipe.Augment` as TensorFlow operations whose chance is an argument."""

from __future__ import annotations

from typing import Any

from zoo.recipe import Augment

CHANCES = 6
"""How many numbers decide what happens to an image."""


def augmented(pixels: Any, augment: Augment, chance: Any) -> Any:
    """The uint8 image [height, width, channels], changed as `chance` (float32 [CHANCES] in [0, 1)) decides."""
    import tensorflow as tf

    if augment.smallest_crop < 1:
        pixels = cropped(pixels, augment.smallest_crop, chance[0], chance[1:3])
    if augment.shift > 0:
        pixels = shifted(pixels, augment.shift, chance[3:5])
    if augment.flip:
        pixels = tf.where(chance[5] < 0.5, pixels[:, ::-1], pixels)
    return pixels


def cropped(pixels: Any, smallest: float, area: Any, place: Any) -> Any:
    """A part of the image's shape, of `smallest` to all of its area, scaled back to full size.

    `area` (float32 scalar) and `place` (float32 [2]) are in [0, 1).
    """
    import tensorflow as tf

    *full, channels = pixels.shape
    side = tf.sqrt(smallest + (1 - smallest) * area)
    size = tf.minimum(tf.cast(tf.math.ceil(side * tf.constant(full, tf.float32)), tf.int32), full)
    start = tf.cast(place * tf.cast(full - size + 1, tf.float32), tf.int32)
    part = tf.slice(pixels, tf.concat([start, [0]], 0), tf.concat([size, [channels]], 0))
    return tf.saturate_cast(tf.round(tf.image.resize(part, full, method="bilinear")), tf.uint8)


def shifted(pixels: Any, share: float, place: Any) -> Any:
    """The image moved by up to `share` of each side, its border repeated by reflection.

    `place` (float32 [2]) is in [0, 1).
    """
    import tensorflow as tf

    reach = [int(share * side) for side in pixels.shape[:2]]
    padded = tf.pad(pixels, [*([pad, pad] for pad in reach), [0, 0]], "REFLECT")
    start = tf.cast(place * tf.constant([2.0 * pad + 1 for pad in reach]), tf.int32)
    return tf.slice(padded, tf.concat([start, [0]], 0), pixels.shape)
