"""The network in training as Keras' callbacks expect to find it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from zoo.task import Task
from zoo.training.trainee import Trainee


def wants_batches(callback: Any) -> bool:
    """Return whether a Keras callback does anything at the end of a batch."""
    names = ("on_train_batch_end", "on_batch_end")
    return any(
        getattr(getattr(callback, name), "__func__", None) is not getattr(keras.callbacks.Callback, name)
        for name in names
    )


def compiled(trainee: Trainee, task: Task) -> None:
    """Give the model what callbacks read from it: an optimizer, and a metric that knows which direction is better."""
    model = trainee.model
    model.compile(optimizer=trainee.optimizer, metrics=[_Metric(task)])
    # Keras 3.15 knows the direction of a compiled metric only once that has seen values.
    outputs = tf.zeros((1, model.output_shape[-1]))
    trainee.strategy.run(lambda: model.compute_metrics(None, tf.zeros(1), outputs))
    model.stop_training = False


class _Metric(keras.metrics.Metric):
    """Stands for the best metric of a task where callbacks ask for its direction; the loop computes its values."""

    def __init__(self, task: Task) -> None:
        super().__init__(name=task.best)
        self._direction = "up" if task.higher_is_better else "down"

    def update_state(self, *values: Any, **options: Any) -> None:
        """Keep nothing."""

    def result(self) -> Any:
        """Return 0."""
        return tf.zeros(())
