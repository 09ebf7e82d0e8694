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
        own, theirs = weights_file.weights(model), weights_file.weights(trained)
        self._pairs = [(own[name], theirs[name]) for name in own]

    def start(self) -> None:
        """Set the average to the current weights."""
        for own, theirs in self._pairs:
            own.assign(theirs.numpy())

    def update(self, strategy: Any, updates: Any) -> None:
        """Follow the weights after `updates` updates, a scalar tensor; called in cross-replica context."""
        count = tf.cast(updates, tf.float32)
        step = 1 - tf.minimum(self._decay, (1 + count) / (10 + count))
        for own, theirs in self._pairs:
            strategy.extended.update(own.value, _follow, args=(theirs.value, step))


def _follow(own: Any, theirs: Any, step: Any) -> None:
    value = tf.convert_to_tensor(theirs)
    if value.dtype.is_floating:
        own.assign_add(tf.cast(step, value.dtype) * (value - own))
    else:
        own.assign(value)
