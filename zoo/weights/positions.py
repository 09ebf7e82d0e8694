"""Resample position embeddings to the grid of another image size.

They are variables [1, others + rows · columns, width]: first the positions of tokens without a pixel, such as a class
token, then one for each pixel of the map that their layer takes. Each family's record names its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Grid:
    """The rows and columns of a grid of positions, and the number of other positions before the grid."""

    sides: tuple[int, int]
    others: int


def grid(model: Any, variable: str) -> Grid:
    """Return the grid of a model's position embeddings, `variable`, which are named `layer/variable`."""
    layer_name, _, name = variable.partition("/")
    layer = model.get_layer(layer_name)
    rows, columns = layer.input.shape[1:3]
    (tokens,) = (weight.shape[1] for weight in layer.weights if weight.name == name)
    return Grid((rows, columns), tokens - rows * columns)


def square(positions: int) -> tuple[int, int] | None:
    """Return the sides of a square grid of this number of positions; None if no square grid has it."""
    side = math.isqrt(max(positions, 0))
    return (side, side) if side and side * side == positions else None


def resampling(old: tuple[int, int], new: Grid) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that resamples position embeddings of the sides `old` to a new grid; the others stay."""

    def resample(positions: np.ndarray) -> np.ndarray:
        width = positions.shape[-1]
        values = positions[0, new.others :].astype(np.float64).reshape(*old, width)
        rows, columns = (_cubic(before, after) for before, after in zip(old, new.sides, strict=True))
        values = np.einsum("ai,bj,ijc->abc", rows, columns, values, optimize=True)
        return np.concatenate([positions[:, : new.others], values.reshape(1, -1, width).astype(np.float32)], 1)

    return resample


def _cubic(old: int, new: int) -> np.ndarray:
    """Compute the weights [new, old] of bicubic resampling with antialiasing along one axis.

    As in PyTorch, the kernel is that of Keys at -1/2.
    """
    stretch = max(1.0, old / new)
    center = (np.arange(new)[:, None] + 0.5) * old / new
    x = np.abs(np.arange(old)[None] + 0.5 - center) / stretch
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    taps = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return taps / taps.sum(1, keepdims=True)
