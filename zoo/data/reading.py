"""Read the batches of a tf.data pipeline, whose examples may have disappeared since it was made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from zoo.errors import ZooError

NODES = re.compile(r"\{\{.*?\}\}|\[\[\s*\]\]|\[Op:\w*\]( name:)?")
"""The names of operations in TensorFlow's messages."""


def each_batch(batches: Iterable[Any], before_end: Callable[[], None] = lambda: None) -> Iterator[Any]:
    """Yield batches, and call `before_end` before an error of the pipeline is raised.

    Raises:
        ZooError: an example can no longer be read.
    """
    from tensorflow.errors import OpError

    iterator = iter(batches)
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except OpError as error:
            before_end()
            raise ZooError(
                f"a batch cannot be read ({reason(error)}): put the data back as they were, and continue with "
                "--resume or repeat the command"
            ) from None
        yield batch


def reason(error: Any) -> str:
    """Return the message of a TensorFlow error, without the names of operations."""
    return f"{' '.join(NODES.sub(' ', error.message).split()):.300}"
