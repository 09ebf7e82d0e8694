"""The latency of an int8 file as a multiple of the float32 file's: one thread, one example, measured in turns."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact import LatencyRatio
from zoo.data.dataset import Examples
from zoo.export.batches import volume
from zoo.formats.onnx import open_onnx
from zoo.input import Arrays
from zoo.intervals import ratio_of_medians_over_sessions
from zoo.turns import SESSIONS, in_turns

WARM_UP, FEWEST, MOST = 5, 31, 301
"""The numbers of rounds, see `zoo.turns.in_turns`."""

CANDIDATES = 64
"""The most examples whose sizes are compared, to find a typical one."""

SECONDS = 3.0
"""The time that all sessions are measured together."""

# Processor time of the thread, which other processes on the machine do not add to. Windows counts it too coarsely.
clock = time.thread_time if time.get_clock_info("thread_time").resolution <= 1e-6 else time.perf_counter


def typical(test: Examples, encode: Callable[[Sequence[Any]], Arrays]) -> Arrays:
    """Return the batch of one example that has the median size among `CANDIDATES` spread evenly over a split.

    `encode` encodes raw examples. Each is encoded alone: in a batch, short ones are filled up to the longest one.
    """
    numbers = np.linspace(0, len(test) - 1, min(CANDIDATES, len(test))).astype(int)
    volumes = [volume(encode([test.read(int(number))])) for number in numbers]
    median = numbers[np.argsort(volumes, kind="stable")[len(numbers) // 2]]
    return encode([test.read(int(median))])


def compare(float32: Path, int8: Path, example: Arrays, seconds: float = SECONDS) -> LatencyRatio:
    """Measure the latency of both files and their ratio on a batch of one example."""
    sessions = []
    for _ in range(SESSIONS):
        calls = [functools.partial(open_onnx(path, threads=1).run, example) for path in (float32, int8)]
        sessions.append(processor_seconds(calls, seconds / SESSIONS, share=1 / SESSIONS))
    ratio, low, high = ratio_of_medians_over_sessions([(second, first) for first, second in sessions], seed=0)
    float32_ms, int8_ms = (1e3 * float(np.median(latencies)) for latencies in np.concatenate(sessions, 1))
    rounds = sum(latencies.shape[1] for latencies in sessions)
    shapes = {name: array.shape for name, array in example.items()}
    return LatencyRatio(float32_ms, int8_ms, ratio, low, high, rounds, shapes=shapes)


def processor_seconds(calls: Sequence[Callable[[], Any]], seconds: float, share: float = 1.0) -> np.ndarray:
    """Return the seconds of processor time that each call takes in each round, float64 [calls, rounds].

    `share` is the part of the numbers of rounds that is made.
    """
    warm_up, fewest, most = (math.ceil(share * count) for count in (WARM_UP, FEWEST, MOST))
    order = np.random.default_rng(0)
    return in_turns(calls, seconds, fewest=fewest, most=most, warm_up=warm_up, order=order, clock=clock)
