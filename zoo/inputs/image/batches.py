"""Batches of encoded images by tf.data, for training and evaluating networks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.reading import PREFETCHED
from zoo.data.share import WHOLE, Share, check_batch
from zoo.inputs.image.augment import RANDOM_NUMBERS, augmented, more_numbers
from zoo.inputs.image.client import IMAGE
from zoo.inputs.image.decoding import pixels_tensor
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings
from zoo.provenance import usable_cpus

LARGEST_TENSOR = 64 * 2**20
"""Bytes. Encoded images that are already in memory are copied to a tensor, unless all together are larger."""


def training_batches(
    images: Examples,
    preprocessing: Preprocessing,
    settings: ImageSettings,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    start: int = 0,
    share: Share = WHOLE,
) -> Any:
    """Return one epoch as a tf.data.Dataset of (network inputs by name, labels int64 [batch]).

    The order of the images depends on (seed, epoch), and the augmentation of an image on (seed, epoch, its draw). So
    the same arguments give the same batches in any process, with any number of threads. A last, smaller batch is left
    out, and so are the first `start` batches, whose images are not read.

    Raises:
        ZooError: there are fewer images than `batch_size`.
    """
    check_batch(batch_size, len(images))
    generator = np.random.default_rng((seed, epoch))
    order, drawn = images.epoch(generator, batch_size)
    order = share.of(order[start * batch_size :], batch_size)
    index = drawn[order]
    random = generator.random((len(images), RANDOM_NUMBERS), np.float32)
    # Drawn last, so that the other numbers do not depend on how many these are.
    extra_random = generator.random((len(images), sum(more_numbers(settings))), np.float32)
    random = np.concatenate([random, extra_random], 1)
    read = reader(images)

    def load(index: Any, label: Any, random: Any) -> tuple[Any, ...]:
        return augmented(read(index), preprocessing, settings, random), label

    return batched((index, images.targets[index], random[order]), load, preprocessing, batch_size, share)


def evaluation_batches(images: Examples, preprocessing: Preprocessing, *, batch_size: int, share: Share = WHOLE) -> Any:
    """Return every image in order, as a tf.data.Dataset of (inputs, labels, weights float32 [batch]).

    Inputs and labels are as in `training_batches`. The last batch is filled up to `batch_size` with copies of the first
    image. Their weight is 0, that of all other images 1.
    """
    index, weights = share.filled(len(images), batch_size)
    read = reader(images)

    def load(index: Any, label: Any, weight: Any) -> tuple[Any, ...]:
        return pixels_tensor(read(index), preprocessing), label, weight

    return batched((index, images.targets[index], weights), load, preprocessing, batch_size, share)


def batched(
    columns: tuple[np.ndarray, ...],
    load: Callable[..., tuple[Any, ...]],
    preprocessing: Preprocessing,
    batch_size: int,
    share: Share,
) -> Any:
    """Apply `load` to each row of `columns`, batch the results with a static shape, and normalize the pixels.

    `load` returns a tuple whose first value is the pixels.
    """
    import tensorflow as tf

    plain = tf.autograph.experimental.do_not_convert
    # A server of tf.data has processors of its own.
    parallel = tf.data.AUTOTUNE if share.turns else usable_cpus()
    # Without this pin, a machine with a GPU would copy every tensor there and back.
    with tf.device("CPU"):
        return (
            tf.data.Dataset.from_tensor_slices(columns)
            .map(plain(load), num_parallel_calls=parallel, deterministic=True)
            .batch(share.size(batch_size), drop_remainder=True)
            .map(plain(lambda pixels, *others: ({IMAGE: _normalized(pixels, preprocessing)}, *others)))
            .prefetch(PREFETCHED)
        )


def _normalized(pixels: Any, preprocessing: Preprocessing) -> Any:
    """Normalize pixels, uint8 [batch, height, width, channels], as `zoo.inputs.image.decoding.normalized` does.

    It computes on whole rows, which takes a quarter of the time (tensorflow 2.21): TensorFlow's operations are slow
    where the last dimension is that of the channels.
    """
    import tensorflow as tf

    scale, offset = (np.tile(numbers, preprocessing.width) for numbers in preprocessing.scale_and_offset())
    rows = tf.reshape(pixels, [-1, preprocessing.width * preprocessing.channels])
    return tf.reshape(tf.cast(rows, tf.float32) * scale + offset, [-1, *preprocessing.shape])


def reader(images: Examples) -> Callable[[Any], Any]:
    """Return a function that takes an index, an int64 scalar tensor, and returns the encoded image, a string tensor."""
    import tensorflow as tf

    def by_python(index: Any) -> Any:
        read = tf.numpy_function(lambda number: images.read(int(number)), [index], tf.string, stateful=False)
        return tf.ensure_shape(read, [])

    with tf.device("CPU"):
        if images.in_memory and images.total_bytes <= LARGEST_TENSOR:
            encoded = tf.constant([images.read(index) for index in range(len(images))])
            return lambda index: tf.gather(encoded, index)
        files = [os.fsencode(images.files(index)) for index in range(len(images))]
        if not any(files):
            return by_python
        paths = tf.constant(files)
    if all(files):
        # No Python is involved, so that a server of tf.data can read files, too.
        return lambda index: tf.io.read_file(tf.gather(paths, index))

    def read(index: Any) -> Any:
        path = tf.gather(paths, index)
        # TensorFlow reads a file without waiting for Python, whose threads would take turns.
        return tf.cond(path == "", lambda: by_python(index), lambda: tf.io.read_file(path))

    return read
