"""Augmentation of training images as TensorFlow operations; random numbers are arguments.

A random crop is cut out of the image before that is scaled, so that only this part of a JPEG is decoded, and no more
finely than the network needs it. Evaluation, clients and graphs decode and scale whole images, as
`zoo.inputs.image.preprocessing` defines it; the pixels of a crop differ from theirs as those of two ways to resize do.
"""

from __future__ import annotations

from typing import Any

from zoo.inputs.image.decoding import covering_size, decoded_tensor, from_jpeg, pixels_tensor
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings

RANDOM_NUMBERS = 6
"""The number of random numbers that the augmentation of one image takes."""

RATIOS = (1, 2, 4, 8)
"""How many times smaller libjpeg can decode an image, at less than the cost of the whole."""


def augmented(encoded: Any, preprocessing: Preprocessing, augment: ImageSettings, random: Any) -> Any:
    """Return the pixels of one JPEG or PNG as it is shown in training, uint8 [height, width, channels].

    `encoded` is a string scalar. `random`, float32 [RANDOM_NUMBERS] in [0, 1), decides crop, shift and flip.
    """
    import tensorflow as tf

    if augment.smallest_crop < 1:
        pixels = cropped(encoded, preprocessing, augment.smallest_crop, random[0], random[1:3])
    else:
        pixels = pixels_tensor(encoded, preprocessing)
    if augment.shift > 0:
        pixels = shifted(pixels, augment.shift, random[3:5])
    if augment.flip:
        # `tf.where` and a slice with a negative step take 40 times as long (tensorflow 2.21).
        pixels = tf.cond(random[5] < 0.5, lambda: tf.reverse(pixels, [1]), lambda: pixels)
    return pixels


def cropped(encoded: Any, preprocessing: Preprocessing, smallest: float, area: Any, place: Any) -> Any:
    """Return a part of what evaluation shows of an image, with its aspect ratio, scaled to the network's input.

    `smallest` is the least share of the area that is kept. `area` (float32 scalar) decides the share and `place`
    (float32 [2]) the position, both in [0, 1).
    """
    import tensorflow as tf

    full = tf.constant(preprocessing.shape[:2], tf.int32)

    def jpeg() -> Any:
        size = tf.io.extract_jpeg_shape(encoded)[:2]
        start, part = crop(size, preprocessing, smallest, area, place)
        finest = tf.reduce_min(part // full)
        number = tf.reduce_sum(tf.cast([finest >= ratio for ratio in RATIOS[1:]], tf.int32))
        return from_jpeg(tf.switch_case(number, [decoded(start, part, ratio) for ratio in RATIOS]), preprocessing)

    def decoded(start: Any, part: Any, ratio: int) -> Any:
        window = tf.concat([start // ratio, part // ratio], 0)
        return lambda: tf.io.decode_and_crop_jpeg(
            encoded, window, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    def other() -> Any:
        image = decoded_tensor(encoded, preprocessing)
        start, part = crop(tf.shape(image)[:2], preprocessing, smallest, area, place)
        return tf.slice(image, tf.concat([start, [0]], 0), tf.concat([part, [preprocessing.channels]], 0))

    found = tf.cond(tf.io.is_jpeg(encoded), jpeg, other)
    scaled = tf.image.resize(found, full, method="bilinear")
    # A mean of levels is a level, so that none has to be limited to 255.
    return tf.ensure_shape(tf.cast(scaled + 0.5, tf.uint8), preprocessing.shape)


def crop(size: Any, preprocessing: Preprocessing, smallest: float, area: Any, place: Any) -> tuple[Any, Any]:
    """Return where to crop an image of `size`, int32 [height, width]: int32 [top, left] and [height, width]."""
    import tensorflow as tf

    sides = tf.cast(size, tf.float32)
    # What evaluation shows of the image: the center crop, measured in pixels of the image.
    shown = sides * tf.constant(preprocessing.shape[:2], tf.float32)
    shown /= tf.cast(covering_size(size, preprocessing), tf.float32)
    side = tf.sqrt(smallest + (1 - smallest) * area)
    part = tf.minimum(tf.math.ceil(side * shown), sides)
    start = tf.floor((sides - shown) / 2 + place * tf.maximum(shown - part + 1, 0))
    return tf.cast(tf.clip_by_value(start, 0, sides - part), tf.int32), tf.cast(part, tf.int32)


def shifted(pixels: Any, share: float, place: Any) -> Any:
    """Shift an image by up to `share` of each side, and fill the border by reflection.

    `place` (float32 [2] in [0, 1)) decides how far.
    """
    import tensorflow as tf

    reach = [int(share * side) for side in pixels.shape[:2]]
    padded = tf.pad(pixels, [*([pad, pad] for pad in reach), [0, 0]], "REFLECT")
    start = tf.cast(place * tf.constant([2.0 * pad + 1 for pad in reach]), tf.int32)
    return tf.slice(padded, tf.concat([start, [0]], 0), pixels.shape)
