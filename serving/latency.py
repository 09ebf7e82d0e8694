"""Latencies of several runners, measured in turns and in several sessions.

Run as `python -m zoo.serving.latency` by the benchmark. Each process measures with one number of threads, because
libraries fix their thread pools when they start.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact import read
from zoo.errors import Refused
from zoo.formats import Compute
from zoo.input import Arrays, kind_of
from zoo.serving.measuring_process import serve
from zoo.serving.runner import Runner, open_runner
from zoo.turns import SESSIONS, in_turns

WARM_UP = 2
"""Calls of each runner before the clock runs, in each session: the first ones with a new shape are slow."""

SETTLE = 3
"""Untimed calls before each timed one, if several runners take turns. In onnxruntime 1.32, a small network takes 0.07
ms in a process without TensorFlow, 0.13 ms right after a call of TensorFlow, and 0.10 ms after the untimed calls."""

MOST_ROUNDS = 2000
"""The most rounds of a session, however much time is left: more would hardly narrow the intervals."""


def latencies(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Measure all contenders at each of `batches` in `SESSIONS` sessions, and yield the latencies of each session.

    `contenders` are pairs of an artifact and a runtime, opened with `threads`; each is measured for about `seconds` at
    each batch, in all sessions together. `latencies` are seconds [contenders][rounds]. `harness` is the latency, in
    seconds, that is measured for a runner that does nothing.
    """
    folders = [Path(artifact) for artifact, _ in request["contenders"]]
    runtimes = [runtime for _, runtime in request["contenders"]]
    order = np.random.default_rng(request["seed"])
    for session in range(SESSIONS):
        runners = _opened(folders, runtimes, request["threads"], session)
        for batch in request["batches"]:
            inputs = [random_inputs(folder, batch, request["seed"]) for folder in folders]
            seconds = request["seconds"] * len(runners) / SESSIONS
            yield {
                "batch": batch,
                "latencies": measure(runners, inputs, seconds, order).tolist(),
                "harness": overhead(),
            }
            del inputs
        # The next session opens every file again: memory has room for each of them once.
        del runners
        gc.collect()


def _opened(folders: Sequence[Path], runtimes: Sequence[str], threads: int, session: int) -> list[Runner]:
    """Open all contenders; in each session another one is the first, because the order may matter."""
    first = session % len(folders)
    opened = {
        index: open_runner(folders[index], runtimes[index], threads=threads)
        for index in (*range(first, len(folders)), *range(first))
    }
    return [opened[index] for index in range(len(folders))]


def measure(
    runners: Sequence[Compute], inputs: Sequence[Arrays], seconds: float, order: np.random.Generator
) -> np.ndarray:
    """Return the seconds of each call, float64 [runners, rounds]: every runner computes its own inputs once a round.

    Rounds go on for `seconds`, at least one and at most `MOST_ROUNDS` of them; `order` shuffles each round.

    Raises:
        Refused: a runner gives numbers that are not finite.
    """
    for runner, batch in zip(runners, inputs, strict=True):
        for _ in range(WARM_UP):
            outputs = runner(batch)
        if not all(np.isfinite(array).all() for array in outputs.values()):
            raise Refused("an artifact computes numbers that are not finite from random inputs: see 'zoo verify'")
    calls = [functools.partial(runner, batch) for runner, batch in zip(runners, inputs, strict=True)]
    settle = SETTLE if len(calls) > 1 else 0
    return in_turns(calls, seconds, fewest=1, most=MOST_ROUNDS, settle=settle, order=order)


def overhead(seconds: float = 0.01) -> float:
    """Return the median seconds of a runner that does nothing, which `measure` adds to every latency."""

    def ready(inputs: Arrays) -> Arrays:
        return inputs

    return float(np.median(measure([ready], [{}], seconds, np.random.default_rng(0))))


def random_inputs(artifact: Path, batch: int, seed: int) -> Arrays:
    """Return random inputs for the network of an artifact, as its kind of input makes them."""
    preprocessing = read(artifact).model.preprocessing
    return kind_of(preprocessing).client.random(preprocessing, batch, np.random.default_rng(seed))


if __name__ == "__main__":
    serve(latencies)
