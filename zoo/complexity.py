"""Parameters and multiply-adds of a network, counted on its Keras graph."""

from __future__ import annotations

import math
from typing import Any

from zoo.description import Model


def multiply_adds(model: Any) -> int:
    """The multiply-adds of convolutions and matrix products for one image, as the papers count them.

    Each output value of a layer costs one multiply-add per weight that it sees; norms, activations and pools cost none.
    """
    total = 0
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if hasattr(layer, "multiply_adds"):  # products without weights, as in attention
            total += layer.multiply_adds()
        elif kernel is not None:
            positions = math.prod(layer.output.shape[1:-1])
            total += positions * math.prod(kernel.shape)
    return total


def parameters(model: Any) -> int:
    """The number of trainable weights."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def departures(model: Any, description: Model) -> list[str]:
    """The figures of a network that are not those of its description, each with both numbers; none where it fits."""
    counted = {"parameters": parameters(model), "multiply-adds": multiply_adds(model)}
    described = {"parameters": description.parameters, "multiply-adds": description.multiply_adds}
    return [f"{count:,} {what}, not {described[what]:,}" for what, count in counted.items() if count != described[what]]
