"""Batches of encoded images: by tf.data for training and evaluating networks, by Pillow and numpy for artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zoo.data.dataset import Images
from zoo.data.prefetch import map_ahead
from zoo.errors import ZooError
from zoo.inputs.image.augment import RANDOM_NUMBERS, augmented
from zoo.inputs.image.graph import normalized, pixels_tensor
from zoo.inputs.image.preprocessing import Preprocessing, pixels_from_bytes
from zoo.provenance import usable_cpus
from zoo.recipe import Augment


def training_batches(
    images: Images, preprocessing: Preprocessing, augment: Augment, *, batch_size: int, seed: int, epoch: int
) -> Any:
    """Return one epoch as a tf.data.Dataset of (images float32 [batch, height, width, channels], labels int64 [batch]).

    The order of the images depends on (seed, epoch), and the augmentation of an image on (seed, epoch, its index). So
    the same arguments give the same batches in any process, with any number of threads. A last, smaller batch is left
    out.

    Raises:
        ZooError: there are fewer images than `batch_size`.
    """
    if batch_size > len(images):
        most = len(images)
        raise ZooError(f"a batch of {batch_size} is more than the {most} training images: --set batch_size={most}")
    generator = np.random.default_rng((seed, epoch))
    order = generator.permutation(len(images))
    random = generator.random((len(images), RANDOM_NUMBERS), np.float32)
    read = _reader(images)

    def load(index: Any, label: Any, random: Any) -> tuple[Any, ...]:
        return augmented(pixels_tensor(read(index), preprocessing), augment, random), label

    return _batches((order, images.labels[order], random[order]), load, preprocessing, batch_size)


def evaluation_batches(images: Images, preprocessing: Preprocessing, *, batch_size: int) -> Any:
    """Return every image in order, as a tf.data.Dataset of (images, labels, weights float32 [batch]).

    Images and labels are as in `training_batches`. The last batch is filled up to `batch_size` with copies of the first
    image. Their weight is 0, that of all other images 1.
    """
    index = np.arange(-(-len(images) // batch_size) * batch_size)
    weights = (index < len(images)).astype(np.float32)
    index[len(images) :] = 0
    read = _reader(images)

    def load(index: Any, label: Any, weight: Any) -> tuple[Any, ...]:
        return pixels_tensor(read(index), preprocessing), label, weight

    return _batches((index, images.labels[index], weights), load, preprocessing, batch_size)


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
            .map(lambda pixels, *others: (normalized(pixels, preprocessing), *others))
            .prefetch(tf.data.AUTOTUNE)
        )


def _reader(images: Images) -> Callable[[Any], Any]:
    """Return a function that takes an index, an int64 scalar tensor, and returns the encoded image, a string tensor."""
    import tensorflow as tf

    if images.in_memory:
        with tf.device("CPU"):
            encoded = tf.constant([images.read(index) for index in range(len(images))])
        return lambda index: tf.gather(encoded, index)
    return lambda index: tf.ensure_shape(
        tf.numpy_function(lambda number: images.read(int(number)), [index], tf.string, stateful=False), []
    )


def pixel_batches(
    images: Images, preprocessing: Preprocessing, *, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield batches of every image in order, as (uint8 [batch, height, width, channels], int64 [batch]).

    The last batch may be smaller. Images are decoded ahead in threads by Pillow and numpy, without TensorFlow.
    """

    def batch(start: int) -> tuple[np.ndarray, np.ndarray]:
        index = range(start, min(start + batch_size, len(images)))
        pixels = np.stack([pixels_from_bytes(images.read(number), preprocessing) for number in index])
        return pixels, images.labels[index.start : index.stop]

    return map_ahead(batch, range(0, len(images), batch_size), ahead=usable_cpus())
