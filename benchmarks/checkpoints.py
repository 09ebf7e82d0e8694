"""Time that checkpoints, evaluation and logging take from a training, and its share of an epoch of a minute.

The networks train on noise, because the data do not change the time of a step. A checkpoint is begun every few seconds,
to get many measurements; a thread writes it while the training goes on. Evaluation reads a tenth of the images, and so
takes a share of the epoch; checkpoints and logging take the same time in an epoch of any length.

usage: python -m benchmarks.checkpoints SCRATCH [--epochs 6]      writes results/checkpoints.json
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np

from benchmarks.measured import record

NETWORKS = (("cnn", "base"), ("resnet", "small"))
SIDE, BATCH, IMAGES, CLASSES = 64, 32, 4000, 10
SPLIT = ("split.validation=0.1", "split.test=0.02")
SECONDS_BETWEEN = 3.0
MINUTE = 60.0


def main() -> None:
    """Measure each network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--epochs", type=int, default=6)
    asked = parser.parse_args()
    images = asked.scratch / "images"
    write_noise(images)
    figures = {
        f"{family}-{size}": measured(family, size, images, asked.scratch / family, asked.epochs)
        for family, size in NETWORKS
    }
    record("checkpoints", figures)


class Clock(keras.callbacks.Callback):
    """Record the seconds from the beginning of each epoch to that of the next one, and those of its training."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[float] = []
        self.training: list[float] = []
        self._begun = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the time."""
        now = time.perf_counter()
        if epoch:
            self.epochs.append(now - self._begun)
        self._begun = now

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Note the time of the training."""
        self.training.append(logs["seconds"])


def write_noise(folder: Path) -> None:
    """Write images of noise, in folders named after their classes."""
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(IMAGES):
        path = folder / str(number % CLASSES) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path, compress_level=0)


def measured(family: str, size: str, images: Path, folder: Path, epochs: int) -> dict[str, Any]:
    """Train, and time the parts that are not training; the first epoch, which prepares them, does not count."""
    from zoo.training import loop, start
    from zoo.training.checkpoint import Checkpoints
    from zoo.training.request import DataRequest, Execution, TrainingRequest

    stops: list[float] = []
    writes: list[float] = []
    evaluations: list[float] = []
    clock = Clock()

    shutil.rmtree(folder, ignore_errors=True)
    with (
        mock.patch.object(loop._Epochs, "_save", timed(stops, loop._Epochs._save)),
        mock.patch.object(Checkpoints, "_write", timed(writes, Checkpoints._write)),
        mock.patch.object(loop, "evaluate", timed(evaluations, loop.evaluate)),
    ):
        request = TrainingRequest(
            family=family,
            size=size,
            data=DataRequest(f"folder:{images}"),
            settings=[f"batch_size={BATCH}", f"image.size={SIDE}", f"epochs={epochs}", *SPLIT],
            out=folder,
        )
        minutes = SECONDS_BETWEEN / MINUTE
        execution = Execution(strategy="single", callbacks=[clock], checkpoint_minutes=minutes, say=print)
        start.start(request, execution, lambda model: None)
    evaluation, training = np.array(evaluations[1:epochs]), np.array(clock.training[1:])
    rest = np.array(clock.epochs[1:]) - training[: epochs - 2] - evaluation[: epochs - 2]
    stop, ending, share = float(np.median(stops)), float(np.median(rest)), float(np.median(evaluation / training))
    return {
        "checkpoints": len(stops),
        "megabytes": round((folder / "checkpoints/last.safetensors").stat().st_size / 1e6, 1),
        "median_stop_seconds": stop,
        "longest_stop_seconds": max(stops),
        "median_write_seconds": float(np.median(writes)),
        "end_of_epoch_seconds": ending,
        "evaluation_seconds_per_training_second": share,
        "share_of_an_epoch_of_a_minute": {
            "a checkpoint within it": stop / MINUTE,
            "checkpoint and logging at its end": ending / MINUTE,
            "evaluation": share,
            "all": (stop + ending) / MINUTE + share,
        },
    }


def timed(seconds: list[float], function: Any) -> Any:
    """Return a function that also appends the seconds that each call takes."""

    def call(*arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            seconds.append(time.perf_counter() - begun)

    return call


if __name__ == "__main__":
    main()
