"""Measure whether a training waits for its input: the speeds of its batches, of its steps, and of both together."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zoo.data.dataset import Dataset
from zoo.data.fitting import fitting
from zoo.description import Model
from zoo.input import kind_of
from zoo.keras_settings import own_settings, tensor_float_32
from zoo.recipe import Recipe
from zoo.schema import record, to_dict
from zoo.task import task_of
from zoo.text import Progress, Say, silent
from zoo.training.batches import Batches, check
from zoo.training.data_of_request import data_of_request, recipe_for
from zoo.training.decision import decide
from zoo.training.describe import describe
from zoo.training.devices import check_devices
from zoo.training.request import TrainingRequest
from zoo.training.strategy import choose, distributed, share_of
from zoo.training.trainee import build

ROUNDS = 3
"""The number of times that each speed is measured, in turns; the medians count."""

NOTICEABLE = 0.05
"""A training waits for its input if it loses more than this share of the speed of its steps."""


@record
class InputSpeed:
    """The speeds of a training, in examples a second.

    Attributes:
        network: family and size.
        source: the data.
        batch_size: examples of a batch, over all replicas.
        input: the speed of reading, decoding and augmenting batches, without training steps.
        steps: the speed of training steps that repeat the same batch.
        training: the speed of both together, as in a training.
    """

    network: str
    source: str
    batch_size: int
    input: float
    steps: float
    training: float

    @property
    def lost(self) -> float:
        """The share of the steps' speed that a training loses to its input, from 0 to 1."""
        return max(0.0, 1 - self.training / self.steps)

    @property
    def waits(self) -> bool:
        """True if the loss of speed is noticeable."""
        return self.lost > NOTICEABLE

    def to_dict(self) -> dict[str, Any]:
        """Return the speeds as plain data, with `lost` and `waits`."""
        return {**to_dict(self), "lost": self.lost, "waits": self.waits}


def measure(request: TrainingRequest, *, seconds: float, say: Say = silent, progress: Progress = silent) -> InputSpeed:
    """Measure the speeds of a training that starts from scratch.

    Examples that the network cannot take are left out.

    Args:
        request: the request for the training.
        seconds: the time to measure each speed.
        say: called with lines about the data.
        progress: called before each measurement with the number done, the number of all, and the name of the next.

    Raises:
        ZooError: the request or the data are wrong.
    """
    decision = decide(request)
    strategy = choose()
    check_devices(decision.recipe, strategy)
    dataset, _ = data_of_request(request, decision, say)
    devices = strategy.num_replicas_in_sync, share_of(strategy)
    recipe = recipe_for(dataset, request, decision, *devices, say)
    model = describe(decision.family, decision.size, dataset, recipe)
    dataset = fitting(dataset, model.preprocessing)
    recipe = recipe_for(dataset, request, dataclasses.replace(decision, recipe=recipe), *devices, say)
    return speeds(model, dataset, recipe, strategy, seconds, progress)


@own_settings()
@tensor_float_32()
def speeds(
    model: Model, dataset: Dataset, recipe: Recipe, strategy: Any, seconds: float, progress: Progress = silent
) -> InputSpeed:
    """Measure the speeds of a training whose result is discarded.

    Args:
        model: the description of the network.
        dataset: the data, without examples that the network cannot take.
        recipe: the recipe.
        strategy: as `zoo.training.strategy.choose` returns it.
        seconds: the time to measure each speed.
        progress: called before each measurement with the number done, the number of all, and the name of the next.

    Raises:
        ZooError: the batch cannot be split, or is larger than the training split.
    """
    kind, examples = kind_of(model.preprocessing), len(dataset.train)
    check(recipe, kind, task_of(model), examples, strategy.num_replicas_in_sync, share_of(strategy))
    totals = build(model, recipe, strategy, examples // recipe.batch_size).training
    batches = _batches(model, dataset, recipe, strategy)
    totals.set({}, steps=0)
    first = next(batches)
    contenders: dict[str, Callable[[], None]] = {
        "steps": lambda: totals.add(*first),
        # Measured after the steps, during which batches were prefetched: measuring the input uses these up.
        "input": lambda: _forget(next(batches)),
        "training": lambda: totals.add(*next(batches)),
    }
    for step in contenders.values():
        step()
    totals.read()
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    turns = list(itertools.product(range(ROUNDS), contenders))
    for done, (_, name) in enumerate(turns):
        progress(done, len(turns), name)
        rates[name].append(recipe.batch_size * _rate(contenders[name], totals.read, seconds / ROUNDS))
    progress(len(turns), len(turns), "done")
    medians = {name: float(np.median(every)) for name, every in rates.items()}
    return InputSpeed(f"{model.family} {model.size}", dataset.source, recipe.batch_size, **medians)


def _batches(model: Model, dataset: Dataset, recipe: Recipe, strategy: Any) -> Iterator[Any]:
    """Yield batches of one epoch after the other, beginning with the recipe's last, whose inputs have the full size."""
    batches = Batches(dataset.train, model, recipe)
    for epoch in itertools.count(recipe.epochs - 1):
        yield from distributed(strategy, batches.epoch(epoch), recipe.batch_size)


def _rate(step: Callable[[], None], wait: Callable[[], Any], seconds: float) -> float:
    """Return the calls of a step per second, measured over at least two calls."""
    start, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - start < seconds:
        step()
        count += 1
    wait()
    return count / (time.perf_counter() - start)


def _forget(batch: Any) -> None:
    """Take a batch and do nothing with it."""
