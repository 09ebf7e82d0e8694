"""The exponential moving average (EMA) of the weights in training, which is evaluated and kept in their place."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from zoo import weights_file


class Average:
    """A copy of the network in training, whose weights and statistics follow those of the original.

    After each update, `average += (1 - decay) * (weights - average)`. The first updates use a smaller decay,
    `(1 + updates) / (10 + updates)`, so that the average forgets the initial weights (as
    `tf.train.ExponentialMovingAverage` does with `num_updates`).

    Args:
        model: a network with the same description, built in the scope of the strategy.
        trained: the network in training.
        decay: from 0 to 1.
    """

    def __init__(self, model: Any, trained: Any, decay: float) -> None:
        self.model, self._decay = model, decay
        averages, trained_weights = weights_file.weights(model), weights_file.weights(trained)
        self._pairs = [(averages[name], trained_weights[name]) for name in averages]

    def start(self) -> None:
        """Set the average to the current weights."""
        for average, weight in self._pairs:
            average.assign(weight.numpy())

    def update(self, strategy: Any, updates: Any) -> None:
        """Follow the weights after `updates` updates, a scalar tensor; called in cross-replica context."""
        count = tf.cast(updates, tf.float32)
        step = 1 - tf.minimum(self._decay, (1 + count) / (10 + count))
        for average, weight in self._pairs:
            strategy.extended.update(average.value, _follow, args=(weight.value, step))


def _follow(average: Any, weight: Any, step: Any) -> None:
    value = tf.convert_to_tensor(weight)
    if value.dtype.is_floating:
        average.assign_add(tf.cast(step, value.dtype) * (value - average))
    else:
        average.assign(value)
