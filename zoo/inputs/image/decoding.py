"""The preprocessing of `zoo.inputs.image.preprocessing` as TensorFlow operations, for training and for SavedModels."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.inputs.image.png_file import COLOR_TYPE, DEPTH, FIRST_KIND, PALETTE
from zoo.inputs.image.preprocessing import BACKGROUNDS, Preprocessing, before_crop, largest_scaled

# ITU-R 601 luma in units of 1/65536, as Pillow computes it. The sum is 65536, so that gray stays as it is.
_LUMA = (19595, 38470, 7471)

WHITE = np.uint8(255)


def pixels_tensor(encoded: Any, preprocessing: Preprocessing) -> Any:
    """Return the pixels of one JPEG or PNG, uint8 [height, width, channels]; `encoded` is a string scalar."""
    import tensorflow as tf

    image = decoded_tensor(encoded, preprocessing)
    if preprocessing.crop_pct < 1:
        image = _covering_tensor(image, preprocessing)
    else:
        has_network_size = tf.reduce_all(tf.shape(image) == preprocessing.shape)
        image = tf.cond(has_network_size, lambda: image, lambda: _covering_tensor(image, preprocessing))
    return tf.ensure_shape(image, preprocessing.shape)


def _covering_tensor(image: Any, preprocessing: Preprocessing) -> Any:
    """Resize and crop, as `covering` and `pixels_from_image` do."""
    import tensorflow as tf

    size = tf.shape(image)[:2]
    check = tf.debugging.Assert(scales(size, preprocessing), ["the image is too large when scaled", size])
    # Without this control dependency, a served graph would resize the image before it refuses it.
    with tf.control_dependencies([check]):
        scaled = covering_size(size, preprocessing)
    # Bilinear: one pass over both sides differs from Pillow's two by at most one level, and takes half the time.
    sizes = {"bilinear": [scaled], "bicubic": [tf.stack([size[0], scaled[1]]), scaled]}
    for size_between in sizes[preprocessing.interpolation]:
        # Without antialias the result differs from Pillow's by up to 102 levels (tensorflow 2.21).
        resized = tf.image.resize(image, size_between, method=preprocessing.interpolation, antialias=True)
        # Halves are rounded up, as in Pillow.
        image = tf.saturate_cast(tf.floor(resized + 0.5), tf.uint8)
    # Halves are rounded to even, as Python does.
    start = tf.cast(tf.round((scaled - preprocessing.shape[:2]) / 2), tf.int32)
    return tf.slice(image, [start[0], start[1], 0], preprocessing.shape)


def scales(size: Any, preprocessing: Preprocessing) -> Any:
    """Return a bool scalar: whether an image of `size`, integers [height, width], stays small while it is resized."""
    import tensorflow as tf

    sides, scaled = tf.cast(size, tf.int64), tf.cast(covering_size(size, preprocessing), tf.int64)
    areas = tf.stack([sides[0] * scaled[1], scaled[0] * sides[1], scaled[0] * scaled[1]])
    return tf.reduce_all(areas <= largest_scaled(preprocessing))


def covering_size(size: Any, preprocessing: Preprocessing) -> Any:
    """Return the size, int32 [2], to which an image of `size`, integers [height, width], is resized before the crop."""
    import tensorflow as tf

    smallest_size = tf.constant(before_crop(preprocessing), tf.int32)
    if preprocessing.resize_mode == "squash":
        return smallest_size
    sides, smallest_sides = tf.cast(size, tf.int64), tf.cast(smallest_size, tf.int64)
    scaled = tf.where(
        sides[0] * smallest_sides[1] <= sides[1] * smallest_sides[0],
        tf.stack([smallest_sides[0], sides[1] * smallest_sides[0] // sides[0]]),
        tf.stack([sides[0] * smallest_sides[1] // sides[1], smallest_sides[1]]),
    )
    return tf.cast(scaled, tf.int32)


def decoded_tensor(encoded: Any, preprocessing: Preprocessing) -> Any:
    """Return an image in its original size and the wanted channels, uint8 [height, width, channels]."""
    import tensorflow as tf

    keeps_alpha = preprocessing.channels in (2, 4)

    def jpeg() -> Any:
        # The default DCT differs from Pillow's by up to 18 levels (tensorflow 2.21).
        return _opaque(tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"), preprocessing)

    def png() -> Any:
        return finished(tf.io.decode_png(encoded, channels=4))

    def packed_png() -> Any:
        # For opaque images of 1, 2 and 4 bits, tensorflow 2.21 decodes alpha as 1, 3 and 15. In a gray image every
        # alpha but 0 is opaque. With a palette alpha may have any value, but then the file decodes to four channels.
        samples = tf.io.decode_png(encoded, channels=4)
        alpha, file_channels = samples[..., 3:], tf.shape(tf.io.decode_png(encoded))[2]
        opaque = tf.where(tf.equal(color, PALETTE), tf.less(file_channels, 4), alpha > 0)
        return finished(tf.concat([samples[..., :3], tf.where(opaque, WHITE, alpha)], 2))

    def deep_png() -> Any:
        samples = tf.io.decode_png(encoded, channels=4, dtype=tf.uint16)
        levels = tf.minimum(tf.cast(samples[..., :3], tf.int32) * 256 // (preprocessing.white_level + 1), 255)
        return finished(tf.concat([tf.cast(levels, tf.uint8), tf.cast(samples[..., 3:] // 256, tf.uint8)], 2))

    def no_png() -> Any:
        # The decoder refuses an empty file as it refuses a damaged file.
        return finished(tf.io.decode_png(tf.strings.substr(encoded, 0, 0), channels=4))

    def finished(samples: Any) -> Any:
        if keeps_alpha:
            return samples
        if preprocessing.shows_background:
            return _composite(samples, BACKGROUNDS[preprocessing.background])
        return samples[..., :3]

    # Bit depth and color type of a PNG. A file that ends before them gets zeros here and is refused by its decoder.
    head = tf.strings.join([tf.strings.substr(encoded, 0, COLOR_TYPE + 1), "\0" * (COLOR_TYPE + 1)])
    header = tf.io.decode_raw(tf.strings.substr(head, DEPTH, 2), tf.uint8)
    depth, color = header[0], header[1]
    decoder_index = tf.where(depth < 8, 2, tf.where(depth > 8, 3, 1))
    # libpng also decodes files with a chunk before the header. Their size and depth are not at the offsets that are
    # read here and in `zoo.inputs.image.uploads`, so that a limit on the size would not hold.
    decoder_index = tf.where(tf.equal(tf.strings.substr(head, FIRST_KIND, 4), "IHDR"), decoder_index, 4)
    decoder_index = tf.where(tf.io.is_jpeg(encoded), 0, decoder_index)
    return _in_gray(tf.switch_case(decoder_index, [jpeg, png, packed_png, deep_png, no_png]), preprocessing)


def from_jpeg(colors: Any, preprocessing: Preprocessing) -> Any:
    """Return the RGB samples of a JPEG in the wanted channels."""
    return _in_gray(_opaque(colors, preprocessing), preprocessing)


def _opaque(colors: Any, preprocessing: Preprocessing) -> Any:
    """Give RGB samples an alpha channel, if the network takes one."""
    import tensorflow as tf

    if preprocessing.channels not in (2, 4):
        return colors
    return tf.concat([colors, tf.fill(tf.shape(colors[..., :1]), WHITE)], 2)


def _in_gray(image: Any, preprocessing: Preprocessing) -> Any:
    """Turn RGB samples into luma, if the network takes no colors; alpha stays."""
    import tensorflow as tf

    if preprocessing.channels >= 3:
        return image
    luma = tf.reduce_sum(tf.cast(image[..., :3], tf.int32) * tf.constant(_LUMA), -1, keepdims=True)
    gray = tf.cast((luma + 0x8000) // 65536, tf.uint8)
    return tf.concat([gray, image[..., 3:]], 2)


def _composite(samples: Any, level: int) -> Any:
    """Composite RGBA samples over a background, as `zoo.inputs.image.preprocessing` does."""
    import tensorflow as tf

    samples = tf.cast(samples, tf.uint16)
    alpha = samples[..., 3:]
    return tf.cast((samples[..., :3] * alpha + level * (255 - alpha) + 127) // 255, tf.uint8)


def normalized(pixels: Any, preprocessing: Preprocessing) -> Any:
    """Compute the network's input, float32, from pixels, uint8 [..., height, width, channels]."""
    import tensorflow as tf

    scale, offset = preprocessing.scale_and_offset()
    return tf.cast(pixels, tf.float32) * scale + offset
