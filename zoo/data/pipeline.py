"""Batches of examples, encoded as clients do it, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.prefetch import map_ahead
from zoo.input import Arrays, kind_of
from zoo.provenance import usable_cpus


class _Raw(Sequence[Any]):
    """Raw examples, each read when it is accessed, so that not all recordings of a batch need to fit into memory."""

    def __init__(self, examples: Examples, numbers: Sequence[int]) -> None:
        self._examples, self._numbers = examples, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return self._examples.read(self._numbers[index])


def encoded_batches(examples: Examples, preprocessing: Any, *, batch_size: int) -> Iterator[tuple[Arrays, np.ndarray]]:
    """Yield batches of every example in order, as inputs of the contract and targets, encoded ahead in threads.

    The last batch may be smaller.
    """
    encode = kind_of(preprocessing).client.encode

    def batch(start: int) -> tuple[Arrays, np.ndarray]:
        index = range(start, min(start + batch_size, len(examples)))
        return encode(_Raw(examples, index), preprocessing), examples.targets[index.start : index.stop]

    return map_ahead(batch, range(0, len(examples), batch_size), ahead=usable_cpus())
