"""Seconds that the end of an iterator of tf.data takes, with and without TensorFlow's tuning of the pipeline.

With tuning, which is TensorFlow's default, an iterator that ends waits for the thread that tunes it. TensorFlow wakes
that thread before it marks the work as cancelled (`CancellationManager::StartCancel`, tensorflow 2.21), so that the
thread may find nothing to do and sleep on until its next turn, up to a minute later. Each iterator is read for a time
like that of a short epoch, slower than its pipeline makes batches.

usage: python -m benchmarks.epoch_end [--iterators 12]      writes results/epoch_end.json
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from benchmarks.measured import record
from zoo.data.reading import untuned

SECONDS = (1.5, 3.0, 6.0, 12.0)
"""The times for which iterators are read."""

STEP_SECONDS = 0.005
NOTICEABLE = 0.1


def pipeline() -> Any:
    """A pipeline as a training has: elements made by two threads, in batches, one of them ahead."""
    import tensorflow as tf

    elements = tf.data.Dataset.range(10**7).map(lambda number: number + 1, num_parallel_calls=2, deterministic=True)
    return elements.batch(10).prefetch(1)


def wait_at_the_end(batches: Any, seconds: float) -> float:
    """Read batches for some seconds, and return the seconds that the end of their iterator then takes."""
    start, iterator = time.perf_counter(), iter(batches)
    while time.perf_counter() - start < seconds:
        next(iterator)
        time.sleep(STEP_SECONDS)
    end = time.perf_counter()
    del iterator
    return time.perf_counter() - end


def main() -> None:
    """Measure iterators with and without tuning in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterators", type=int, default=12, help="iterators of each kind and time")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    for seconds in SECONDS:
        waits: dict[str, list[float]] = {"tuned": [], "untuned": []}
        for _ in range(asked.iterators):
            waits["tuned"].append(wait_at_the_end(pipeline(), seconds))
            waits["untuned"].append(wait_at_the_end(untuned(pipeline()), seconds))
        found[f"read for {seconds:g} s"] = {
            kind: {
                "iterators": len(every),
                "waited": sum(one > NOTICEABLE for one in every),
                "mean_seconds": sum(every) / len(every),
                "longest_seconds": max(every),
            }
            for kind, every in waits.items()
        }
    record("epoch_end", found)


if __name__ == "__main__":
    main()
