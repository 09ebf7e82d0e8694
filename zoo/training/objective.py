"""The loss that a training makes smaller, for each example of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.description import Model
from zoo.recipe import Recipe
from zoo.task import task_of

Objective = Callable[..., Any]
"""From targets and what the network computes, [batch, …], and the rows of other columns, the losses, [batch]."""


def objective(description: Model, recipe: Recipe, class_weights: np.ndarray | None = None) -> Objective:
    """Return the loss of a recipe: that of the task with label smoothing, weighed by class.

    `class_weights` are float32 [labels].
    """
    task = task_of(description).graph

    def losses(targets: Any, found: Any) -> Any:
        each = task.losses(targets, found, description, recipe.label_smoothing)
        if class_weights is not None:
            each *= tf.cast(tf.gather(class_weights, targets), each.dtype)
        return each

    return losses
