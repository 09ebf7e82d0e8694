"""Cost of checkpoints: the time for which each stops a training, and its share at one checkpoint per minute.

The networks train on noise, because the data do not change the time of a step. A checkpoint is written every few
seconds, to get many measurements.

usage: python -m benchmarks.checkpoints SCRATCH [--checkpoints 10]      writes results/checkpoints.json
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.measured import record

NETWORKS = (("cnn", "base"), ("resnet", "small"))
SIDE, BATCH, IMAGES, CLASSES = 64, 32, 4000, 10
SECONDS_BETWEEN = 3.0
MINUTE = 60.0


def main() -> None:
    """Measure each network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--checkpoints", type=int, default=10)
    asked = parser.parse_args()
    images = asked.scratch / "images"
    write_noise(images)
    figures = {
        f"{family}-{size}": measured(family, size, images, asked.scratch / family, asked.checkpoints)
        for family, size in NETWORKS
    }
    record("checkpoints", figures)


def write_noise(folder: Path) -> None:
    """Write images of noise, in folders named after their classes."""
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(IMAGES):
        path = folder / str(number % CLASSES) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path, compress_level=0)


def measured(family: str, size: str, images: Path, folder: Path, count: int) -> dict[str, Any]:
    """Train until this number of checkpoints is written; time each, including the check of the weights before it."""
    import keras

    from zoo.training import start
    from zoo.training.checkpoint import Checkpoints
    from zoo.training.loop import check_finite
    from zoo.training.request import DataRequest, Execution, TrainingRequest

    seconds: list[float] = []
    holder = keras.callbacks.Callback()  # of the model
    save = Checkpoints.save

    def timed(checkpoints: Checkpoints, state: Any) -> None:
        begun = time.perf_counter()
        check_finite(0.0, "", holder.model)
        save(checkpoints, state)
        seconds.append(time.perf_counter() - begun)
        holder.model.stop_training = len(seconds) >= count

    shutil.rmtree(folder, ignore_errors=True)
    with mock.patch.object(Checkpoints, "save", timed):
        request = TrainingRequest(
            family=family,
            size=size,
            data=DataRequest(f"folder:{images}"),
            settings=[f"batch_size={BATCH}", f"image.size={SIDE}", "epochs=100"],
            out=folder,
        )
        minutes = SECONDS_BETWEEN / MINUTE
        execution = Execution(strategy="single", callbacks=[holder], checkpoint_minutes=minutes, say=print)
        start.start(request, execution, lambda model: None)
    return {
        "checkpoints": len(seconds),
        "megabytes": round((folder / "checkpoints/last.safetensors").stat().st_size / 1e6, 1),
        "median_seconds": float(np.median(seconds)),
        "longest_seconds": max(seconds),
        "share_at_one_a_minute": float(np.mean(seconds)) / MINUTE,
        "longest_share_at_one_a_minute": max(seconds) / MINUTE,
    }


if __name__ == "__main__":
    main()
