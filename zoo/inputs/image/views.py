"""Several views of each image in a batch, for training without labels.

A view is an image that is changed at random. Its random numbers depend on the example, the epoch and the number of the
view: the same arguments give the same views in any process.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.share import WHOLE, Share, check_batch
from zoo.inputs.image.augment import RANDOM_NUMBERS, augmented, more_numbers
from zoo.inputs.image.batches import batched, reader
from zoo.inputs.image.client import IMAGE
from zoo.inputs.image.distortion import DISTORTION_NUMBERS, distorted
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings

STRONG: Literal["randaugment"] = "randaugment"
"""The policy of strong views where the recipe has none."""

SHARE_CUT, LEVEL, CUT_NUMBERS = 0.5, 128, 2
"""The square that is cut out: its side as a share of the image's, its level, and how many random numbers place it."""

View = Callable[[Any, Any, Any], Any]
"""A function of an encoded image, random numbers in [0, 1) and the number of the view, which returns pixels, uint8."""


def distorting(preprocessing: Preprocessing, settings: ImageSettings, color: float, blur: float) -> tuple[View, int]:
    """Return the views of SimCLR, and the random numbers that each takes.

    A view is augmented as `settings` say, then its colors are distorted, see `zoo.inputs.image.distortion`.
    """

    used = _numbers(settings)

    def view(encoded: Any, random: Any, number: Any) -> Any:
        pixels = augmented(encoded, preprocessing, settings, random[:used])
        return distorted(pixels, color, blur, random[used:])

    return view, used + DISTORTION_NUMBERS


def _numbers(settings: ImageSettings) -> int:
    """Return how many random numbers the augmentation of an image takes."""
    return RANDOM_NUMBERS + sum(more_numbers(settings))


def strong(settings: ImageSettings) -> ImageSettings:
    """Return the settings of strong views: those of the recipe, with RandAugment where they have no policy."""
    return settings if settings.policy != "none" else dataclasses.replace(settings, policy=STRONG)


def weak_and_strong(
    images: Examples,
    preprocessing: Preprocessing,
    settings: ImageSettings,
    *,
    batch_size: int,
    key: tuple[int, ...],
    start: int = 0,
    share: Share = WHOLE,
) -> Any:
    """Return one epoch of pairs of views for FixMatch, as `zoo.input.Views` says.

    The weak view is augmented as `settings` say, without a policy and without erasing. The strong one is augmented as
    `strong` says, and a square of it is made gray.
    """
    weak = dataclasses.replace(settings, policy="none", erase=0.0)
    stronger = strong(settings)
    used = _numbers(stronger)

    def view(encoded: Any, random: Any, number: Any) -> Any:
        import tensorflow as tf

        def strongly() -> Any:
            return cut_out(augmented(encoded, preprocessing, stronger, random[:used]), random[used:])

        def weakly() -> Any:
            return augmented(encoded, preprocessing, weak, random[: _numbers(weak)])

        return tf.cond(tf.equal(number, 0), weakly, strongly)

    return training_views(
        images, preprocessing, view, used + CUT_NUMBERS,
        views=2, batch_size=batch_size, key=key, start=start, share=share,
    )  # fmt: skip


def cut_out(pixels: Any, random: Any) -> Any:
    """Make a square of an image gray: half as wide as the image, with a random center (DeVries et al. 2017, Cutout).

    `random` is float32 [CUT_NUMBERS] in [0, 1).
    """
    import tensorflow as tf

    height, width, _ = pixels.shape
    reach = SHARE_CUT * min(height, width) / 2
    rows, columns = (
        tf.abs(tf.range(side, dtype=tf.float32) + 0.5 - random[axis] * side) < reach
        for axis, side in enumerate((height, width))
    )
    return tf.where((rows[:, None] & columns)[..., None], tf.constant(LEVEL, tf.uint8), pixels)


def training_views(
    images: Examples,
    preprocessing: Preprocessing,
    view: View,
    numbers: int,
    *,
    views: int,
    batch_size: int,
    key: tuple[int, ...],
    start: int = 0,
    share: Share,
) -> Any:
    """Return one epoch as a tf.data.Dataset of (image [batch, views, height, width, channels], zeros int64 [batch]).

    Order and views depend on `key`. A last, smaller batch is left out, and so are the first `start` batches.

    Raises:
        ZooError: there are fewer images than `batch_size`.
    """
    check_batch(batch_size, len(images))
    generator = np.random.default_rng(key)
    order = share.of(generator.permutation(len(images))[start * batch_size :], batch_size)
    random = generator.random((len(images), views, numbers), np.float32)
    return _batches(images, preprocessing, view, order, random[order], share.size(batch_size))


def evaluation_views(
    images: Examples,
    preprocessing: Preprocessing,
    view: View,
    numbers: int,
    *,
    views: int,
    batch_size: int,
    key: tuple[int, ...],
    share: Share,
) -> Any:
    """Return views of every image in order, as (image, zeros int64 [batch], weights float32 [batch]).

    The last batch is filled up with views of the first image, whose weight is 0; that of all others is 1.
    """
    index, weights = share.filled(len(images), batch_size)
    random = np.random.default_rng(key).random((len(images), views, numbers), np.float32)
    return _batches(images, preprocessing, view, index, random[index], share.size(batch_size), weights)


def _batches(
    images: Examples,
    preprocessing: Preprocessing,
    view: View,
    index: np.ndarray,
    random: np.ndarray,
    batch_size: int,
    *columns: np.ndarray,
) -> Any:
    """Return views of the images at `index` by `random`, float32 [index, views, numbers], zeros, and the columns."""
    import tensorflow as tf

    views, read = random.shape[1], reader(images)
    rows = np.repeat(index, views), random.reshape(-1, random.shape[2]), np.tile(np.arange(views), len(index))

    def load(image_index: Any, random: Any, number: Any) -> tuple[Any]:
        return (view(read(image_index), random, number),)

    def together(view_batch: tuple[Any], others: tuple[Any, ...]) -> tuple[Any, ...]:
        return {IMAGE: tf.reshape(view_batch[0][IMAGE], [batch_size, views, *preprocessing.shape])}, *others

    view_batches = batched(rows, load, preprocessing, batch_size * views, WHOLE)
    with tf.device("CPU"):
        others = tf.data.Dataset.from_tensor_slices((np.zeros(len(index), np.int64), *columns))
        others = others.batch(batch_size, drop_remainder=True)
        return tf.data.Dataset.zip((view_batches, others)).map(together).prefetch(1)
