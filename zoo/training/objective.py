"""The loss that a training minimizes, for each example of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.description import Model
from zoo.recipe import Recipe
from zoo.task import task_of
from zoo.training import fixmatch

Objective = Callable[..., Any]
"""Takes targets, the network's output, [batch, …], and the rows of other columns; returns the losses, [batch]."""


def objective(description: Model, recipe: Recipe, class_weights: np.ndarray | None = None) -> Objective:
    """Return the loss of a recipe: the task's loss with label smoothing, distillation, class weights and FixMatch.

    `class_weights` are float32 [labels]. If targets are shares of labels, each share has the weight of its label. If
    the recipe distills, the first other column has the teacher's answers.
    """
    task, distill = task_of(description).graph, recipe.distill

    def losses(targets: Any, output: Any, *columns: Any) -> Any:
        targets, weights = (targets, None) if class_weights is None else weighed(targets, class_weights)
        each = task.losses(targets, output, description, recipe.label_smoothing)
        if distill.kind != "none":
            distance = task.distilled(columns[0], output, description, distill.kind, distill.temperature)
            each = (1 - distill.weight) * each + distill.weight * distance
        return each if weights is None else each * tf.cast(weights, each.dtype)

    return fixmatch.with_unlabeled(losses, recipe.fixmatch) if recipe.fixmatch.ratio else losses


def weighed(targets: Any, class_weights: np.ndarray) -> tuple[Any, Any]:
    """Return targets and weights of their losses, float32 [batch], that apply the class weights.

    If targets are shares of labels, the weighted loss is the sum over labels of loss, share and weight multiplied. It
    equals the loss of rescaled shares, which add up to 1, times a weight of the example.
    """
    if not targets.dtype.is_floating:
        return targets, tf.gather(class_weights, targets)
    shares = targets * class_weights
    weights = tf.reduce_sum(shares, -1)
    return shares / weights[:, None], weights
