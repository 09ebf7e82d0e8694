"""Functions on batches: dictionaries of arrays whose first dimension is the batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.input import Arrays


def size(batch: Mapping[str, np.ndarray]) -> int:
    """Return the number of examples."""
    return len(next(iter(batch.values())))


def volume(batch: Mapping[str, np.ndarray]) -> int:
    """Return the number of values in all arrays."""
    return sum(values.size for values in batch.values())


def forms(batch: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return the dtype and shape of each array, as text."""
    return {name: f"{values.dtype} {list(values.shape)}" for name, values in batch.items()}


def part(batch: Mapping[str, np.ndarray], places: Any) -> Arrays:
    """Return the examples at these positions: a slice, or int64 [n]."""
    return {name: values[places] for name, values in batch.items()}


def parts(batch: Mapping[str, np.ndarray], at_once: int) -> Iterator[Arrays]:
    """Yield the examples in order, at most `at_once` at a time."""
    return (part(batch, slice(start, start + at_once)) for start in range(0, size(batch), at_once))


def joined(batches: Sequence[Mapping[str, np.ndarray]]) -> Arrays:
    """Return the examples of several batches with the same names as one batch."""
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
