"""The distortion of colors of SimCLR as TensorFlow operations; random numbers are arguments.

Chen et al. 2020, arXiv:2002.05709, appendix A. Images without color change in brightness and contrast alone.
"""

from __future__ import annotations

from typing import Any

DISTORTION_NUMBERS = 8
"""The number of random numbers that the distortion of one image takes."""

JITTERED, GRAY = 0.8, 0.2
"""The share of images whose colors change, and the share that become gray."""

BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.8, 0.8, 0.8, 0.2
"""The greatest change of each at a strength of 1; the change of the hue is in turns of the color circle."""

LUMA = (0.299, 0.587, 0.114)
"""The weights of ITU-R 601, which zoo uses everywhere to make images gray."""

LEAST_SIGMA, MOST_SIGMA, SHARE_OF_KERNEL = 0.1, 2.0, 0.1
"""The least and largest std of a blur in pixels, and the side of its kernel as a share of the image's."""


def distorted(pixels: Any, strength: float, blur: float, random: Any) -> Any:
    """Return an image, uint8 [height, width, channels], whose colors are changed, and which may be blurred.

    Alpha stays as it is. `random` is float32 [DISTORTION_NUMBERS] in [0, 1).
    """
    import tensorflow as tf

    count = 3 if pixels.shape[-1] >= 3 else 1
    shown = tf.cast(pixels[..., :count], tf.float32) / 255
    if strength:
        colors = shown
        shown = tf.cond(random[0] < JITTERED, lambda: _jittered(colors, strength, random[1:5]), lambda: colors)
        if count == 3:
            colored = shown
            shown = tf.cond(random[5] < GRAY, lambda: tf.repeat(_luma(colored), 3, -1), lambda: colored)
    if blur:
        sharp = shown
        shown = tf.cond(random[6] < blur, lambda: _blurred(sharp, random[7]), lambda: sharp)
    levels = tf.cast(tf.clip_by_value(shown, 0, 1) * 255 + 0.5, tf.uint8)
    return tf.ensure_shape(tf.concat([levels, pixels[..., count:]], -1), pixels.shape)


def _jittered(colors: Any, strength: float, random: Any) -> Any:
    """Change brightness, contrast, saturation and hue, in this order."""
    import tensorflow as tf

    def factor(most: float, number: Any) -> Any:
        return tf.maximum(1 + strength * most * (2 * number - 1), 0)

    colors = tf.clip_by_value(colors * factor(BRIGHTNESS, random[0]), 0, 1)
    mean = tf.reduce_mean(_luma(colors))
    colors = tf.clip_by_value(mean + factor(CONTRAST, random[1]) * (colors - mean), 0, 1)
    if colors.shape[-1] == 1:
        return colors
    gray = _luma(colors)
    colors = tf.clip_by_value(gray + factor(SATURATION, random[2]) * (colors - gray), 0, 1)
    return tf.image.adjust_hue(colors, strength * HUE * (2 * random[3] - 1))


def _luma(colors: Any) -> Any:
    """Return [height, width, 1]; gray stays as it is."""
    import tensorflow as tf

    return colors if colors.shape[-1] == 1 else tf.reduce_sum(colors * tf.constant(LUMA), -1, keepdims=True)


def _blurred(colors: Any, random: Any) -> Any:
    """Blur by a Gaussian of a random std, rows and columns one after the other."""
    import tensorflow as tf

    reach = max(1, round(SHARE_OF_KERNEL * min(colors.shape[:2]) / 2))
    sigma = LEAST_SIGMA + (MOST_SIGMA - LEAST_SIGMA) * random
    offsets = tf.range(-reach, reach + 1, dtype=tf.float32)
    kernel = tf.nn.softmax(-(offsets**2) / (2 * sigma**2))
    padded = tf.pad(colors, [[reach, reach], [reach, reach], [0, 0]], "SYMMETRIC")
    maps = tf.transpose(padded, [2, 0, 1])[..., None]
    for shape in ([-1, 1, 1, 1], [1, -1, 1, 1]):
        maps = tf.nn.conv2d(maps, tf.reshape(kernel, shape), 1, "VALID")
    return tf.transpose(maps[..., 0], [1, 2, 0])
