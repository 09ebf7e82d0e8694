"""The network in training, with everything that a step changes, and the compiled steps."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import factory, weights_file
from zoo.description import Model
from zoo.recipe import Recipe
from zoo.registry import resolve
from zoo.task import task_of
from zoo.training import fine_tuning, stages
from zoo.training.average import Average
from zoo.training.checkpoint import State
from zoo.training.optimizer import optimizer, reset
from zoo.training.steps import evaluation_step, training_step
from zoo.training.strategy import draw_apart
from zoo.training.team import Within
from zoo.training.totals import Totals


@dataclass(frozen=True)
class Trainee:
    """A network in training.

    Attributes:
        description: the description of the network.
        recipe: the recipe.
        strategy: the `tf.distribute` strategy.
        model: the network, whose weights the steps change.
        described: the described network. If training adds layers, it is the part of `model` without these layers.
        average: the moving average of its weights; None if the recipe has none.
        optimizer: the update rule.
        steps: the number of steps in an epoch.
        training: the training step with its sums.
        evaluation: the evaluation step with its sums.
    """

    description: Model
    recipe: Recipe
    strategy: Any
    model: Any
    described: Any
    average: Average | None
    optimizer: Any
    steps: int
    training: Totals
    evaluation: Totals

    @property
    def evaluated(self) -> Any:
        """The network that is evaluated, and whose weights are kept: the average if there is one."""
        return self.average.model if self.average else self.model

    def kept(self) -> dict[str, Any]:
        """Return the weights of the described network to keep, by name."""
        evaluated = weights_file.weights(self.evaluated)
        # A layer that is not part of the pretrained network keeps its initial weights.
        return {name: evaluated.get(name, initial) for name, initial in weights_file.weights(self.described).items()}

    def variables(self) -> dict[str, Any]:
        """Return all variables of a checkpoint, by their names in the checkpoint."""
        variables = {f"model/{name}": variable for name, variable in weights_file.variables(self.model).items()}
        if self.average:
            averages = weights_file.weights(self.average.model)
            variables |= {f"average/{name}": variable for name, variable in averages.items()}
        # The paths of an optimizer's variables change from process to process; their order does not.
        return variables | {f"optimizer/{number}": variable for number, variable in enumerate(self.optimizer.variables)}

    def start_from(self, state: State) -> None:
        """Set the step of the learning rate, and the sums, to those of a state whose variables are restored already.

        A checkpoint has one state of the random generators, from which the replicas' generators are set apart again.
        """
        self.optimizer.step.assign(state.epochs_done * self.steps + state.steps_done)
        self.training.set(state.sums, state.steps_done)
        draw_apart(self.strategy, weights_file.variables(self.model))

    def begin_again(self) -> None:
        """Reset model and optimizer to the state before the first step, with random weights."""
        fix_randomness(self.recipe)
        with self.strategy.scope():
            fresh = weights_file.variables(networks(self.description, self.recipe)[0])
        values = {name: variable.numpy() for name, variable in fresh.items()}
        weights_file.assign(weights_file.variables(self.model), values, "a new network")
        reset(self.optimizer)


def build(
    description: Model,
    recipe: Recipe,
    strategy: Any,
    steps: int,
    class_weights: np.ndarray | None = None,
    within: Within = nullcontext,
) -> Trainee:
    """Build a network with random weights, its optimizer and its steps.

    Args:
        description: the description of the network.
        recipe: the recipe.
        strategy: as `zoo.training.strategy.choose` returns it.
        steps: the number of steps in an epoch.
        class_weights: the weight of each label, float32 [labels]; None if all weigh the same.
        within: entered around each step, see `Totals`.
    """
    family, _ = resolve(description.family)
    depths = factory.layer_depths(description) if recipe.optimizer.layer_decay < 1 else {}
    fix_randomness(recipe)
    with within(), strategy.scope():
        model, described = networks(description, recipe)
        if recipe.freeze:
            fine_tuning.freeze(described, description)
        keras_optimizer = optimizer(recipe, model, steps, depths, family.undecayed)
        average = None
        if recipe.ema_decay:
            average = Average(networks(description, recipe)[0], model, recipe.ema_decay)
        smaller = [
            stages.with_layers_of(model, networks(stage, recipe)[0])
            for stage in stages.stages(description, recipe)[:-1]
        ]
    evaluated = average.model if average else model
    device = strategy.extended.worker_devices[0]
    step = training_step(model, description, keras_optimizer, strategy, recipe, class_weights, average, smaller)
    return Trainee(
        description, recipe, strategy, model, described, average, keras_optimizer, steps,
        training=Totals(step, device, within),
        evaluation=Totals(evaluation_step(evaluated, description, strategy), device, within),
    )  # fmt: skip


def networks(description: Model, recipe: Recipe) -> tuple[Any, Any]:
    """Build the network in training and the described one, which are the same, unless training adds layers."""
    described = factory.build(description, precision=recipe.precision, rates=recipe.network)
    task = task_of(description)
    if task.pretext:
        return task.pretext.network(described, description, recipe), described
    return task.trained(described, description), described


def fix_randomness(recipe: Recipe) -> None:
    """Seed Python, NumPy, TensorFlow and Keras; make operations deterministic if the recipe says so."""
    keras.utils.set_random_seed(recipe.seed)
    if recipe.deterministic:
        tf.config.experimental.enable_op_determinism()
