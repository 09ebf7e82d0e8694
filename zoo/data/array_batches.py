"""tf.data batches of examples that are small enough to be encoded once and kept in memory as arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.pipeline import encoded_batches
from zoo.errors import ZooError
from zoo.input import Arrays

AT_ONCE = 256
"""The number of examples that are encoded at once."""

Prepare = Callable[[dict[str, Any], Any], dict[str, Any]]
"""Takes the inputs of the contract and random numbers, float32 [batch, n] in [0, 1); returns the network's inputs."""


def training_batches(
    examples: Examples,
    preprocessing: Any,
    prepare: Prepare,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    start: int = 0,
    random_numbers: int = 0,
) -> Any:
    """Return one epoch as a tf.data.Dataset of (network inputs by name, targets [batch]).

    The order of the examples depends on (seed, epoch), and the `random_numbers` of an example on (seed, epoch, its
    draw). A last, smaller batch is left out, and so are the first `start` batches.

    Raises:
        ZooError: there are fewer examples than `batch_size`, or one cannot be encoded.
    """
    if batch_size > len(examples):
        most = len(examples)
        raise ZooError(f"a batch of {batch_size} is more than the {most} training examples: --set batch_size={most}")
    generator = np.random.default_rng((seed, epoch))
    order, drawn = examples.epoch(generator, batch_size)
    order = order[start * batch_size :]
    index = drawn[order]
    random = generator.random((len(examples), random_numbers), np.float32)[order]
    return _batches(examples, preprocessing, (index, examples.targets[index], random), batch_size).map(
        lambda inputs, targets, random: (prepare(inputs, random), targets)
    )


def evaluation_batches(examples: Examples, preprocessing: Any, prepare: Prepare, *, batch_size: int) -> Any:
    """Return every example in order, as a tf.data.Dataset of (network inputs, targets, weights float32 [batch]).

    The last batch is filled up with copies of the first example, whose weight is 0; that of all others is 1.
    """
    index = np.arange(-(-len(examples) // batch_size) * batch_size)
    weights = (index < len(examples)).astype(np.float32)
    index[len(examples) :] = 0
    return _batches(examples, preprocessing, (index, examples.targets[index], weights), batch_size).map(
        lambda inputs, targets, weights: (prepare(inputs, None), targets, weights)
    )


def _batches(examples: Examples, preprocessing: Any, columns: tuple[np.ndarray, ...], batch_size: int) -> Any:
    """Return batches of the rows of `columns`, the first of which holds indices: the examples' inputs replace these."""
    import tensorflow as tf

    # Pinned to the CPU: on a machine with a GPU, every tensor would be copied there and back.
    with tf.device("CPU"):
        arrays = {name: tf.constant(array) for name, array in encoded(examples, preprocessing).items()}
        return (
            tf.data.Dataset.from_tensor_slices(columns)
            .batch(batch_size, drop_remainder=True)
            .map(lambda index, *others: ({name: tf.gather(array, index) for name, array in arrays.items()}, *others))
        )


@functools.lru_cache(maxsize=4)
def encoded(examples: Examples, preprocessing: Any) -> Arrays:
    """Return all examples as a single batch of inputs of the contract."""
    parts = [inputs for inputs, _ in encoded_batches(examples, preprocessing, batch_size=AT_ONCE)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
