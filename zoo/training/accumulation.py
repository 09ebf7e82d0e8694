"""Gradient accumulation: the parts of a batch are computed one after the other, in the memory of a single part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def in_parts(function: Callable[..., Any], batch: tuple[Any, ...], parts: int) -> Any:
    """Return the sums, over equal parts of a batch, of all tensors that `function` returns for a part.

    The parts are unrolled: a loop in the graph could not contain operations across replicas (TensorFlow 2.21 refuses a
    `merge_call` in it). No part begins before the previous one is done.

    Args:
        function: takes a part of each tensor of the batch; returns a structure of tensors and None.
        batch: structures of tensors [batch, …], each with a number of examples that `parts` divides.
        parts: the number of parts.
    """
    if parts == 1:
        return function(*batch)
    tensors = [tf.split(tensor, parts) for tensor in tf.nest.flatten(batch)]
    total: Any = None
    for number in range(parts):
        part = [pieces[number] for pieces in tensors]
        if total is not None:
            with tf.control_dependencies([tensor for tensor in tf.nest.flatten(total) if tensor is not None]):
                part = [tf.identity(tensor) for tensor in part]
        sums = tf.nest.map_structure(_dense, function(*tf.nest.pack_sequence_as(batch, part)))
        total = sums if total is None else tf.nest.map_structure(_plus, total, sums)
    return total


def _dense(value: Any) -> Any:
    """Convert a value to a dense tensor, also the sparse gradient of an embedding."""
    return None if value is None else tf.convert_to_tensor(value)


def _plus(first: Any, second: Any) -> Any:
    return None if first is None or second is None else first + second
