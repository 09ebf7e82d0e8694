"""Random numbers for examples, which depend on an example's number and not on its position in a batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from zoo.data.dataset import Examples

EVALUATION = -1
"""The epoch number for evaluation: the random numbers are the same each time."""


_numbered: WeakKeyDictionary[Examples, Examples] = WeakKeyDictionary()


def numbered(examples: Examples) -> Examples:
    """Return examples whose targets are their numbers, int64; always the same object, for caches of content."""
    if examples not in _numbered:
        _numbered[examples] = dataclasses.replace(examples, targets=np.arange(len(examples)))
    return _numbered[examples]


def random_numbers(numbers: Any, shape: Sequence[int], key: tuple[int, ...]) -> Any:
    """Return random numbers for the examples of a batch, float32 [batch, *shape] in [0, 1).

    The random numbers of an example depend on its number and on `key`, integers from 0, such as the seed and the epoch.
    """
    import tensorflow as tf

    seed = int(np.random.default_rng(key).integers(2**31))

    def of_example(number: Any) -> Any:
        return tf.random.stateless_uniform(shape, tf.stack([tf.constant(seed, tf.int64), number]))

    return tf.map_fn(of_example, numbers, fn_output_signature=tf.float32)
