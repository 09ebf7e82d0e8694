"""Read the batches of a tf.data pipeline, whose examples may have disappeared since it was made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from zoo.errors import ZooError

PREFETCHED = 2
"""The number of batches that a pipeline makes ahead."""

NODES = re.compile(r"\{\{.*?\}\}|\[\[\s*\]\]|\[Op:\w*\]( name:)?")
"""The names of operations in TensorFlow's messages."""


def untuned(batches: Any) -> Any:
    """Return a tf.data.Dataset whose parallelism and buffers TensorFlow does not tune while it is read.

    An iterator that ends waits for the thread that tunes it. Its wake-up is often lost, and it then sleeps for up to a
    minute (TensorFlow 2.21): at the end of an epoch, the training would wait as long.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


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
