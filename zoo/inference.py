"""The outputs that a task measures, computed with Keras by a run's network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from zoo import factory, run
from zoo.data.dataset import Examples
from zoo.data.reading import each_batch, untuned
from zoo.description import Model
from zoo.input import kind_of
from zoo.keras_settings import own_settings
from zoo.task import task_of

BATCH = 64
"""The most examples in a batch."""

MEMORY = 2**31
"""Bytes that the outputs of all layers together may take for one batch; TensorFlow keeps a few of them at a time."""

ASSUMED_LENGTH = 512
"""The length that is assumed for an open dimension, when outputs must fit into memory: a long text or clip."""


@own_settings()
def measured_outputs_of_run(folder: Path, examples: Examples) -> np.ndarray:
    """Return the measured outputs of all examples in order, [examples, …], see `measured` of `zoo.task.Task`.

    Raises:
        ZooError: there is no finished run at `folder`, or it is damaged.
    """
    return measured_outputs(factory.load(folder), run.read_finished(folder).model, examples)


def measured_outputs(model: Any, description: Model, examples: Examples) -> np.ndarray:
    """Return the measured outputs of all examples in order, [examples, …], see `measured` of `zoo.task.Task`.

    `model` is the network, `description` its description.
    """
    task, preprocessing = task_of(description), description.preprocessing
    kind, measured = kind_of(preprocessing), []
    at_once = 1 if kind.alone(preprocessing) else batch_within(MEMORY, model, most=BATCH)
    answers = answering(model, description)
    batches = kind.graph.evaluation_batches(examples, preprocessing, batch_size=at_once)
    for inputs, _, _ in each_batch(untuned(batches)):
        outputs = task.primary({name: output.numpy() for name, output in answers(inputs).items()}, description)
        measured.append(task.measured(outputs, description))
    return np.concatenate(measured)[: len(examples)]  # the last batch is filled up with copies


def batch_within(memory: int, model: Any, *, most: int) -> int:
    """Return the largest batch, of 1 to `most` examples, whose outputs of all layers take at most `memory` bytes."""
    import keras

    tensors = (tensor for layer in model.layers for tensor in keras.tree.flatten(layer.output))
    values = sum(math.prod(length or ASSUMED_LENGTH for length in tensor.shape[1:]) for tensor in tensors)
    return min(most, max(1, memory // (4 * values)))


def answering(model: Any, description: Model) -> Any:
    """Return a function that computes a network's answers, tensors by name, from its prepared inputs.

    It is a graph: called eagerly, Keras 3.15 keeps the outputs of all layers until the last one is computed.
    """
    import tensorflow as tf

    task = task_of(description)

    @tf.function(autograph=False, reduce_retracing=True)
    def answers(inputs: Any) -> Any:
        return task.graph.answers(factory.apply(model, inputs, training=False), description)

    return answers
