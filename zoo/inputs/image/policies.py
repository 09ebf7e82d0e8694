"""Augmentation policies: random operations on the shape and the colors of an image, as TensorFlow operations.

RandAugment (Cubuk et al. 2019, arXiv:1909.13719) applies a few operations of one strength, TrivialAugment (Müller and
Hutter 2021, arXiv:2103.10158) one operation of a random strength.

The operations are those of Pillow, with the same pixels; pixels that come from outside of the image are 0. All of them
take an image, uint8 [height, width, channels] with a static shape, and an amount, a float32 scalar; an amount of 0
changes nothing, and operations that have no amount ignore it. Colors are gray or RGB; the operations on colors leave
alpha, the last of 2 or 4 channels, as it is.

The layers of Keras (3.15) cannot replace this module: `keras.layers.RandAugment` draws its random numbers from a
generator with a state, in the order in which threads call it, so that the same example gets other numbers in another
run. It also applies every operation to every image and then chooses among the results.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.inputs.image.settings import ImageSettings

LEVELS = 31
"""The strengths that TrivialAugment draws from: 0 to 30 thirtieths."""

MOST_MAGNITUDE = 10.0
"""The magnitude at which RandAugment's operations have their greatest amounts."""

FIXED = 65536
"""The steps of a pixel: coordinates are fixed-point numbers, as in Pillow, so that all machines agree."""

LUMA = (19595, 38470, 7471)
"""The weights of red, green and blue in gray, in units of 1/65536, as Pillow has them."""


def identity(pixels: Any, amount: Any) -> Any:
    """Return the image."""
    return pixels


def auto_contrast(pixels: Any, amount: Any) -> Any:
    """Stretch each channel so that its darkest value becomes 0 and its lightest 255."""
    import tensorflow as tf

    colors, alpha = _divided(pixels)
    low = tf.cast(tf.reduce_min(colors, [0, 1]), tf.float64)
    high = tf.cast(tf.reduce_max(colors, [0, 1]), tf.float64)
    scale = 255 / tf.maximum(high - low, 1)
    stretched = tf.range(256, dtype=tf.float64)[:, None] * scale - low * scale
    levels = tf.cast(tf.clip_by_value(stretched, 0, 255), tf.int32)
    levels = tf.where(high > low, levels, tf.range(256)[:, None])
    return _joined(_looked_up(colors, levels), alpha)


def equalize(pixels: Any, amount: Any) -> Any:
    """Bring the values of each channel to an even distribution."""
    import tensorflow as tf

    colors, alpha = _divided(pixels)
    channels = colors.shape[-1]
    bins = tf.cast(colors, tf.int32) + 256 * tf.range(channels)
    counts = tf.reshape(tf.math.bincount(tf.reshape(bins, [-1]), minlength=256 * channels), [channels, 256])
    lightest = tf.gather(counts, tf.cast(tf.reduce_max(colors, [0, 1]), tf.int32), axis=1, batch_dims=1)
    step = (tf.reduce_sum(counts, 1) - lightest) // 255
    lower_counts = tf.cumsum(counts, 1, exclusive=True) + step[:, None] // 2
    levels = tf.minimum(lower_counts // tf.maximum(step, 1)[:, None], 255)
    levels = tf.where(step[:, None] > 0, levels, tf.range(256)[None])
    return _joined(_looked_up(colors, tf.transpose(levels)), alpha)


def posterize(pixels: Any, amount: Any) -> Any:
    """Set the lowest bits of each color to 0; `amount`, rounded, is their number."""
    import tensorflow as tf

    colors, alpha = _divided(pixels)
    step = tf.bitwise.left_shift(1, tf.cast(tf.round(amount), tf.int32))
    return _joined(tf.cast(tf.cast(colors, tf.int32) // step * step, tf.uint8), alpha)


def solarize(pixels: Any, amount: Any) -> Any:
    """Invert all colors that are lighter than a threshold; `amount`, rounded, is 256 less the threshold."""
    import tensorflow as tf

    colors, alpha = _divided(pixels)
    threshold = 256 - tf.cast(tf.round(amount), tf.int32)
    return _joined(tf.where(tf.cast(colors, tf.int32) < threshold, colors, 255 - colors), alpha)


def color(pixels: Any, amount: Any) -> Any:
    """Make colors stronger, or weaker with an amount below 0; -1 makes them gray."""
    return _enhanced(pixels, amount, lambda colors: _gray(colors) + colors * 0)


def contrast(pixels: Any, amount: Any) -> Any:
    """Make the contrast stronger, or weaker with an amount below 0; -1 leaves a single shade of gray."""
    import tensorflow as tf

    def mean(colors: Any) -> Any:
        gray = tf.cast(_gray(colors), tf.int64)
        count = tf.size(gray, tf.int64)
        # The nearest integer to the mean.
        return tf.cast((2 * tf.reduce_sum(gray) + count) // (2 * count), tf.int32) + colors * 0

    return _enhanced(pixels, amount, mean)


def brightness(pixels: Any, amount: Any) -> Any:
    """Make an image lighter, or darker with an amount below 0; -1 makes it black."""
    return _enhanced(pixels, amount, lambda colors: colors * 0)


def sharpness(pixels: Any, amount: Any) -> Any:
    """Make an image sharper, or smoother with an amount below 0; -1 takes means of 3×3 pixels, except at the border."""
    import tensorflow as tf

    def smooth(colors: Any) -> Any:
        height, width, _ = colors.shape
        if min(height, width) < 3:
            return colors
        rows = colors[:-2] + colors[1:-1] + colors[2:]
        neighborhood_sums = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
        inside = (2 * (neighborhood_sums + 4 * colors[1:-1, 1:-1]) + 13) // 26
        middle = tf.concat([colors[1:-1, :1], inside, colors[1:-1, -1:]], 1)
        return tf.concat([colors[:1], middle, colors[-1:]], 0)

    return _enhanced(pixels, amount, smooth)


def rotate(pixels: Any, amount: Any) -> Any:
    """Rotate an image about its center, counterclockwise, by an amount in degrees."""
    import tensorflow as tf

    height, width, _ = pixels.shape
    angle = _exact(amount) * (np.pi / 180)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    x, y = width / 2, height / 2
    return _moved(pixels, (cosine, -sine, x - x * cosine + y * sine), (sine, cosine, y - x * sine - y * cosine))


def shear_x(pixels: Any, amount: Any) -> Any:
    """Move each row to the left by `amount` times its distance from the middle."""
    amount = _exact(amount)
    return _moved(pixels, (1.0, amount, -amount * (pixels.shape[0] / 2)), (0.0, 1.0, 0.0))


def shear_y(pixels: Any, amount: Any) -> Any:
    """Move each column up by `amount` times its distance from the middle."""
    amount = _exact(amount)
    return _moved(pixels, (1.0, 0.0, 0.0), (amount, 1.0, -amount * (pixels.shape[1] / 2)))


def translate_x(pixels: Any, amount: Any) -> Any:
    """Move an image to the left by `amount` times its width."""
    return _moved(pixels, (1.0, 0.0, _exact(amount) * pixels.shape[1]), (0.0, 1.0, 0.0))


def translate_y(pixels: Any, amount: Any) -> Any:
    """Move an image up by `amount` times its height."""
    return _moved(pixels, (1.0, 0.0, 0.0), (0.0, 1.0, _exact(amount) * pixels.shape[0]))


@dataclass(frozen=True)
class Operation:
    """An operation on images.

    Attributes:
        apply: the function of an image and an amount, which returns an image of the same shape.
        randaugment: its greatest amount in RandAugment. The amounts are those of the papers, with translations as
            shares of the side.
        trivialaugment: its greatest amount in the wide search space of TrivialAugment.
        signed: whether half of all amounts are negative.
        colored: whether it changes only images with colors.
    """

    apply: Callable[[Any, Any], Any]
    randaugment: float = 0.0
    trivialaugment: float = 0.0
    signed: bool = False
    colored: bool = False


OPERATIONS: dict[str, Operation] = {
    "identity": Operation(identity),
    "auto_contrast": Operation(auto_contrast),
    "equalize": Operation(equalize),
    "posterize": Operation(posterize, 4, 6),
    "solarize": Operation(solarize, 256, 256),
    "color": Operation(color, 0.9, 0.99, signed=True, colored=True),
    "contrast": Operation(contrast, 0.9, 0.99, signed=True),
    "brightness": Operation(brightness, 0.9, 0.99, signed=True),
    "sharpness": Operation(sharpness, 0.9, 0.99, signed=True),
    "rotate": Operation(rotate, 30, 135, signed=True),
    "shear_x": Operation(shear_x, 0.3, 0.99, signed=True),
    "shear_y": Operation(shear_y, 0.3, 0.99, signed=True),
    "translate_x": Operation(translate_x, 100 / 224, 32 / 224, signed=True),
    "translate_y": Operation(translate_y, 100 / 224, 32 / 224, signed=True),
}
"""The operations that policies draw from, by name."""

RANDOM_NUMBERS_EACH = 3
"""The number of random numbers that an operation takes: they decide the operation, its strength and its sign."""


def operations_of(settings: ImageSettings) -> int:
    """Return how many operations the policy of a recipe applies to an image."""
    return {"none": 0, "randaugment": settings.policy_operations, "trivialaugment": 1}[settings.policy]


def changed(pixels: Any, settings: ImageSettings, random: Any) -> Any:
    """Apply the policy of a recipe to an image, uint8 [height, width, channels].

    `random`, float32 [operations · RANDOM_NUMBERS_EACH] in [0, 1), decides the operations.
    """
    import tensorflow as tf

    choices = _choices(pixels.shape[-1])
    greatest = tf.constant([getattr(operation, settings.policy) for operation in choices], tf.float32)
    signed = tf.constant([operation.signed for operation in choices])
    apply = _dispatcher(tuple(pixels.shape))
    for number in range(operations_of(settings)):
        start = number * RANDOM_NUMBERS_EACH
        draw, strength, sign = tf.unstack(random[start : start + RANDOM_NUMBERS_EACH])
        choice = tf.cast(draw * len(choices), tf.int32)
        if settings.policy == "randaugment":
            strength = settings.policy_magnitude / MOST_MAGNITUDE
        else:
            strength = tf.floor(strength * LEVELS) / (LEVELS - 1)
        amount = strength * greatest[choice]
        amount = tf.where(signed[choice] & (sign < 0.5), -amount, amount)
        pixels = apply(pixels, choice, amount)
    return pixels


def _choices(channels: int) -> list[Operation]:
    """Return the operations that change images with this number of channels."""
    return [operation for operation in OPERATIONS.values() if channels >= 3 or not operation.colored]


@functools.cache
def _dispatcher(shape: tuple[int, int, int]) -> Callable[[Any, Any, Any], Any]:
    """Return a function of an image of a shape, the index of an operation in `_choices`, and an amount.

    The function is traced once in a process. Tracing all operations takes a third of a second. Without this function,
    each epoch would trace them again, once for each operation that the policy applies to an image.
    """
    import tensorflow as tf

    @tf.function(
        input_signature=[tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)],
        autograph=False,
    )
    def apply(pixels: Any, choice: Any, amount: Any) -> Any:
        def branch(operation: Operation) -> Callable[[], Any]:
            return lambda: tf.ensure_shape(operation.apply(pixels, amount), shape)

        return tf.switch_case(choice, [branch(operation) for operation in _choices(shape[-1])])

    return apply


def _divided(pixels: Any) -> tuple[Any, Any]:
    """Return the colors of an image, and its alpha, which has no channels where there is none."""
    channels = pixels.shape[-1]
    count = 1 if channels < 3 else 3
    return pixels[..., :count], pixels[..., count:]


def _joined(colors: Any, alpha: Any) -> Any:
    import tensorflow as tf

    return tf.concat([colors, alpha], -1) if alpha.shape[-1] else colors


def _looked_up(colors: Any, levels: Any) -> Any:
    """Replace each value, uint8 [height, width, channels], by its entry in `levels`, int32 [256, channels]."""
    import tensorflow as tf

    channels = colors.shape[-1]
    indices = tf.cast(colors, tf.int32) * channels + tf.range(channels)
    return tf.gather(tf.reshape(tf.cast(levels, tf.uint8), [-1]), indices)


def _gray(colors: Any) -> Any:
    """Return the gray values, int32 [height, width, 1], of colors, int32 [height, width, channels]."""
    import tensorflow as tf

    if colors.shape[-1] == 1:
        return colors
    return (tf.reduce_sum(colors * tf.constant(LUMA), -1, keepdims=True) + FIXED // 2) // FIXED


def _enhanced(pixels: Any, amount: Any, degenerate: Callable[[Any], Any]) -> Any:
    """Move colors away from those of a degenerate image by `amount` times their difference, or towards them.

    `degenerate` makes that image, int32 [height, width, channels], of the colors.
    """
    import tensorflow as tf

    colors, alpha = _divided(pixels)
    colors = tf.cast(colors, tf.int32)
    degenerate_colors = degenerate(colors)
    factor = tf.cast(1 + amount, tf.float32)
    enhanced = tf.cast(degenerate_colors, tf.float32) + factor * tf.cast(colors - degenerate_colors, tf.float32)
    return _joined(tf.cast(tf.clip_by_value(enhanced, 0, 255), tf.uint8), alpha)


def _exact(value: Any) -> Any:
    import tensorflow as tf

    return tf.cast(value, tf.float64)


def _moved(pixels: Any, to_x: tuple[Any, Any, Any], to_y: tuple[Any, Any, Any]) -> Any:
    """Return an image whose pixel at (x, y) is that at (a x + b y + c, d x + e y + f) of another.

    `to_x` is (a, b, c) and `to_y` is (d, e, f), in pixels from the corner of the image; the middle of the first pixel
    is (0.5, 0.5). The nearest pixel is taken.
    """
    import tensorflow as tf

    height, width, channels = pixels.shape

    def source_coordinates(coefficients: tuple[Any, Any, Any]) -> Any:
        along_x, along_y, start = map(_exact, coefficients)
        start += (along_x + along_y) / 2
        step_x, step_y, first = (
            tf.cast(tf.floor(FIXED * number + 0.5), tf.int32) for number in (along_x, along_y, start)
        )
        return (first + step_x * tf.range(width)[None] + step_y * tf.range(height)[:, None]) // FIXED

    x, y = source_coordinates(to_x), source_coordinates(to_y)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    # An additional pixel, which is 0, stands for all pixels outside of the image.
    flat = tf.pad(tf.reshape(pixels, [-1, channels]), [[0, 1], [0, 0]])
    return tf.gather(flat, tf.where(inside, y * width + x, height * width))
