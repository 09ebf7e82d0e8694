"""A step of training and a step of evaluation, with the same result for any number of replicas.

Each replica sums over its share of the batch. Nothing is averaged per replica, so uneven shares are weighted correctly.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.description import Model
from zoo.recipe import Recipe
from zoo.registry import resolve
from zoo.task import task_of
from zoo.training import bad_steps, fixmatch
from zoo.training.accumulation import in_parts
from zoo.training.average import Average
from zoo.training.objective import objective
from zoo.training.optimizer import penalty
from zoo.training.views import apply_to_views, fitting


class Step:
    """A function from a distributed batch to the sums of the task, see `zoo.task.Graph`, compiled."""

    def __init__(self, function: Callable[..., dict[str, Any]]) -> None:
        self._function, self._prepared = function, False
        self._compiled = tf.function(function)

    def __call__(self, *batch: Any) -> dict[str, Any]:
        """Return the sums over a batch."""
        sums: dict[str, Any] = self._compiled(*batch)
        return sums

    def prepare(self, batches: Any) -> None:
        """Compile the function once for batches of all lengths, if a dataset's batches have open dimensions.

        Otherwise, it would be compiled for each length, and the first batch of a process might be rounded differently.
        """
        if not self._prepared:
            specs = tf.nest.flatten(batches.element_spec, expand_composites=True)
            if any(None in spec.shape[1:] for spec in specs):
                self._compiled = tf.function(self._function, input_signature=batches.element_spec)
            self._prepared = True


def training_step(
    model: Any,
    description: Model,
    optimizer: Any,
    strategy: Any,
    recipe: Recipe,
    class_weights: np.ndarray | None = None,
    average: Average | None = None,
    smaller: Sequence[Any] = (),
) -> Step:
    """Compile a function that trains on a batch.

    The function takes distributed network inputs, targets and the other columns of the objective, and returns the sums
    of the task over the batch, computed before the update. Like those of `evaluation_step`, the sums are without label
    smoothing, class weights and penalties, so that training and validation loss can be compared.

    `class_weights` are float32 [labels]. `average` follows the weights. `smaller` are networks with the layers of the
    model for inputs of other sizes; the step is compiled once for each size.
    """
    task, losses = task_of(description).graph, objective(description, recipe, class_weights)
    answers = fixmatch.labeled if recipe.fixmatch.ratio else tf.identity
    undecayed = resolve(description.family)[0].undecayed
    compiled = functools.partial(tf.function, jit_compile=True) if recipe.xla else lambda function: function

    scale = optimizer.loss_scale

    def of_part(inputs: Any, targets: Any, *others: Any) -> tuple[dict[str, Any], list[Any]]:
        """Return sums and gradients."""
        trained = [variable.value for variable in model.trainable_variables]
        # Keras 3.15 leaves the TensorFlow variables of a frozen layer trainable, so that a tape would watch them, too.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            output = apply_to_views(fitting([model, *smaller], inputs), inputs, training=not recipe.freeze)
            loss = tf.reduce_sum(losses(targets, output, *others)) / recipe.batch_size
            # The gradients of all replicas and parts are summed, so each adds only its share of the penalty.
            terms = strategy.num_replicas_in_sync * recipe.accumulate
            loss += tf.cast(penalty(recipe, model, undecayed) / terms, loss.dtype)
            if scale:
                loss *= scale.scale.value
        return task.sums(targets, answers(output), description), tape.gradient(loss, trained)

    def compute(*batch: Any) -> Any:
        return in_parts(of_part, batch, recipe.accumulate)

    def update(gradients: list[Any]) -> None:
        if recipe.optimizer.clip_norm:
            gradients = clipped(gradients, recipe.optimizer.clip_norm)
        optimizer.apply(gradients, model.trainable_variables)

    def on_replica(*batch: Any) -> dict[str, Any]:
        sums, gradients = compute(*batch)
        update(gradients)
        return dict(sums)

    def follow() -> None:
        if average:
            average.update(strategy, optimizer.iterations.value)

    compiled_step = compiled(on_replica)

    def always(*batch: Any) -> dict[str, Any]:
        sums = summed(strategy, strategy.run(compiled_step, batch))
        follow()
        return sums

    skip = recipe.on_nan == "skip"
    update_step = always
    if bad_steps.watched(recipe):
        update_step = bad_steps.all_or_none(strategy, model, skip, scale, compiled(compute), update, follow, summed)

    def step(*batch: Any) -> dict[str, Any]:
        sums = update_step(*batch)
        optimizer.step.assign_add(1)
        return sums

    return Step(step)


def evaluation_step(model: Any, description: Model, strategy: Any) -> Step:
    """Compile a function that evaluates a batch.

    The function takes distributed network inputs, targets and weights, and returns the weighted sums of the task.
    Examples that only fill up the last batch have weight 0.
    """
    task = task_of(description).graph

    def on_replica(inputs: Any, targets: Any, weights: Any) -> dict[str, Any]:
        return task.sums(targets, apply_to_views(model, inputs, training=False), description, weights)

    def step(inputs: Any, targets: Any, weights: Any) -> dict[str, Any]:
        return summed(strategy, strategy.run(on_replica, (inputs, targets, weights)))

    return Step(step)


def summed(strategy: Any, sums: dict[str, Any]) -> dict[str, Any]:
    """Add up the sums of all replicas, on the device of the first replica."""
    # Without naming a device, the sums of several GPUs would be added up on the host.
    with tf.device(strategy.extended.worker_devices[0]):
        return {name: strategy.reduce("SUM", value, axis=None) for name, value in sums.items()}


def clipped(gradients: list[Any], norm: float) -> list[Any]:
    """Scale a replica's gradients so that their sum over all replicas has at most this global norm."""
    context = tf.distribute.get_replica_context()
    # The gradient of an embedding has a slice for each token; the norm needs the sum of those of the same word.
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    summed = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    scale = norm / tf.maximum(tf.linalg.global_norm(summed), norm)
    return [gradient * scale for gradient in gradients]
