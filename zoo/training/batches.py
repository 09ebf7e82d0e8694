"""The batches of a training, as its step takes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.share import WHOLE, Share
from zoo.input import kind_of
from zoo.recipe import Recipe


class Batches:
    """The batches of a training.

    The kind of input makes batches of examples and their numbers. What else the step wants of an example is looked up
    by that number: a row of each of the `columns`.

    Args:
        examples: the training examples.
        preprocessing: that of the network.
        recipe: how it is trained.
        columns: arrays [examples, …], such as a teacher's answers, which follow the targets in each batch.
    """

    def __init__(
        self, examples: Examples, preprocessing: Any, recipe: Recipe, columns: Sequence[np.ndarray] = ()
    ) -> None:
        self._numbered = dataclasses.replace(examples, targets=np.arange(len(examples)))
        self._preprocessing, self._recipe = preprocessing, recipe
        self._columns = (examples.targets, *columns)

    def epoch(self, number: int, start: int = 0, share: Share = WHOLE) -> Any:
        """Return the batches of an epoch without the first `start`, as a tf.data.Dataset.

        Each is a tuple of the network inputs by name, the targets, and the rows of the columns.

        Raises:
            ZooError: there are fewer examples than a batch has.
        """
        import tensorflow as tf

        batches = kind_of(self._preprocessing).graph.training_batches(
            self._numbered,
            self._preprocessing,
            self._recipe.input,
            batch_size=self._recipe.batch_size,
            seed=self._recipe.seed,
            epoch=number,
            start=start,
            share=share,
        )
        with tf.device("CPU"):
            columns = [tf.constant(column) for column in self._columns]
            return batches.map(
                lambda inputs, numbers: (inputs, *(tf.gather(column, numbers) for column in columns)),
                num_parallel_calls=1,
                deterministic=True,
            ).prefetch(1)
