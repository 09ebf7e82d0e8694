"""The builder of the Inception networks, from the table of parts of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras

from zoo import blocks, layers
from zoo.dropout import Dropout
from zoo.layers import Outputs, Padding, Tensor
from zoo.models.inception.parts import Branches, Residual, Stage, Step
from zoo.structure import Structure, strides

EPSILON = 1e-3


def build(
    image: Tensor,
    classes: int,
    structure: Structure,
    *,
    stages: tuple[Stage, ...],
    dropout: float,
    average_counts_edges: bool = False,
) -> Outputs:
    """Build the stages, an average and the logits.

    With `average_counts_edges`, averages count the pixels beyond an edge as 0; otherwise they leave them out.
    """
    halvings = strides(structure, len(stages))
    # A network that has lost a halving would have no pixels left if its windows stayed inside the map.
    edges: Padding = "none" if min(halvings) == 2 else "half"
    x, stride, maps = image, 1, {}
    for (stage, parts), halving in zip(stages, halvings, strict=True):
        settings = _StageSettings(halving, edges, average_counts_edges)
        for name, part in parts.items():
            if isinstance(part, Residual):
                x = _residual(x, part, settings, name=name)
            elif isinstance(part, Mapping):
                x = _branches(x, part, settings, name=name)
            else:
                x = _step(x, part, settings, name=name)
        stride *= halving
        maps[stage] = layers.FeatureMap(x, stride)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = Dropout(dropout, name="dropout")(x)
    return Outputs(layers.logits(x, classes), maps)


@dataclass(frozen=True)
class _StageSettings:
    """The settings of a stage that its table leaves open.

    They are the stride where the table says 2, the padding of windows that stay inside the map, and whether averages
    count the pixels beyond an edge.
    """

    halving: int
    edges: Padding
    average_counts_edges: bool


def _step(x: Tensor, step: Step, settings: _StageSettings, *, name: str) -> Tensor:
    if step == "max":
        edges = "valid" if settings.edges == "none" else "same"
        return keras.layers.MaxPooling2D(3, strides=settings.halving, padding=edges, name=name)(x)
    if step == "average":
        edges = "same"
        if settings.average_counts_edges:
            x, edges = keras.layers.ZeroPadding2D(1, name=f"{name}_pad")(x), "valid"
        return keras.layers.AveragePooling2D(3, strides=1, padding=edges, name=name)(x)
    if isinstance(step, tuple):
        outputs = [_step(x, side, settings, name=f"{name}{letter}") for side, letter in zip(step, "ab", strict=True)]
        return keras.layers.Concatenate(name=name)(outputs)
    return blocks.convolution_norm_relu(
        x,
        step.filters,
        step.kernel,
        stride=settings.halving if step.stride == 2 else 1,
        padding=settings.edges if step.stride == 2 or step.inside else "half",
        epsilon=EPSILON,
        name=name,
    )


def _branches(x: Tensor, branches: Branches, settings: _StageSettings, *, name: str) -> Tensor:
    outputs = []
    for branch, steps in branches.items():
        y = x
        for number, step in enumerate(steps, start=1):
            y = _step(y, step, settings, name=f"{name}_{branch}_{number}")
        outputs.append(y)
    return keras.layers.Concatenate(name=name)(outputs)


def _residual(x: Tensor, part: Residual, settings: _StageSettings, *, name: str) -> Tensor:
    y = _branches(x, part.branches, settings, name=name)
    y = layers.convolution(y, x.shape[-1], 1, bias=True, name=f"{name}_join")
    if part.scale != 1:
        y = keras.layers.Rescaling(part.scale, name=f"{name}_scale")(y)
    x = blocks.residual(x, y, name=name)
    return layers.activation(x, "relu", name=f"{name}_relu") if part.relu else x
