"""The latency of an int8 file as a multiple of the float32 file's: one thread, one example, measured in turns."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact import LatencyRatio
from zoo.formats.onnx import open_onnx
from zoo.input import Arrays
from zoo.intervals import ratio_of_medians
from zoo.turns import in_turns

WARM_UP, FEWEST, MOST = 5, 31, 301
"""The numbers of rounds, see `zoo.turns.in_turns`."""

SECONDS = 3.0

# Processor time of the thread, which other processes on the machine do not add to. Windows counts it too coarsely.
clock = time.thread_time if time.get_clock_info("thread_time").resolution <= 1e-6 else time.perf_counter


def compare(float32: Path, int8: Path, example: Arrays, seconds: float = SECONDS) -> LatencyRatio:
    """Measure the latency of both files and their ratio on a batch of one example."""
    calls = [functools.partial(open_onnx(path, threads=1).run, example) for path in (float32, int8)]
    first, second = processor_seconds(calls, seconds)
    ratio, low, high = ratio_of_medians(second, first, seed=0)
    return LatencyRatio(1e3 * float(np.median(first)), 1e3 * float(np.median(second)), ratio, low, high, len(first))


def processor_seconds(calls: Sequence[Callable[[], Any]], seconds: float) -> np.ndarray:
    """Return the seconds of processor time that each call takes in each round, float64 [calls, rounds]."""
    order = np.random.default_rng(0)
    return in_turns(calls, seconds, fewest=FEWEST, most=MOST, warm_up=WARM_UP, order=order, clock=clock)
