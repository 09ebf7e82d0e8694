"""The batches of a training, as its step takes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.sampling import Sampling
from zoo.data.share import WHOLE, Share
from zoo.description import Model
from zoo.errors import ZooError
from zoo.input import Input, kind_of
from zoo.recipe import Recipe
from zoo.task import Task
from zoo.training import mixing


class Batches:
    """The batches of a training.

    The kind of input makes batches of examples and their numbers. What else the step wants of an example is looked up
    by that number: a row of each of the `columns`. Then pairs of a batch are mixed, where the recipe says so.

    Args:
        examples: the training examples.
        model: the description of the network.
        recipe: how it is trained.
        columns: arrays [examples, …], such as a teacher's answers, which follow the targets in each batch.
    """

    def __init__(self, examples: Examples, model: Model, recipe: Recipe, columns: Sequence[np.ndarray] = ()) -> None:
        classes = examples.targets if recipe.sampling == "balanced" else None
        self._numbered = dataclasses.replace(
            examples, targets=np.arange(len(examples)), sampling=Sampling(recipe.repeats, classes)
        )
        self._model, self._recipe = model, recipe
        self._columns = (examples.targets, *columns)

    def epoch(self, number: int, start: int = 0, share: Share = WHOLE) -> Any:
        """Return the batches of an epoch without the first `start`, as a tf.data.Dataset.

        Each is a tuple of the network inputs by name, the targets, and the rows of the columns. Targets of mixed
        examples are shares of classes, float32 [batch, labels].

        Raises:
            ZooError: there are fewer examples than a batch has.
        """
        import tensorflow as tf

        preprocessing = self._model.preprocessing
        batches = kind_of(preprocessing).graph.training_batches(
            self._numbered,
            preprocessing,
            self._recipe.input,
            batch_size=self._recipe.batch_size,
            seed=self._recipe.seed,
            epoch=number,
            start=start,
            share=share,
        )
        with tf.device("CPU"):
            columns = [tf.constant(column) for column in self._columns]
            drawn = None
            if mixing.asked(self._recipe):
                drawn = tf.constant(mixing.draws(self._recipe, number, len(self._numbered)))

            def finished(inputs: Any, numbers: Any) -> tuple[Any, ...]:
                targets, *others = (tf.gather(column, numbers) for column in columns)
                if drawn is not None:
                    firsts = tf.reshape(numbers, [-1, 2])[:, 0]
                    inputs, targets = mixing.mixed(inputs, targets, len(self._model.labels), tf.gather(drawn, firsts))
                return inputs, targets, *others

            plain = tf.autograph.experimental.do_not_convert(finished)
            return batches.map(plain, num_parallel_calls=1, deterministic=True).prefetch(1)


def check(recipe: Recipe, kind: Input, task: Task, share: Share) -> None:
    """Refuse a recipe whose batches cannot be made of inputs of a kind with targets of a task.

    Raises:
        ZooError: it asks for such batches.
    """
    mixing.check(recipe, kind, task, share)
    if recipe.sampling == "balanced" and task.balanced is None:
        raise ZooError(f"sampling=balanced draws classes evenly, and the task is {task.kind}: leave it out")
    if recipe.sampling == "balanced" and recipe.class_weights == "balanced":
        raise ZooError("sampling=balanced and class_weights=balanced do the same twice: leave one of them out")
