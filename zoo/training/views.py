"""Several views of each example in a batch: inputs [batch, views, …] of a network that takes [batch, …]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from zoo.factory import apply


def merged(model: Any, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], int | None]:
    """Return inputs by name with their views among the examples, and how many views there are; None where there is one.

    Views are told by their tensors, which have one dimension more than the network takes.
    """
    first = next(iter(inputs.values()))
    if len(first.shape) == len(model.inputs[0].shape):
        return dict(inputs), None
    return {name: tf.reshape(one, [-1, *one.shape[2:]]) for name, one in inputs.items()}, first.shape[1]


def fitting(models: Sequence[Any], inputs: Mapping[str, Any]) -> Any:
    """Return the one of several networks, for inputs of different sizes, that takes these inputs."""
    if len(models) == 1:
        return models[0]
    shape = next(iter(inputs.values())).shape
    own = [tuple(model.inputs[0].shape[1:]) for model in models]
    return models[own.index(tuple(shape[-len(own[0]) :]))]


def apply_to_views(model: Any, inputs: Mapping[str, Any], *, training: bool) -> Any:
    """Return what a network computes, [batch, …], or [batch, views, …] of several views of each example."""
    flat, views = merged(model, inputs)
    found = apply(model, flat, training=training)
    return found if views is None else tf.reshape(found, [-1, views, *found.shape[1:]])
