"""Latencies of several runners, measured in turns. Run as `python -m zoo.serving.latency` by the benchmark.

Each process measures with one number of threads, because libraries fix their thread pools when they start.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact import read
from zoo.contract import OUTPUTS
from zoo.errors import Refused
from zoo.serving.runner import open_runner
from zoo.serving.statistics import FEWEST
from zoo.serving.worker import serve

Run = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From uint8 images [batch, height, width, channels] to arrays by output name."""

WARM_UP = 3
"""Calls of each runner before the clock runs: the first ones with a new shape are slow."""

MOST_ROUNDS = 10_000
"""The most rounds that are measured, however much time is left: more would hardly narrow the intervals."""


def latencies(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Measure all contenders at each of `batches`, and yield their latencies: seconds [contenders][rounds].

    `contenders` are pairs of an artifact and a runtime, opened with `threads`; each is measured for about `seconds`.
    `harness` is the latency, in seconds, that is measured for a runner that does nothing.
    """
    folders = [Path(artifact) for artifact, _ in request["contenders"]]
    shapes = [read(folder).model.preprocessing.shape for folder in folders]
    runners = [
        open_runner(folder, runtime, threads=request["threads"])
        for folder, (_, runtime) in zip(folders, request["contenders"], strict=True)
    ]
    order = np.random.default_rng(request["seed"])
    for batch in request["batches"]:
        pixels = [random_pixels(shape, batch, request["seed"]) for shape in shapes]
        yield {
            "batch": batch,
            "latencies": measure(runners, pixels, request["seconds"] * len(runners), order).tolist(),
            "harness": overhead(pixels[0]),
        }


def measure(
    runners: Sequence[Run], pixels: Sequence[np.ndarray], seconds: float, order: np.random.Generator
) -> np.ndarray:
    """Seconds of each call, float64 [runners, rounds]: every runner computes its own images once a round.

    Rounds go on for `seconds`, at least `FEWEST` and at most `MOST_ROUNDS` of them; `order` shuffles each anew, so that
    no runner always follows the same other one.

    Raises:
        Refused: a runner gives numbers that are not finite.
    """
    for runner, images in zip(runners, pixels, strict=True):
        for _ in range(WARM_UP):
            outputs = runner(images)
        if not all(np.isfinite(array).all() for array in outputs.values()):
            raise Refused("an artifact computes numbers that are not finite from random images: see 'zoo verify'")
    clock = time.perf_counter
    rounds: list[list[float]] = []
    gc.collect()
    gc.disable()
    try:
        end = clock() + seconds
        while len(rounds) < FEWEST or (clock() < end and len(rounds) < MOST_ROUNDS):
            taken = [0.0] * len(runners)
            for index in order.permutation(len(runners)).tolist():
                runner, images = runners[index], pixels[index]
                start = clock()
                runner(images)
                taken[index] = clock() - start
            rounds.append(taken)
    finally:
        gc.enable()
    return np.array(rounds).T


def overhead(pixels: np.ndarray, seconds: float = 0.05) -> float:
    """The median seconds that `measure` finds for a runner that does nothing: what measuring adds to every latency."""
    outputs = dict.fromkeys(OUTPUTS, np.zeros((len(pixels), 1), np.float32))

    def ready(pixels: np.ndarray) -> dict[str, np.ndarray]:
        return outputs

    return float(np.median(measure([ready], [pixels], seconds, np.random.default_rng(0))))


def random_pixels(shape: tuple[int, int, int], batch: int, seed: int) -> np.ndarray:
    """Random images, uint8 [batch, *shape], with every value equally likely."""
    return np.random.default_rng(seed).integers(0, 256, (batch, *shape), np.uint8)


if __name__ == "__main__":
    serve(latencies)
