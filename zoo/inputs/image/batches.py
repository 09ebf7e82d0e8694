"""Batches of encoded images by tf.data, for training and evaluating networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.errors import ZooError
from zoo.inputs.image.augment import RANDOM_NUMBERS, augmented
from zoo.inputs.image.client import IMAGE
from zoo.inputs.image.decoding import normalized, pixels_tensor
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings
from zoo.provenance import usable_cpus


def training_batches(
    images: Examples,
    preprocessing: Preprocessing,
    settings: ImageSettings,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    start: int = 0,
) -> Any:
    """Return one epoch as a tf.data.Dataset of (network inputs by name, labels int64 [batch]).

    The order of the images depends on (seed, epoch), and the augmentation of an image on (seed, epoch, its index). So
    the same arguments give the same batches in any process, with any number of threads. A last, smaller batch is left
    out, and so are the first `start` batches, whose images are not read.

    Raises:
        ZooError: there are fewer images than `batch_size`.
    """
    if batch_size > len(images):
        most = len(images)
        raise ZooError(f"a batch of {batch_size} is more than the {most} training images: --set batch_size={most}")
    generator = np.random.default_rng((seed, epoch))
    order = generator.permutation(len(images))[start * batch_size :]
    random = generator.random((len(images), RANDOM_NUMBERS), np.float32)
    read = _reader(images)

    def load(index: Any, label: Any, random: Any) -> tuple[Any, ...]:
        return augmented(pixels_tensor(read(index), preprocessing), settings, random), label

    return _batches((order, images.targets[order], random[order]), load, preprocessing, batch_size)


def evaluation_batches(images: Examples, preprocessing: Preprocessing, *, batch_size: int) -> Any:
    """Return every image in order, as a tf.data.Dataset of (inputs, labels, weights float32 [batch]).

    Inputs and labels are as in `training_batches`. The last batch is filled up to `batch_size` with copies of the first
    image. Their weight is 0, that of all other images 1.
    """
    index = np.arange(-(-len(images) // batch_size) * batch_size)
    weights = (index < len(images)).astype(np.float32)
    index[len(images) :] = 0
    read = _reader(images)

    def load(index: Any, label: Any, weight: Any) -> tuple[Any, ...]:
        return pixels_tensor(read(index), preprocessing), label, weight

    return _batches((index, images.targets[index], weights), load, preprocessing, batch_size)


def _batches(
    columns: tuple[np.ndarray, ...],
    load: Callable[..., tuple[Any, ...]],
    preprocessing: Preprocessing,
    batch_size: int,
) -> Any:
    """Return `load` of each row of `columns`, in batches of one static shape, with the pixels normalized.

    `load` returns a tuple whose first value is the pixels.
    """
    import tensorflow as tf

    # Pinned to the CPU, or on a machine with a GPU every tensor would go there and back.
    with tf.device("CPU"):
        return (
            tf.data.Dataset.from_tensor_slices(columns)
            .map(tf.autograph.experimental.do_not_convert(load), num_parallel_calls=usable_cpus(), deterministic=True)
            .batch(batch_size, drop_remainder=True)
            .map(lambda pixels, *others: ({IMAGE: normalized(pixels, preprocessing)}, *others))
            .prefetch(tf.data.AUTOTUNE)
        )


def _reader(images: Examples) -> Callable[[Any], Any]:
    """Return a function that takes an index, an int64 scalar tensor, and returns the encoded image, a string tensor."""
    import tensorflow as tf

    if images.in_memory:
        with tf.device("CPU"):
            encoded = tf.constant([images.read(index) for index in range(len(images))])
        return lambda index: tf.gather(encoded, index)
    return lambda index: tf.ensure_shape(
        tf.numpy_function(lambda number: images.read(int(number)), [index], tf.string, stateful=False), []
    )
