"""Preparation of the network in training for Keras callbacks, which expect a compiled model; and TensorBoard's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ZooError
from zoo.task import Task
from zoo.training.trainee import Trainee

SET_THE_RATE = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
"""Keras' callbacks that set the learning rate, which is not settable where a schedule computes it (Keras 3.15)."""


def check(callbacks: Iterable[Any]) -> None:
    """Raise ZooError if a Keras callback sets the learning rate: some would fail only after hours of training."""
    for callback in callbacks:
        if isinstance(callback, SET_THE_RATE):
            raise ZooError(
                f"the recipe's schedule sets the learning rate, and the callback {type(callback).__name__} would, too: "
                "leave it out, and shape the rate with schedule.shape and the other keys of schedule"
            )


def wants_batches(callback: Any) -> bool:
    """Return whether a Keras callback does anything at the end of a batch."""
    names = ("on_train_batch_end", "on_batch_end")
    return any(
        getattr(getattr(callback, name), "__func__", None) is not getattr(keras.callbacks.Callback, name)
        for name in names
    )


def compiled(trainee: Trainee, task: Task) -> None:
    """Give the model the attributes that callbacks read: an optimizer, and a metric that knows its better direction."""
    model = trainee.model
    model.compile(optimizer=trainee.optimizer, metrics=[_Metric(task)])
    # Keras 3.15 knows the direction of a compiled metric only after the metric has seen values.
    outputs = tf.zeros((1, model.output_shape[-1]))
    trainee.strategy.run(lambda: model.compute_metrics(None, tf.zeros(1), outputs))
    model.stop_training = False


class _Metric(keras.metrics.Metric):
    """A stand-in for the task's best metric, from which callbacks read the direction; the loop computes the values."""

    def __init__(self, task: Task) -> None:
        super().__init__(name=task.best)
        self._direction = "up" if task.higher_is_better else "down"

    def update_state(self, *values: Any, **options: Any) -> None:
        """Keep nothing."""

    def result(self) -> Any:
        """Return 0."""
        return tf.zeros(())


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras' callback for TensorBoard, with the learning rates of `metrics.jsonl`.

    At the end of an epoch, Keras (3.15) replaces the rate in the logs with that of the next step.
    """

    def _collect_learning_rate(self, logs: dict[str, float]) -> dict[str, float]:
        return logs
