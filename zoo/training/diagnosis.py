"""The search for the layer in which a training breaks: the first whose output is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from zoo import weights_file
from zoo.errors import ZooError
from zoo.factory import apply
from zoo.text import silent
from zoo.training import stages
from zoo.training.checkpoint import Checkpoints, State
from zoo.training.totals import LOSS, Totals
from zoo.training.trainee import Trainee, networks
from zoo.training.views import merged

ADVICE = "lower optimizer.lr, or --set optimizer.clip_norm=1"


class NotFinite(ZooError):
    """The loss is not finite at a step of an epoch, counted from 0."""

    def __init__(self, loss: float, step: int, found: str = "") -> None:
        super().__init__(f"the loss is {loss} at step {step}{found}: {ADVICE}")
        self.loss, self.step = loss, step

    def explained(self, learning_rate: float, layer: str | None) -> NotFinite:
        """Return the error with the step's learning rate, and the layer if one was found."""
        layer_clause = f", and the first output that is not finite is that of the layer '{layer}'" if layer else ""
        return NotFinite(self.loss, self.step, f", with a learning rate of {learning_rate:.3g}{layer_clause}")


def check_loss(totals: Totals) -> dict[str, float]:
    """Return the sums of the steps so far, which are empty before the first step of a process.

    Raises:
        NotFinite: their loss is not finite.
    """
    sums = totals.read()
    loss = sums.get(LOSS, 0.0)
    if not math.isfinite(loss):
        raise NotFinite(loss, totals.finite_steps())
    return sums


def repeated(
    step: int,
    epoch: int,
    trainee: Trainee,
    checkpoints: Checkpoints,
    begin: Callable[[], None],
    batches: Callable[[int, int], Any],
    stop: Callable[[], bool],
) -> str | None:
    """Train again from the last checkpoint to a step that was not finite; return the first layer that is not finite.

    The loss is only read twice a second, and by then the weights may be damaged, too: the layer can be found only by
    repeating the steps from sound weights.

    Args:
        step: the step of the epoch, counted from 0.
        epoch: the epoch, counted from 0.
        trainee: the network in training.
        checkpoints: the checkpoints of the training.
        begin: sets the network to the state before the first step, for a training without a checkpoint.
        batches: called with an epoch and the number of steps to leave out; returns the batches that are left, as the
            replicas take them.
        stop: called before each step; if it returns True, the search ends and returns None.

    Returns:
        The name of the layer. None if none is found: only the loss is not finite, or repeating the steps gives other
        results.
    """
    state = checkpoints.restore(silent)
    if state is None:
        begin()
        state = State()
    if state.epochs_done != epoch:
        return None
    trainee.start_from(state)
    for number, batch in enumerate(batches(epoch, state.steps_done), start=state.steps_done):
        if stop():
            return None
        if number == step:
            try:
                return first_bad_layer(_in_stage(trainee, epoch), trainee.strategy, batch[0])
            except (MemoryError, tf.errors.ResourceExhaustedError):
                return None  # a batch that fits into memory only in parts
        trainee.training.add(*batch)
    return None


def _in_stage(trainee: Trainee, epoch: int) -> Any:
    """Return the network of an epoch's stage; for smaller inputs it is built again, so that layers have one output."""
    stage = stages.of_epoch(trainee.description, trainee.recipe, epoch)
    if stage.preprocessing == trainee.description.preprocessing:
        return trainee.model
    values = {name: variable.numpy() for name, variable in weights_file.variables(trainee.model).items()}
    with trainee.strategy.scope():
        model, _ = networks(stage, trainee.recipe)
        weights_file.assign(weights_file.variables(model), values, "the network of a stage")
    return model


def first_bad_layer(model: Any, strategy: Any, inputs: Mapping[str, Any]) -> str | None:
    """Return the first layer, in the order of computation, whose output in training is not finite; None if all are."""
    layers = model.layers
    all_outputs = keras.Model(model.input, [layer.output for layer in layers])

    def on_replica(inputs: Any) -> Any:
        outputs = apply(all_outputs, merged(model, inputs)[0], training=True)
        return tf.stack([_not_finite(output) for output in outputs])

    @tf.function
    def count(inputs: Any) -> Any:
        return strategy.reduce("SUM", strategy.run(on_replica, (inputs,)), axis=None)

    bad = count(inputs).numpy()
    return next((layer.name for layer, number in zip(layers, bad, strict=True) if number), None)


def _not_finite(output: Any) -> Any:
    """Return 1 if a tensor, or one of several, contains a number that is not finite, else 0."""
    floats = [tensor for tensor in tf.nest.flatten(output) if tensor.dtype.is_floating]
    return tf.cast(~tf.reduce_all([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in floats]), tf.int32)
