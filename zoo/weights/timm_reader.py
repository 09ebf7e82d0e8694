"""Reading timm's weights from a safetensors file into a network: all of them fit, or the network stays as it was."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.registry import matching, resolve
from zoo.weights import positions
from zoo.weights.names import Names, translated
from zoo.weights.pytorch_layout import variable_of
from zoo.weights.reading import COLORS, Reading, recoloring, unwrapped
from zoo.weights_file import floats, misfit, refuse_unsound, unsound, weights

COUNTER = "num_batches_tracked"
"""PyTorch's count of training steps in each batch normalization. It is not a weight, and zoo's networks lack it."""

STATISTICS = ("running_mean", "running_var")
"""The tensors that are not trained."""


@dataclass(frozen=True)
class _Tensor:
    """A tensor of the file and its variable, with the order of axes, and the function that adapts it, if any."""

    name: str
    variable: Any
    axes: tuple[int, ...] | None
    adapt: Callable[[np.ndarray], np.ndarray] | None = None
    adaptation: str = ""


def read_timm(path: Path, model: Any, family: str, size: str) -> Reading:
    """Give a network the weights of timm's file.

    Weights for 3 channels are adapted to others as timm does it; position embeddings are resampled to the network's
    grid. A prefix that all names share, as wrappers of PyTorch leave them (`module.`, `_orig_mod.`, `model.`), is left
    out.

    Args:
        path: a safetensors file with timm's names.
        model: the network, as `zoo.create` makes it.
        family: the family of the network.
        size: the size of the network.

    Raises:
        ZooError: the file cannot be read; tensors in it are of a type that is not read; it does not fit (the message
            lists everything that is missing, left over or of another shape, and names the family and size that would
            fit); numbers in it are not finite, or a variance is negative. The network then keeps its weights.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ZooError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            names = _names(family, size)
            stripped = unwrapped(file.keys(), lambda name: _target(name, names, {})[0] not in (None, name))
            shapes = {name: tuple(file.get_slice(stripped.prefix + name).get_shape()) for name in stripped.names}
            tensors, unused = _plan(path, shapes, model, family, size)

            def stored(tensor: _Tensor) -> np.ndarray:
                return floats(file, stripped.prefix + tensor.name)

            # Every tensor is checked before the first one is assigned.
            refuse_unsound(filter(None, (unsound(tensor.name, stored(tensor)) for tensor in tensors)), str(path))
            for tensor in tensors:
                array = stored(tensor)
                array = array if tensor.axes is None else array.transpose(tensor.axes)
                array = tensor.adapt(array) if tensor.adapt else array
                tensor.variable.assign(array.reshape(tensor.variable.shape))
    except (SafetensorError, OSError) as error:
        raise ZooError(f"{path} cannot be read as a safetensors file ({error}): fetch it again") from None
    adaptations = tuple(tensor.adaptation for tensor in tensors if tensor.adapt)
    return Reading(tuple(unused), adaptations, stripped.remarks(path))


def _names(family: str, size: str) -> Names:
    return resolve(family, size)[1].weights["timm"].names


def _plan(
    path: Path, shapes: dict[str, tuple[int, ...]], model: Any, family: str, size: str
) -> tuple[list[_Tensor], list[str]]:
    """Find each tensor's variable, and the tensors that have none; raise ZooError when they do not all fit."""
    variables, names, resampled = weights(model), _names(family, size), resolve(family, size)[0].resampled
    layer_classes = {layer.name: type(layer).__name__ for layer in model.layers}
    stem = next(layer.name for layer in model.layers if layer.weights)
    tensors, assigned, unused, left_over, misshapen = [], set(), [], [], []
    for name, shape in shapes.items():
        key, axes = _target(name, names, layer_classes)
        if key is None:
            unused.append(name)
            continue
        if key not in variables or key in assigned:
            left_over.append(name)
            continue
        assigned.add(key)
        variable_shape = tuple(variables[key].shape)
        axes, tensor_shape = _axes_and_shape(shape, axes)
        grid = positions.grid(model, key) if key in resampled and len(shape) == 3 else None
        old_sides = grid and positions.square(shape[1] - grid.others)
        if (
            grid
            and old_sides
            and old_sides != grid.sides
            and (shape[0], shape[2]) == (variable_shape[0], variable_shape[2])
        ):
            adaptation = f"position embeddings resampled from {old_sides} to {grid.sides} patches"
            tensors.append(_Tensor(name, variables[key], axes, positions.resampling(old_sides, grid), adaptation))
        elif tensor_shape == variable_shape:
            tensors.append(_Tensor(name, variables[key], axes))
        elif key == f"{stem}/kernel" and tensor_shape == (*variable_shape[:2], COLORS, *variable_shape[3:]):
            adaptation = f"weights for {COLORS} channels adapted to {variable_shape[2]}"
            tensors.append(_Tensor(name, variables[key], axes, recoloring(variable_shape[2]), adaptation))
        else:
            misshapen.append(f"{name} is {list(tensor_shape)}, not {list(variable_shape)}")
    wrong = misfit(sorted(variables.keys() - assigned), left_over, misshapen)
    if wrong:
        advice = _advice(shapes, family, size, classes=variables["logits/bias"].shape[0])
        raise ZooError(f"{path} does not fit {family} {size}: {advice} ({wrong})")
    return tensors, unused


def _target(name: str, names: Names, layer_classes: dict[str, str]) -> tuple[str | None, tuple[int, ...] | None]:
    """Return `layer/variable` for one of timm's names, and the order of its axes.

    It is None for a tensor that is not used, and the name itself where no row fits.
    """
    module, _, last = name.rpartition(".")
    if last == COUNTER:
        return None, None
    for whole in (name, module):
        try:
            target = translated(whole, names)
        except KeyError:
            continue
        if target is None or "/" in target:
            return target, None
        variable, axes = variable_of(layer_classes.get(target, ""), last)
        return f"{target}/{variable}", axes
    return name, None


def _axes_and_shape(
    shape: tuple[int, ...], axes: tuple[int, ...] | None
) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """Return the order of a tensor's own axes, and the shape of the variable that it would fill."""
    if axes is None or len(axes) < len(shape):
        return None, shape
    own_axes = tuple(axis for axis in axes if axis < len(shape))
    return own_axes, (*(1,) * (len(axes) - len(shape)), *(shape[axis] for axis in own_axes))


def _advice(shapes: dict[str, tuple[int, ...]], family: str, size: str, classes: int) -> str:
    """Say what to do about a file that does not fit a network with `classes` classes."""
    for other_family, row in matching():
        if "timm" not in row.weights:
            continue
        names = row.weights["timm"].names
        trained_count = _trained_count(shapes, names)
        if trained_count is None or not math.isclose(trained_count, row.parameters, rel_tol=0.02):
            continue
        if (other_family.name, row.name) != (family, size):
            return f"it fits {other_family.name} {row.name}"
        class_count = _class_count(shapes, names)
        if class_count is None:
            return "it has no head for classes, and zoo reads only files with one"
        if class_count != classes:
            return (
                f"it has {class_count} classes, not {classes}: pull it with --classes {class_count}, and give the run "
                "a new head with 'zoo train … --weights RUN'"
            )
        return "it is this network at another image size or number of channels: ask for those"
    return "it fits no network that zoo knows"


def _class_count(shapes: dict[str, tuple[int, ...]], names: Names) -> int | None:
    """Return the number of classes that the file's logits are for; None when it has none."""
    for name, shape in shapes.items():
        target, _ = _target(name, names, {})
        if target and target.startswith("logits/"):
            return shape[0]
    return None


def _trained_count(shapes: dict[str, tuple[int, ...]], names: Names) -> int | None:
    """Count the weights that are trained, as if there were 1000 classes; None when a name is in no row."""
    total = 0
    for name, shape in shapes.items():
        target, _ = _target(name, names, {})
        if target == name:
            return None
        if target is None or name.endswith(STATISTICS):
            continue
        total += math.prod((1000, *shape[1:]) if target.startswith("logits/") else shape)
    return total
