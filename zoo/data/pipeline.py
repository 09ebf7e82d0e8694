"""From encoded images to batches: two pipelines of tf.data for networks, one of Pillow and numpy for artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zoo.data.augment import CHANCES, augmented
from zoo.data.dataset import Images
from zoo.data.prefetch import map_ahead
from zoo.errors import ZooError
from zoo.preprocess import Preprocessing, pixels_from_bytes
from zoo.preprocess_graph import normalized, pixels_tensor
from zoo.provenance import usable_cpus
from zoo.recipe import Augment


def training_batches(
    images: Images, preprocessing: Preprocessing, augment: Augment, *, batch_size: int, seed: int, epoch: int
) -> Any:
    """One epoch as a tf.data.Dataset of (images float32 [batch, height, width, channels], labels int64 [batch]).

    The order is drawn from (seed, epoch) and what happens to an image from (seed, epoch, its index): the same
    arguments give the same batches in any process, whatever the number of threads. A last, smaller batch is left out.

    Raises:
        ZooError: there are fewer images than a batch takes.
    """
    if batch_size > len(images):
        most = len(images)
        raise ZooError(f"a batch of {batch_size} is more than the {most} training images: --set batch_size={most}")
    generator = np.random.default_rng((seed, epoch))
    order = generator.permutation(len(images))
    chances = generator.random((len(images), CHANCES), np.float32)
    read = reader(images)

    def example(index: Any, label: Any, chance: Any) -> tuple[Any, ...]:
        return augmented(pixels_tensor(read(index), preprocessing), augment, chance), label

    return batches((order, images.labels[order], chances[order]), example, preprocessing, batch_size)


def evaluation_batches(images: Images, preprocessing: Preprocessing, *, batch_size: int) -> Any:
    """Every image in order, as a tf.data.Dataset of (images, labels, weights float32 [batch]).

    Images and labels are as in `training_batches`. The last batch is filled up to `batch_size` with the first image
    at weight 0; all others weigh 1.
    """
    index = np.arange(-(-len(images) // batch_size) * batch_size)
    weights = (index < len(images)).astype(np.float32)
    index[len(images) :] = 0
    read = reader(images)

    def example(index: Any, label: Any, weight: Any) -> tuple[Any, ...]:
        return pixels_tensor(read(index), preprocessing), label, weight

    return batches((index, images.labels[index], weights), example, preprocessing, batch_size)


def batches(
    columns: tuple[np.ndarray, ...],
    example: Callable[..., tuple[Any, ...]],
    preprocessing: Preprocessing,
    batch_size: int,
) -> Any:
    """`example` of each row of `columns`, in batches of one static shape; its first value, the pixels, normalized."""
    import tensorflow as tf

    # Pinned, or on a machine with a GPU every tensor would go there and back.
    with tf.device("CPU"):
        return (
            tf.data.Dataset.from_tensor_slices(columns)
            .map(
                tf.autograph.experimental.do_not_convert(example), num_parallel_calls=usable_cpus(), deterministic=True
            )
            .batch(batch_size, drop_remainder=True)
            .map(lambda pixels, *others: (normalized(pixels, preprocessing), *others))
            .prefetch(tf.data.AUTOTUNE)
        )


def reader(images: Images) -> Callable[[Any], Any]:
    """A function of an int64 scalar tensor to a string tensor, the encoded image of that index."""
    import tensorflow as tf

    if images.held:
        with tf.device("CPU"):
            encoded = tf.constant([images.read(index) for index in range(len(images))])
        return lambda index: tf.gather(encoded, index)
    return lambda index: tf.ensure_shape(
        tf.numpy_function(lambda number: images.read(int(number)), [index], tf.string, stateful=False), []
    )


def pixel_batches(
    images: Images, preprocessing: Preprocessing, *, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every image in order, as (uint8 [batch, height, width, channels], int64 [batch]); a last batch may be smaller.

    By Pillow and numpy alone, decoded ahead in threads: for measuring artifacts without TensorFlow.
    """

    def batch(start: int) -> tuple[np.ndarray, np.ndarray]:
        index = range(start, min(start + batch_size, len(images)))
        pixels = np.stack([pixels_from_bytes(images.read(number), preprocessing) for number in index])
        return pixels, images.labels[index.start : index.stop]

    return map_ahead(batch, range(0, len(images), batch_size), ahead=usable_cpus())
