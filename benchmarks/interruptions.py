"""Difference between the weights of a training that is killed at ten random moments and of an uninterrupted one.

The process is killed in turn within a step, a checkpoint, an evaluation, and between two epochs: after a random time,
the next such moment kills it. On one device, the weights must be equal bit for bit; on two devices, within 1e-6.

usage: python -m benchmarks.interruptions SCRATCH [--kills 10]      writes results/interruptions.json
"""

from __future__ import annotations

import argparse
import itertools
import mmap
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from safetensors.numpy import load_file

from benchmarks.measured import record

PLACES = ("step", "checkpoint", "evaluation", "between epochs")
SETTINGS = ("epochs=5", "batch_size=64", "image.shift=0.1")
SECONDS_BETWEEN_CHECKPOINTS = 0.1
LONGEST = 1.0
"""The longest random time until a kill, in seconds after the first step of a process."""

FILES = ("weights.safetensors", "checkpoints/best.safetensors", "checkpoints/last.safetensors")


def main() -> None:
    """Kill, continue and compare on one device and on two."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--train", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.train:
        train(asked.scratch, asked.train)
        return
    figures = {}
    for devices in (1, 2):
        alone = asked.scratch / f"alone on {devices}"
        process(alone, devices).wait()
        figures[f"devices: {devices}"] = measured(asked.scratch, alone, devices, asked.kills)
        record("interruptions", figures)


def measured(scratch: Path, alone: Path, devices: int, kills: int) -> dict[str, Any]:
    """Kill a training this many times, resume it after each kill, and compare its final weights with `alone`."""
    generator, places, seen = random.Random(0), itertools.cycle(PLACES), Counter[str]()
    runs = [scratch / f"killed on {devices}"]
    while seen.total() < kills:
        place = killed(runs[-1], devices, next(places), generator)
        if place:
            seen[place] += 1
        else:  # It was faster. That is compared, too, and another training begins.
            runs.append(scratch / f"killed on {devices}, {len(runs) + 1}")
    while not (runs[-1] / FILES[0]).exists():
        process(runs[-1], devices).wait()
    apart = {name: max(difference(alone / name, folder / name) for folder in runs) for name in FILES}
    return {"kills": dict(seen), "trainings": len(runs), "largest_difference": apart}


def killed(folder: Path, devices: int, place: str, generator: random.Random) -> str | None:
    """Train, and kill the process at a place; return the place, or None if the process had ended before."""
    child = process(folder, devices)
    here = where(folder)
    while child.poll() is None and not here[0]:
        time.sleep(0.001)
    time.sleep(generator.uniform(0, LONGEST))
    while child.poll() is None and here[0] != PLACES.index(place) + 1:
        pass
    if child.poll() is not None:
        return None
    child.kill()
    child.wait()
    return PLACES[here[0] - 1]


def process(folder: Path, devices: int) -> subprocess.Popen[bytes]:
    """Start a training, or continue it, in a process of its own."""
    where(folder)[0] = 0
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.interruptions", str(folder), "--train", str(devices)], stdout=sys.stderr
    )


def where(folder: Path) -> mmap.mmap:
    """Return a byte that the processes share: the number, from 1, of the place where the training is."""
    path = folder.with_name(f"{folder.name}.place")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(b"\0")
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 1)


def difference(one: Path, other: Path) -> float:
    """Return the largest difference between the arrays of two files."""
    first, second = load_file(one), load_file(other)
    assert first.keys() == second.keys()
    return max(float(np.abs(first[name].astype(np.float64) - second[name]).max()) for name in first)


def train(folder: Path, devices: int) -> None:
    """Train, and write the current place to the shared byte."""
    import keras

    from zoo.training import loop, start
    from zoo.training.checkpoint import Checkpoints
    from zoo.training.request import Execution, TrainingRequest

    here = where(folder)

    def at(place: str) -> None:
        here[0] = PLACES.index(place) + 1

    class Places(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            at("step")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            at("between epochs")

    def marked(place: str, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            before = here[0]
            at(place)
            try:
                return function(*arguments, **options)
            finally:
                here[0] = before

        return call

    save = Checkpoints.save

    def written(checkpoints: Checkpoints, *arguments: Any) -> None:
        save(checkpoints, *arguments)
        checkpoints.wait()

    minutes = SECONDS_BETWEEN_CHECKPOINTS / 60
    execution = Execution(devices=devices, checkpoint_minutes=minutes, callbacks=[Places()], say=print)
    with (
        mock.patch.object(Checkpoints, "save", marked("checkpoint", written)),
        mock.patch.object(loop, "evaluate", marked("evaluation", loop.evaluate)),
    ):
        if folder.exists():
            start.resume(folder, None, execution)
        else:
            request = TrainingRequest(family="cnn", size="base", settings=SETTINGS, out=folder)
            start.start(request, execution, lambda model: None)


if __name__ == "__main__":
    main()
