"""Which of two ONNX files is faster on this machine: in turns within one process, one thread, one image."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact import Speed
from zoo.contract import IMAGE, OUTPUTS
from zoo.intervals import ratio_of_medians

WARMUP = 5
FEWEST, MOST = 31, 301
SECONDS = 3.0

# The time that the one thread was at work: what else runs on the machine does not count. Windows counts it in steps.
clock = time.thread_time if time.get_clock_info("thread_time").resolution <= 1e-6 else time.perf_counter


def race(float32: Path, int8: Path, pixels: np.ndarray, seconds: float = SECONDS) -> Speed:
    """The latency of one file as a multiple of the other's, on uint8 pixels [1, height, width, channels]."""
    sessions = [session(path) for path in (float32, int8)]
    calls = [functools.partial(one.run, list(OUTPUTS), {IMAGE: pixels}) for one in sessions]
    first, second = in_turns(calls, seconds)
    ratio, low, high = ratio_of_medians(second, first, seed=0)
    return Speed(1e3 * float(np.median(first)), 1e3 * float(np.median(second)), ratio, low, high, len(first))


def in_turns(calls: Sequence[Callable[[], Any]], seconds: float) -> np.ndarray:
    """Seconds that each call takes in each round, float64 [calls, rounds].

    Each round makes all calls, in an order drawn anew. At least `FEWEST` rounds, then until `seconds` are over or
    `MOST` are done.
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


def session(path: Path, threads: int = 1) -> Any:
    """An ONNX file on so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
