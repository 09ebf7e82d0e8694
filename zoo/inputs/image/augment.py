"""Augmentation of training images as TensorFlow operations; random numbers are arguments.

A random crop is cut out of the image before scaling, so that only this part of a JPEG is decoded, and at no higher
resolution than the network needs. Evaluation, clients and graphs decode and scale whole images, as
`zoo.inputs.image.preprocessing` defines it; the pixels of a crop differ from theirs as much as the results of two
methods of resizing differ.
"""

from __future__ import annotations

from typing import Any

from zoo.inputs.image import policies
from zoo.inputs.image.decoding import covering_size, decoded_tensor, from_jpeg, pixels_tensor
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings

RANDOM_NUMBERS = 6
"""The number of random numbers that crop, shift and flip of one image take."""

RATIO_NUMBERS, ERASE_NUMBERS = 1, 7
"""The number of random numbers that the aspect ratio of a crop and the erasing of a rectangle take."""

SMALLEST_ERASED, LARGEST_ERASED, ERASED_RATIO = 0.02, 0.4, 1 / 0.3
"""The area of an erased rectangle as a share of the image's, and its largest aspect ratio (Zhong et al., section 4)."""

RATIOS = (1, 2, 4, 8)
"""The factors by which libjpeg can shrink an image while it decodes, which costs less than decoding it whole."""


def more_numbers(settings: ImageSettings) -> tuple[int, int, int]:
    """Return how many further random numbers an image takes: for its aspect ratio, its policy and its erasing."""
    ratio = RATIO_NUMBERS if settings.crop_ratio > 1 else 0
    erasing = ERASE_NUMBERS if settings.erase > 0 else 0
    return ratio, policies.operations_of(settings) * policies.RANDOM_NUMBERS_EACH, erasing


def augmented(encoded: Any, preprocessing: Preprocessing, augment: ImageSettings, random: Any) -> Any:
    """Return the pixels of one JPEG or PNG as it is shown in training, uint8 [height, width, channels].

    `encoded` is a string scalar. `random`, float32 [RANDOM_NUMBERS + sum(more_numbers(augment))] in [0, 1), decides
    crop, shift, flip, aspect ratio, policy and erasing, in this order.
    """
    import tensorflow as tf

    ratio, policy, erasing = more_numbers(augment)
    if augment.smallest_crop < 1:
        stretch = augment.crop_ratio ** (2 * random[RANDOM_NUMBERS] - 1) if ratio else None
        pixels = cropped(encoded, preprocessing, augment.smallest_crop, random[0], random[1:3], stretch)
    else:
        pixels = pixels_tensor(encoded, preprocessing)
    if augment.shift > 0:
        pixels = shifted(pixels, augment.shift, random[3:5])
    if augment.flip:
        # `tf.where` and a slice with a negative step take 40 times as long (tensorflow 2.21).
        pixels = tf.cond(random[5] < 0.5, lambda: tf.reverse(pixels, [1]), lambda: pixels)
    used = RANDOM_NUMBERS + ratio
    if policy:
        pixels = policies.changed(pixels, augment, random[used : used + policy])
    if erasing:
        erase, *numbers = tf.unstack(random[used + policy : used + policy + erasing])
        pixels = tf.cond(erase < augment.erase, lambda: erased(pixels, preprocessing, augment, numbers), lambda: pixels)
    return pixels


def cropped(
    encoded: Any, preprocessing: Preprocessing, smallest: float, area: Any, place: Any, stretch: Any = None
) -> Any:
    """Return a random part of the region that evaluation shows of an image, scaled to the network's input.

    `smallest` is the least share of the area that is kept. `area` (float32 scalar) decides the share and `place`
    (float32 [2]) the position, both in [0, 1). `stretch` (float32 scalar) is the aspect ratio of the part, width by
    height, relative to that of the region; None keeps the region's.
    """
    import tensorflow as tf

    full = tf.constant(preprocessing.shape[:2], tf.int32)

    def jpeg() -> Any:
        size = tf.io.extract_jpeg_shape(encoded)[:2]
        start, part = crop(size, preprocessing, smallest, area, place, stretch)
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
        start, part = crop(tf.shape(image)[:2], preprocessing, smallest, area, place, stretch)
        return tf.slice(image, tf.concat([start, [0]], 0), tf.concat([part, [preprocessing.channels]], 0))

    def scaled_to_full(part: Any, antialias: bool) -> Any:
        return tf.image.resize(part, full, method="bilinear", antialias=antialias)

    # No antialias for a JPEG: decoding has already scaled it down.
    scaled = tf.cond(
        tf.io.is_jpeg(encoded), lambda: scaled_to_full(jpeg(), False), lambda: scaled_to_full(other(), True)
    )
    # A mean of levels is never above 255, so nothing has to be clipped.
    return tf.ensure_shape(tf.cast(scaled + 0.5, tf.uint8), preprocessing.shape)


def crop(
    size: Any, preprocessing: Preprocessing, smallest: float, area: Any, place: Any, stretch: Any = None
) -> tuple[Any, Any]:
    """Return where to crop an image of `size`, int32 [height, width]: int32 [top, left] and [height, width].

    Where a part of this area and aspect ratio would be longer than the image, it is as long as the image and keeps its
    area.
    """
    import tensorflow as tf

    sides = tf.cast(size, tf.float32)
    # The region that evaluation shows: the center crop, measured in pixels of the image.
    shown = sides * tf.constant(preprocessing.shape[:2], tf.float32)
    shown /= tf.cast(covering_size(size, preprocessing), tf.float32)
    share = smallest + (1 - smallest) * area
    part = tf.sqrt(share) * shown
    if stretch is not None:
        wider = tf.sqrt(tf.clip_by_value(stretch, share, 1 / share))
        part *= tf.stack([1 / wider, wider])
    part = tf.minimum(tf.math.ceil(part), sides)
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


def erased(pixels: Any, preprocessing: Preprocessing, settings: ImageSettings, random: Any) -> Any:
    """Erase a rectangle of an image, uint8 [height, width, channels] (Zhong et al. 2017, arXiv:1708.04896).

    Where a rectangle of the drawn area and aspect ratio would be longer than the image, it is as long as the image. The
    numbers of `random`, float32 scalars in [0, 1), decide area, aspect ratio, position (2) and random pixels (2).
    """
    import tensorflow as tf

    height, width, _ = preprocessing.shape
    area = SMALLEST_ERASED + (LARGEST_ERASED - SMALLEST_ERASED) * random[0]
    ratio = ERASED_RATIO ** (2 * random[1] - 1)
    rows, columns = (
        _between(side, share * side, position)
        for side, share, position in (
            (height, tf.sqrt(area / ratio), random[2]),
            (width, tf.sqrt(area * ratio), random[3]),
        )
    )
    if settings.erase_with == "noise":
        seed = tf.cast(tf.stack(random[4:]) * 2.0**24, tf.int32)
        filling = tf.random.stateless_uniform(pixels.shape, seed, 0, 256, tf.int32, alg="philox")
    else:
        filling = tf.constant([min(255, max(0, round(255 * mean))) for mean in preprocessing.mean])
    return tf.where((rows[:, None] & columns[None])[..., None], tf.cast(filling, tf.uint8), pixels)


def _between(size: int, length: Any, position: Any) -> Any:
    """Return bool [size]: true in an interval of `length`, at least 1; `position` in [0, 1) decides where it lies."""
    import tensorflow as tf

    length = tf.clip_by_value(tf.round(length), 1, size)
    start = tf.floor(position * (size - length + 1))
    numbers = tf.range(size, dtype=tf.float32)
    return (numbers >= start) & (numbers < start + length)
