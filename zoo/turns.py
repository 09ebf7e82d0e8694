"""Time several calls in turns, so that each of them meets the same state of a noisy machine."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

SESSIONS = 5
"""The number of times that a file is opened to measure its latency: a session may be steadily faster or slower than the
next one of the same file, by more than its rounds differ (onnxruntime 1.32)."""


def in_turns(
    calls: Sequence[Callable[[], Any]],
    seconds: float,
    *,
    fewest: int,
    most: int,
    warm_up: int = 0,
    settle: int = 0,
    order: np.random.Generator,
    clock: Callable[[], float] | None = None,
) -> np.ndarray:
    """Return the seconds that each call takes in each round, float64 [calls, rounds].

    Each round makes all calls in a random order, so that no call always follows the same other one. The garbage
    collector, whose work would count for one of the calls, is switched off.

    Args:
        calls: the calls.
        seconds: the time after which no further round begins.
        fewest: the least number of rounds that are timed, however long they take.
        most: the largest number, however much time is left.
        warm_up: the rounds before those that are timed: the first calls are slow.
        settle: untimed calls right before each timed one, so that its caches and threads are not those of another call.
        order: draws the order of each round.
        clock: the clock of a single call, in seconds; by default that of the wall.
    """
    clock = clock or time.perf_counter
    rounds: list[list[float]] = []
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        end = time.perf_counter() + seconds
        while len(rounds) < warm_up + fewest or (time.perf_counter() < end and len(rounds) < warm_up + most):
            durations = [0.0] * len(calls)
            for number in order.permutation(len(calls)).tolist():
                call = calls[number]
                for _ in range(settle):
                    call()
                start = clock()
                call()
                durations[number] = clock() - start
            rounds.append(durations)
    finally:
        if collecting:
            gc.enable()
    return np.array(rounds[warm_up:]).T
