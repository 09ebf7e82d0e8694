"""Batches of examples, encoded as clients do it, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.prefetch import map_ahead
from zoo.input import Arrays, kind_of
from zoo.provenance import usable_cpus


def encoded_batches(examples: Examples, preprocessing: Any, *, batch_size: int) -> Iterator[tuple[Arrays, np.ndarray]]:
    """Yield batches of every example in order, as inputs of the contract and targets, encoded ahead in threads.

    The last batch may be smaller.
    """
    encode = kind_of(preprocessing).client.encode

    def batch(start: int) -> tuple[Arrays, np.ndarray]:
        index = range(start, min(start + batch_size, len(examples)))
        raw = [examples.read(number) for number in index]
        return encode(raw, preprocessing), examples.targets[index.start : index.stop]

    return map_ahead(batch, range(0, len(examples), batch_size), ahead=usable_cpus())
