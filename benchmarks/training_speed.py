"""Speed of a training step: zoo's against that of Keras' `fit` on the same batches, in turns within one process.

Both train the same network with the same optimizer on random images. Keras' has Keras' own batch normalization, as a
network from elsewhere would. A round is a few steps of each.

usage: python -m benchmarks.training_speed [--only resnet-small …] [--precision float32 mixed_bfloat16] [--rounds 12]

Writes results/training_speed.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded
from zoo.intervals import ratio_of_medians

NETWORKS = ("cnn-base", "resnet-small", "mobilenet-small", "vit-small", "convnext-small")
SIDE, BATCH, CLASSES = 128, 32, 10
SECONDS = 2.0
"""The least time that one contender takes in a round."""


def main() -> None:
    """Measure each network in each precision."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=NETWORKS)
    parser.add_argument("--precision", nargs="*", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--rounds", type=int, default=12)
    asked = parser.parse_args()
    figures = recorded("training_speed")
    for name in asked.only:
        for precision in asked.precision:
            figures[f"{name} {precision}"] = measured(name, precision, asked.rounds)
            print(name, precision, figures[f"{name} {precision}"], file=sys.stderr, flush=True)
            record("training_speed", figures)


def measured(name: str, precision: str, rounds: int) -> dict[str, Any]:
    """Images per second of both, and the ratio of their times (zoo's to Keras') with its 95 % interval."""
    import keras
    import tensorflow as tf

    random = np.random.default_rng(0)
    images = tf.constant(random.normal(size=(BATCH, SIDE, SIDE, 3)).astype(np.float32))
    labels = tf.constant(random.integers(0, CLASSES, BATCH))
    contenders = [zoo_steps(name, precision, images, labels), keras_steps(name, precision, images, labels)]
    counts = []
    for steps in contenders:
        steps(2)
        start = time.perf_counter()
        steps(2)
        counts.append(max(2, round(2 * SECONDS / (time.perf_counter() - start))))
    taken = []
    for number in range(rounds):
        row = [0.0, 0.0]
        for place in (0, 1) if number % 2 else (1, 0):
            start = time.perf_counter()
            contenders[place](counts[place])
            row[place] = (time.perf_counter() - start) / counts[place]
        taken.append(row)
    keras.backend.clear_session()
    ours, theirs = np.array(taken).T
    ratio, low, high = ratio_of_medians(ours, theirs, seed=0)
    speeds = [round(BATCH / float(np.median(one)), 1) for one in (ours, theirs)]
    return {"zoo": speeds[0], "keras_fit": speeds[1], "ratio": ratio, "low": low, "high": high, "rounds": rounds}


def zoo_steps(name: str, precision: str, images: Any, labels: Any) -> Callable[[int], None]:
    """Return a function that makes so many steps of zoo's loop, with its optimizer and its sums."""
    import tensorflow as tf

    import zoo
    from zoo.description import Model
    from zoo.input import find
    from zoo.recipe import Recipe
    from zoo.training.optimizer import optimizer
    from zoo.training.steps import training_step
    from zoo.training.totals import Totals

    family, _, size = name.partition("-")
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    recipe = Recipe(batch_size=BATCH, precision=precision)  # type: ignore[arg-type]
    model = zoo.create(family, size=size, classes=CLASSES, input_shape=(SIDE, SIDE, 3), precision=precision)
    preprocessing = find("image").data.reference((SIDE, SIDE, 3))
    description = Model(family, size, tuple(map(str, range(CLASSES))), preprocessing, 0, 0)
    step = training_step(model, description, optimizer(recipe, model, 100, {}), strategy, recipe)
    totals = Totals(step, "CPU:0")

    def steps(count: int) -> None:
        totals.set({}, steps=0)
        for _ in range(count):
            totals.add({"image": images}, labels)
        assert np.isfinite(totals.read()["loss"])

    return steps


def keras_steps(name: str, precision: str, images: Any, labels: Any) -> Callable[[int], None]:
    """Return a function that makes so many steps of Keras' `fit`, with Keras' optimizer and batch normalization."""
    from unittest import mock

    import keras
    import tensorflow as tf

    import zoo

    family, _, size = name.partition("-")
    with mock.patch("zoo.layers.BatchNormalization", keras.layers.BatchNormalization):
        model = zoo.create(family, size=size, classes=CLASSES, input_shape=(SIDE, SIDE, 3), precision=precision)
    model.compile(
        optimizer=keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=5e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    batches = tf.data.Dataset.from_tensors((images, labels)).repeat()

    def steps(count: int) -> None:
        model.fit(batches, steps_per_epoch=count, epochs=1, verbose=0)

    return steps


if __name__ == "__main__":
    main()
