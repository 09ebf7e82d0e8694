"""The latency of an int8 file as a multiple of the float32 file's: one thread, one example, measured in turns."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact import LatencyRatio
from zoo.formats.onnx import open_onnx
from zoo.intervals import ratio_of_medians

WARMUP = 5
FEWEST, MOST = 31, 301
SECONDS = 3.0

# Processor time of the thread, which other processes on the machine do not add to. Windows counts it too coarsely.
clock = time.thread_time if time.get_clock_info("thread_time").resolution <= 1e-6 else time.perf_counter


def compare(float32: Path, int8: Path, example: Mapping[str, np.ndarray], seconds: float = SECONDS) -> LatencyRatio:
    """Measure the latency of both files and their ratio on a batch of one example."""
    calls = [functools.partial(open_onnx(path, threads=1).run, example) for path in (float32, int8)]
    first, second = in_turns(calls, seconds)
    ratio, low, high = ratio_of_medians(second, first, seed=0)
    return LatencyRatio(1e3 * float(np.median(first)), 1e3 * float(np.median(second)), ratio, low, high, len(first))


def in_turns(calls: Sequence[Callable[[], Any]], seconds: float) -> np.ndarray:
    """Measure the seconds that each call takes in each round, float64 [calls, rounds].

    Each round makes all calls in a random order. There are at least `FEWEST` rounds, and more until `seconds` are over
    or there are `MOST`.
    """
    generator = np.random.default_rng(0)
    rounds: list[list[float]] = []
    end = time.perf_counter() + seconds
    while len(rounds) < WARMUP + FEWEST or (time.perf_counter() < end and len(rounds) < WARMUP + MOST):
        taken = [0.0] * len(calls)
        for number in generator.permutation(len(calls)):
            start = clock()
            calls[number]()
            taken[number] = clock() - start
        rounds.append(taken)
    return np.array(rounds[WARMUP:]).T
