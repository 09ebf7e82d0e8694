"""Several views of each example in a batch: inputs [batch, views, …] for a network that takes [batch, …]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from zoo.factory import apply


def merged(model: Any, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], int | None]:
    """Merge the dimension of views into the batch; return the inputs and the number of views, None without views.

    Inputs have views if their tensors have one dimension more than the network takes.
    """
    first = next(iter(inputs.values()))
    if len(first.shape) == len(model.inputs[0].shape):
        return dict(inputs), None
    return {name: tf.reshape(tensor, [-1, *tensor.shape[2:]]) for name, tensor in inputs.items()}, first.shape[1]


def fitting(models: Sequence[Any], inputs: Mapping[str, Any]) -> Any:
    """Return the network that takes these inputs, from several networks for inputs of different sizes."""
    if len(models) == 1:
        return models[0]
    shape = next(iter(inputs.values())).shape
    shapes = [tuple(model.inputs[0].shape[1:]) for model in models]
    return models[shapes.index(tuple(shape[-len(shapes[0]) :]))]


def apply_to_views(model: Any, inputs: Mapping[str, Any], *, training: bool) -> Any:
    """Call a network; return its output, [batch, …], or [batch, views, …] for several views of each example."""
    flat, views = merged(model, inputs)
    output = apply(model, flat, training=training)
    return output if views is None else tf.reshape(output, [-1, views, *output.shape[1:]])
