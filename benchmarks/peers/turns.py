"""The batch of `benchmarks.training_speed`, and the protocol of its contenders, which are processes.

When a contender is ready, it prints its setting on a line. Then it reads a number of steps per line, runs the steps,
and prints their elapsed seconds and their seconds of processor time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

SIDE, BATCH, CLASSES = 128, 32, 10


def random_batch(batch: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
    """Random images, float32 [batch, height, width, channels], and their labels, int64 [batch]."""
    random = np.random.default_rng(0)
    images = random.normal(size=(batch, SIDE, SIDE, 3)).astype(np.float32)
    return images, random.integers(0, CLASSES, batch)


def take_turns(contender: tuple[str, Callable[[int], None]]) -> None:
    """Run the steps that standard input asks for, until it ends; the contender is a setting and a function of steps."""
    setting, steps = contender
    steps(3)
    print(setting, flush=True)
    for line in sys.stdin:
        start, processor = time.perf_counter(), time.process_time()
        steps(int(line))
        print(time.perf_counter() - start, time.process_time() - processor, flush=True)
