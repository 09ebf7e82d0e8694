"""Speed of a training step: zoo compared with Keras' `fit` and PyTorch on the same batches, in turns of a few steps.

All three train the same network with the same optimizer on random images. The network of Keras' `fit` has Keras' own
normalization layers, and its process TensorFlow's default memory allocator and kernels. PyTorch trains timm's network,
see `benchmarks.peers.training_steps`. Each contender is a process of its own that waits while another one has its turn.
A round is a turn of each contender, in changing order.

On a GPU, zoo takes part twice, with and without `xla`, and Keras' `fit` compiles the step with XLA, as is its default
there. The batch of zoo and PyTorch lies in the GPU's memory; `fit` copies it from the host's for each step, so that its
figures cannot be compared with theirs.

usage: python -m benchmarks.training_speed [--only resnet-small …] [--precision float32 bfloat16] [--rounds 12]
       [--batch 32] [--gpu] [--peer .peers/bin/python] [--peer-settings eager compiled]

Writes results/training_speed.json, or results/training_speed_gpu.json with --gpu.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded
from benchmarks.peers.turns import BATCH, CLASSES, SIDE, random_batch, take_turns
from zoo.allocator import keeping_freed_memory
from zoo.intervals import ratio_of_medians
from zoo.tensorflow_setup import ALLOCATOR, KERNELS

NETWORKS = ("cnn-base", "resnet-small", "mobilenet-small", "vit-small", "convnext-small")
SECONDS, GPU_SECONDS = 2.0, 0.5
"""The shortest time of a turn: a GPU makes the same steps in a fraction of the time."""


def main() -> None:
    """Measure each network in each precision, or run one of the contenders in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=NETWORKS)
    parser.add_argument("--precision", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--gpu", action="store_true", help="train on the first GPU")
    parser.add_argument("--peer", help="a Python that has PyTorch and timm")
    parser.add_argument("--peer-settings", nargs="*", default=["eager"], help="settings to try: eager, compiled")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contender:
        # As `zoo train` sets it.
        with contextlib.nullcontext() if asked.contender == "keras_fit" else keeping_freed_memory():
            take_turns(CONTENDERS[asked.contender](asked.only[0], asked.precision[0], asked.batch, device(asked.gpu)))
        return
    results = "training_speed_gpu" if asked.gpu else "training_speed"
    figures = recorded(results)
    for name in asked.only:
        for precision in asked.precision:
            where = ["--batch", str(asked.batch), *(["--gpu"] if asked.gpu else [])]
            ours = [sys.executable, "-m", "benchmarks.training_speed", "--only", name, "--precision", precision, *where]
            labels = ["zoo", *(["zoo_xla"] if asked.gpu else []), "keras_fit"]
            commands = {label: [*ours, "--contender", label] for label in labels}
            if asked.peer:
                theirs = [asked.peer, "-m", "benchmarks.peers.training_steps", name, precision, *where]
                commands["pytorch"] = [*theirs, "--settings", *asked.peer_settings]
            figures[f"{name} {precision}"] = measured(
                commands, asked.batch, asked.rounds, GPU_SECONDS if asked.gpu else SECONDS
            )
            print(name, precision, figures[f"{name} {precision}"], file=sys.stderr, flush=True)
            record(results, figures | {"geometric mean": geometric_means(figures)})


def device(gpu: bool) -> str:
    """The name of the device that trains, for TensorFlow."""
    return "GPU:0" if gpu else "CPU:0"


def measured(commands: dict[str, list[str]], batch: int, rounds: int, turn: float) -> dict[str, Any]:
    """Images per second of each contender, and zoo's speedup over each of the others, with the 95 % interval.

    A turn takes at least `turn` seconds. The speedup is also computed from processor time, which other programs on the
    machine disturb less.
    """
    contenders = {label: Contender(label, command) for label, command in commands.items()}
    try:
        for one in contenders.values():
            one.wait()
        counts = {label: max(2, round(turn / one.seconds(2)[0] * 2)) for label, one in contenders.items()}
        taken: dict[str, list[tuple[float, float]]] = {label: [] for label in contenders}
        started, load = time.perf_counter(), os.getloadavg()[0]
        for number in range(rounds):
            order = [*contenders][number % len(contenders) :] + [*contenders][: number % len(contenders)]
            for label in order:
                taken[label].append(contenders[label].seconds(counts[label]))
        # [rounds, 2]: elapsed and of the processors.
        times = {label: np.array(seconds) / counts[label] for label, seconds in taken.items()}
    finally:
        for one in contenders.values():
            one.end()
    found: dict[str, Any] = {
        label: round(batch / float(np.median(seconds[:, 0])), 1) for label, seconds in times.items()
    }
    for label in [*times][1:]:
        elapsed, processor = (ratio_of_medians(times[label][:, kind], times["zoo"][:, kind], seed=0) for kind in (0, 1))
        found[f"against_{label}"] = {
            **dict(zip(("ratio", "low", "high"), elapsed, strict=True)),
            "processor_time": dict(zip(("ratio", "low", "high"), processor, strict=True)),
        }
    if "pytorch" in contenders:
        found["pytorch_setting"] = contenders["pytorch"].setting
    found |= {"batch": batch, "rounds": rounds, "load_before": round(load, 2)}
    return {**found, "seconds": round(time.perf_counter() - started)}


def geometric_means(figures: dict[str, Any]) -> dict[str, float]:
    """The geometric mean over networks of zoo's speedup over PyTorch, by precision."""
    ratios: dict[str, list[float]] = {}
    for title, one in figures.items():
        if "against_pytorch" in one:
            ratios.setdefault(title.split()[1], []).append(one["against_pytorch"]["ratio"])
    return {f"{precision} against_pytorch": float(np.exp(np.mean(np.log(all_)))) for precision, all_ in ratios.items()}


class Contender:
    """A process that trains on request, see `benchmarks.peers.turns`."""

    def __init__(self, label: str, command: list[str]) -> None:
        # Keras runs with TensorFlow's default allocator and kernels, as its users have them; zoo selects its own. All
        # share the memory of a GPU.
        theirs = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        environment = os.environ | (theirs if label in ("keras_fit", "pytorch") else ALLOCATOR | KERNELS)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.setting = ""

    def wait(self) -> None:
        """Wait until the contender can take its turn."""
        assert self._process.stdout is not None
        self.setting = self._process.stdout.readline().strip()
        if not self.setting:
            raise SystemExit(f"a contender ended before its first step: {self._process.args!r}")

    def seconds(self, steps: int) -> tuple[float, float]:
        """Run a given number of steps; return their elapsed and their processor time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(steps, file=self._process.stdin, flush=True)
        elapsed, processor = map(float, self._process.stdout.readline().split())
        return elapsed, processor

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def zoo_steps(
    name: str, precision: str, batch: int, device: str, xla: bool = False
) -> tuple[str, Callable[[int], None]]:
    """Return a function that runs a given number of steps of zoo's loop, with its optimizer and its sums."""
    import tensorflow as tf

    import zoo
    from zoo.description import Model
    from zoo.input import find
    from zoo.recipe import Recipe
    from zoo.training.optimizer import optimizer
    from zoo.training.steps import training_step
    from zoo.training.totals import Totals

    family, _, size = name.partition("-")
    strategy = tf.distribute.OneDeviceStrategy(device)
    recipe = Recipe(batch_size=batch, precision=precision, xla=xla)  # type: ignore[arg-type]
    model = zoo.create(family, size=size, classes=CLASSES, input_shape=(SIDE, SIDE, 3), precision=precision)
    preprocessing = find("image").data.reference((SIDE, SIDE, 3))
    description = Model(family, size, tuple(map(str, range(CLASSES))), preprocessing, 0, 0)
    step = training_step(model, description, optimizer(recipe, model, 100, {}), strategy, recipe)
    totals = Totals(step, device)
    with tf.device(device):
        images, labels = map(tf.constant, random_batch(batch))

    def steps(count: int) -> None:
        totals.set({}, steps=0)
        for _ in range(count):
            totals.add({"image": images}, labels)
        assert np.isfinite(totals.read()["loss"])

    return "zoo", steps


def keras_steps(name: str, precision: str, batch: int, device: str) -> tuple[str, Callable[[int], None]]:
    """Return a function that runs a given number of steps of Keras' `fit`, with Keras' optimizer and normalization."""
    from unittest import mock

    import keras
    import tensorflow as tf

    import zoo
    from zoo.dropout import Dropout

    family, _, size = name.partition("-")
    Dropout.call = keras.layers.Dropout.call  # type: ignore[method-assign]
    with mock.patch.multiple(
        "zoo.layers",
        BatchNormalization=keras.layers.BatchNormalization,
        DepthwiseConv2D=keras.layers.DepthwiseConv2D,
        LayerNormalization=keras.layers.LayerNormalization,
        Gelu=functools.partial(keras.layers.Activation, "gelu"),
    ):
        model = zoo.create(family, size=size, classes=CLASSES, input_shape=(SIDE, SIDE, 3), precision=precision)
    model.compile(
        optimizer=keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=5e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    batches = tf.data.Dataset.from_tensors(random_batch(batch)).repeat()
    if device != "CPU:0":
        batches = batches.apply(tf.data.experimental.prefetch_to_device(device))

    def steps(count: int) -> None:
        model.fit(batches, steps_per_epoch=count, epochs=1, verbose=0)

    return "fit", steps


CONTENDERS: dict[str, Callable[[str, str, int, str], tuple[str, Callable[[int], None]]]] = {
    "zoo": zoo_steps,
    "zoo_xla": functools.partial(zoo_steps, xla=True),
    "keras_fit": keras_steps,
}

if __name__ == "__main__":
    main()
