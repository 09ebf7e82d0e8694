"""Speed of the training input: zoo's compared with Keras' and torchvision's, on 2,000 JPEGs of 400x300 pixels.

Each contender is a process that reads all images in random order, crops and flips them at random, and returns
normalized batches of 32 images of 224 pixels. The contenders take turns of one epoch, and only one works at a time. The
script also measures processor time, which is the better comparison on a busy machine. Keras uses
`image_dataset_from_directory` at 256 pixels, then `RandomCrop`, `RandomFlip` and `Rescaling`, with parallel map and
prefetch. torchvision uses `ImageFolder`, `RandomResizedCrop`, `RandomHorizontalFlip`, `ToTensor`, `Normalize` and a
`DataLoader` with two persistent workers.

usage: python -m benchmarks.input_pipeline SCRATCH --peer .peers/bin/python [--rounds 12] [--images 2000]

Writes results/input_pipeline.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jpegs import write_jpegs
from benchmarks.measured import record
from zoo.intervals import ratio_of_medians

SIDE, BEFORE_CROP, BATCH = 224, 256, 32
SMALLEST_CROP = 0.35
PEER = "benchmarks.peers.torchvision_input"
PEERS = ("keras", "torchvision")


def main() -> None:
    """Let the contenders take turns, or run one of them in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", type=Path, help="a Python that has torchvision")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--contender", choices=EPOCHS)
    asked = parser.parse_args()
    if asked.contender:
        answer(EPOCHS[asked.contender](asked.folder))
        return
    folder = asked.folder / f"jpegs-{asked.images}"
    if not folder.exists():
        write_jpegs(folder, asked.images)
    script = [sys.executable, "-m", "benchmarks.input_pipeline", str(folder), "--contender"]
    commands = {name: [*script, name] for name in EPOCHS}
    commands["torchvision"] = [str(asked.peer), "-m", PEER, str(folder), str(SMALLEST_CROP)]
    record("input_pipeline", measured(commands, asked.rounds))


def measured(commands: dict[str, list[str]], rounds: int) -> dict[str, Any]:
    """Images per second of each contender, and zoo's speedup over each of the others, with 95 % intervals."""
    started = {
        name: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name, command in commands.items()
    }

    def epoch(name: str) -> tuple[float, float]:
        """Seconds and processor seconds for each image."""
        process = started[name]
        assert process.stdin
        assert process.stdout
        before = processor_seconds(process.pid)
        process.stdin.write("epoch\n")
        process.stdin.flush()
        images, seconds = process.stdout.readline().split()
        return float(seconds) / int(images), (processor_seconds(process.pid) - before) / int(images)

    # The first epoch of each builds graphs and fills the cache of files.
    for name in started:
        epoch(name)
    names, taken = list(started), []
    for number in range(rounds):
        turns = names[number % len(names) :] + names[: number % len(names)]
        row = {name: epoch(name) for name in turns}
        taken.append([row[name] for name in names])
        print({name: round(1 / seconds) for name, (seconds, _) in row.items()}, file=sys.stderr, flush=True)
    for process in started.values():
        process.communicate()
    seconds, processor = (dict(zip(names, one, strict=True)) for one in np.array(taken).transpose(2, 1, 0))
    return {
        "images_per_second": {name: round(1 / float(np.median(found)), 1) for name, found in seconds.items()},
        "processor_milliseconds": {name: round(1e3 * float(np.median(found)), 2) for name, found in processor.items()},
        "zoo_is_faster_than": {name: ratio(seconds, name) for name in PEERS},
        "zoo_takes_less_of_the_processors_than": {name: ratio(processor, name) for name in PEERS},
        "rounds": rounds,
    }


def ratio(taken: dict[str, np.ndarray], name: str) -> dict[str, float]:
    """Return the time of a contender divided by zoo's, with the 95 % interval."""
    times, low, high = ratio_of_medians(taken[name], taken["zoo"], seed=0)
    return {"ratio": times, "low": low, "high": high}


def processor_seconds(process: int) -> float:
    """Return the processor time that a process and its children have taken so far."""
    import psutil

    parent = psutil.Process(process)
    times = [one.cpu_times() for one in (parent, *parent.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def answer(epoch: Callable[[], int]) -> None:
    """For each line of standard input make an epoch, and print its number of images and its seconds."""
    for _ in sys.stdin:
        start = time.perf_counter()
        images = epoch()
        print(images, time.perf_counter() - start, flush=True)


def zoo_epochs(folder: Path, **options: Any) -> Callable[[], int]:
    """Return a function that makes an epoch of zoo's training batches."""
    import itertools

    from zoo.data.load import load
    from zoo.inputs.image.batches import training_batches
    from zoo.inputs.image.data import reference
    from zoo.inputs.image.settings import ImageSettings
    from zoo.recipe import Split

    # All images but one of each class, because zoo needs a test split in every folder.
    images = load(f"folder:{folder}", "image", split=Split(test=0.001, validation=0.001)).train
    settings = ImageSettings(**{"flip": True, "smallest_crop": SMALLEST_CROP, **options})
    numbers = itertools.count()

    def epoch() -> int:
        batches = training_batches(
            images, reference((SIDE, SIDE, 3)), settings, batch_size=BATCH, seed=0, epoch=next(numbers)
        )
        return sum(len(labels) for _, labels in batches)

    return epoch


def zoo_without_crop(folder: Path) -> Callable[[], int]:
    """Return the same without the random crop: whole images, scaled as evaluation scales them."""
    return zoo_epochs(folder, smallest_crop=1.0)


def keras_epochs(folder: Path) -> Callable[[], int]:
    """Return a function that makes an epoch of Keras' batches."""
    import keras
    import tensorflow as tf

    layers = keras.Sequential(
        [
            keras.layers.RandomCrop(SIDE, SIDE),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.Rescaling(1 / 127.5, -1),
        ]
    )
    batches = keras.utils.image_dataset_from_directory(
        folder, image_size=(BEFORE_CROP, BEFORE_CROP), batch_size=BATCH, verbose=False
    )
    batches = batches.map(
        lambda images, labels: (layers(images, training=True), labels), num_parallel_calls=tf.data.AUTOTUNE
    ).prefetch(tf.data.AUTOTUNE)
    return lambda: sum(len(labels) for _, labels in batches)


EPOCHS = {"zoo": zoo_epochs, "zoo without crop": zoo_without_crop, "keras": keras_epochs}

if __name__ == "__main__":
    main()
