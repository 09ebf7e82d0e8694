"""Counting a network's parameters and multiply-adds on its Keras graph."""

from __future__ import annotations

import math
from typing import Any

from zoo.description import Model

COUNTED_LENGTH = 128
"""The length that an open dimension is counted with: that of an ordinary text."""


def multiply_adds(model: Any) -> int:
    """Count the multiply-adds of convolutions and matrix products for one example, as papers count them.

    Each value that a layer computes costs one multiply-add per weight that goes into it. Norms, activations and pools
    cost none. An open dimension, such as the length of a text, counts as `COUNTED_LENGTH`, or as the layer's own
    `open_size`.
    """
    return sum(multiply_adds_by_layer(model).values())


def multiply_adds_by_layer(model: Any) -> dict[str, int]:
    """Count the multiply-adds of each layer that has some, see `multiply_adds`."""
    counted = {}
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if hasattr(layer, "multiply_adds"):  # products without weights, as in attention
            counted[layer.name] = layer.multiply_adds()
        elif kernel is not None:
            open_size = getattr(layer, "open_size", COUNTED_LENGTH)
            positions = math.prod(open_size if size is None else size for size in layer.output.shape[1:-1])
            counted[layer.name] = positions * math.prod(kernel.shape)
    return counted


def parameters(model: Any) -> int:
    """Count the trainable weights."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def departures(model: Any, description: Model) -> list[str]:
    """List the figures in which a network differs from its description, each with both numbers."""
    counted = {"parameters": parameters(model), "multiply-adds": multiply_adds(model)}
    described = {"parameters": description.parameters, "multiply-adds": description.multiply_adds}
    return [f"{count:,} {name}, not {described[name]:,}" for name, count in counted.items() if count != described[name]]
