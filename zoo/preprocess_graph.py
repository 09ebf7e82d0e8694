"""The preprocessing of images as TensorFlow operations, for training and for SavedModels: see `zoo.preprocess`."""

from __future__ import annotations

from typing import Any

from zoo.preprocess import LARGEST_PICTURE, Preprocessing, before_crop

# ITU-R 601 luma in 1/65536, as Pillow computes it; exact on grey pictures, for they sum to 65536.
_LUMA = (19595, 38470, 7471)


def pixels_tensor(encoded: Any, preprocessing: Preprocessing) -> Any:
    """uint8 [height, width, channels] of one JPEG or PNG, as TensorFlow operations on a scalar string tensor."""
    import tensorflow as tf

    picture = _decode_tensor(encoded, preprocessing.channels)
    if preprocessing.crop < 1:
        picture = _covering_tensor(picture, preprocessing)
    else:
        fits = tf.reduce_all(tf.shape(picture) == preprocessing.shape)
        picture = tf.cond(fits, lambda: picture, lambda: _covering_tensor(picture, preprocessing))
    return tf.ensure_shape(picture, preprocessing.shape)


def _covering_tensor(picture: Any, preprocessing: Preprocessing) -> Any:
    """The steps of `covering` and `pixels_from_picture`."""
    import tensorflow as tf

    size = tf.shape(picture)[:2]
    scaled = _covering_size(size, preprocessing)
    largest = tf.reduce_max(tf.stack([size[0], scaled[0]]))
    area = tf.cast(largest, tf.int64) * tf.cast(scaled[1], tf.int64)
    tf.debugging.assert_less_equal(area, tf.constant(LARGEST_PICTURE, tf.int64), "the picture is too large when scaled")
    # Bilinear, both sides at once are within a level of Pillow's one after the other, in half the time.
    sizes = {"bilinear": [scaled], "bicubic": [tf.stack([size[0], scaled[1]]), scaled]}
    for size_between in sizes[preprocessing.interpolation]:
        # Without antialias this is another picture than Pillow's, by up to 102 levels (tensorflow 2.21).
        resized = tf.image.resize(picture, size_between, method=preprocessing.interpolation, antialias=True)
        # Halves go up, as in Pillow.
        picture = tf.saturate_cast(tf.floor(resized + 0.5), tf.uint8)
    # Halves go to the even number, as Python's do.
    start = tf.cast(tf.round((scaled - preprocessing.shape[:2]) / 2), tf.int32)
    return tf.slice(picture, [start[0], start[1], 0], preprocessing.shape)


def _covering_size(size: Any, preprocessing: Preprocessing) -> Any:
    import tensorflow as tf

    least = tf.constant(before_crop(preprocessing), tf.int32)
    if preprocessing.scaling == "stretch":
        return least
    sides, floor = tf.cast(size, tf.int64), tf.cast(least, tf.int64)
    scaled = tf.where(
        sides[0] * floor[1] <= sides[1] * floor[0],
        tf.stack([floor[0], sides[1] * floor[0] // sides[0]]),
        tf.stack([sides[0] * floor[1] // sides[1], floor[1]]),
    )
    return tf.cast(scaled, tf.int32)


def _decode_tensor(encoded: Any, channels: int) -> Any:
    import tensorflow as tf

    def colour() -> Any:
        # DecodeJpeg reads PNG too. Its default DCT differs from Pillow's by up to 18 levels (tensorflow 2.21).
        return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")

    def with_alpha() -> Any:
        opaque = tf.fill(tf.concat([tf.shape(colour())[:2], [1]], 0), tf.constant(255, tf.uint8))
        return tf.concat([colour(), opaque], 2)

    if channels in (1, 3):
        picture = colour()
    else:
        # The alpha of opaque PNGs of 1, 2 and 4 bits comes out as 1, 3 and 15 (tensorflow 2.21).
        picture = tf.cond(tf.io.is_jpeg(encoded), with_alpha, lambda: tf.io.decode_png(encoded, channels=4))
    if channels < 3:
        luma = tf.reduce_sum(tf.cast(picture[..., :3], tf.int32) * tf.constant(_LUMA), -1, keepdims=True)
        grey = tf.cast((luma + 0x8000) // 65536, tf.uint8)
        picture = tf.concat([grey, picture[..., 3:]], 2)
    return picture


def normalised(pixels: Any, preprocessing: Preprocessing) -> Any:
    """float32 network input of a uint8 tensor [..., height, width, channels], as TensorFlow operations."""
    import tensorflow as tf

    scale, offset = preprocessing.scale_and_offset()
    return tf.cast(pixels, tf.float32) * scale + offset
