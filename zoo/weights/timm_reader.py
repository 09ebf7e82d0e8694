"""timm's weights, from a safetensors file into one of zoo's networks: everything fits, or nothing is touched."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.registry import matching
from zoo.weights import timm_names
from zoo.weights_file import floats, misfit, refuse_unsound, unsound, weights

COUNTER = "num_batches_tracked"
"""PyTorch's count of training steps in each batch normalization: no weight, and no network of zoo's has it."""

AVERAGED = "n_averaged"
"""PyTorch's count of the models in an average (`AveragedModel`), the one name there that has no prefix."""

STATISTICS = ("running_mean", "running_var")
"""Tensors that are not trained."""

COLORS = 3
"""The channels that published weights see."""

POSITIONS = "tokens/positions"


@dataclass(frozen=True)
class Reading:
    """What became of a file besides being read: which tensors no network uses, and which were adapted, and how.

    `remarks` are for whoever reads the file now: they say nothing of the network that came of it.
    """

    unused: tuple[str, ...]
    adapted: tuple[str, ...]
    remarks: tuple[str, ...] = ()


# timm's last word of a name to our variable, and the order of PyTorch's axes in Keras' tensor (None: as it is). Where
# its tensor has fewer axes, a dense layer of timm's is a convolution of one pixel here: see `_given`.
_BIAS = {"bias": ("bias", None)}
TENSORS: dict[str, dict[str, tuple[str, tuple[int, ...] | None]]] = {
    "Conv2D": {"weight": ("kernel", (2, 3, 1, 0)), **_BIAS},
    "DepthwiseConv2D": {"weight": ("kernel", (2, 3, 0, 1)), **_BIAS},
    "Dense": {"weight": ("kernel", (1, 0)), **_BIAS},
    "LayerNormalization": {"weight": ("gamma", None), "bias": ("beta", None)},
    "BatchNormalization": {
        "weight": ("gamma", None),
        "bias": ("beta", None),
        "running_mean": ("moving_mean", None),
        "running_var": ("moving_variance", None),
    },
}


@dataclass(frozen=True)
class _Tensor:
    """One tensor of the file, on its way: its name there, the variable, the order of axes, and what adapts it."""

    name: str
    variable: Any
    axes: tuple[int, ...] | None
    adapt: Callable[[np.ndarray], np.ndarray] | None = None
    how: str = ""


def read_timm(path: Path, model: Any, family: str, size: str, *, new_head: bool = False) -> Reading:
    """Give a network the weights of timm's file.

    Weights for 3 channels are adapted to others as timm does it; position embeddings are resampled to the network's
    grid. A prefix that all names share, as wrappers of PyTorch leave them (`module.`, `_orig_mod.`, `model.`), is left
    out.

    Args:
        path: a safetensors file with timm's names.
        model: the network, as `zoo.create` makes it.
        family: its family.
        size: its size.
        new_head: leave the logits' layer as it is, for other classes than the file's.

    Raises:
        ZooError: the file cannot be read, or does not fit; what is missing, left over and of another shape is listed,
            and the family and size that would fit is named where there is one; or numbers in it are not finite, a
            variance is negative, or they are of a type that is not read. The network is then as it was.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ZooError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            every = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            known = any(_target(name, timm_names.TIMM[family, size], {})[0] not in (None, name) for name in every)
            prefix = "" if known else common_prefix(every)
            shapes = {name.removeprefix(prefix): shape for name, shape in every.items() if _last(name) != AVERAGED}
            tensors, unused = _plan(path, shapes, model, family, size, new_head)

            def stored(tensor: _Tensor) -> np.ndarray:
                return floats(file, prefix + tensor.name)

            # All are looked at before one is assigned.
            refuse_unsound(filter(None, (unsound(tensor.name, stored(tensor)) for tensor in tensors)), str(path))
            for tensor in tensors:
                array = stored(tensor)
                array = array if tensor.axes is None else array.transpose(tensor.axes)
                array = tensor.adapt(array) if tensor.adapt else array
                tensor.variable.assign(array.reshape(tensor.variable.shape))
    except (SafetensorError, OSError) as error:
        raise ZooError(f"{path} is no safetensors file that can be read ({error})") from None
    remarks = (f"all names in {path.name} begin with '{prefix}', which is left out",) if prefix else ()
    return Reading(tuple(unused), tuple(tensor.how for tensor in tensors if tensor.adapt), remarks)


def common_prefix(names: Iterable[str]) -> str:
    """The parts, up to a dot, that all names begin with: wrappers put them there, such as `module._orig_mod.`."""
    parts = [name.split(".")[:-1] for name in names if _last(name) != AVERAGED]
    shared = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    return "".join(f"{level[0]}." for level in shared) if len(parts) > 1 else ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _plan(
    path: Path, shapes: dict[str, tuple[int, ...]], model: Any, family: str, size: str, new_head: bool
) -> tuple[list[_Tensor], list[str]]:
    """Which variable each tensor goes to, and which tensors go nowhere; raises ZooError when they do not all fit."""
    variables = weights(model)
    if new_head:
        variables = {key: variable for key, variable in variables.items() if not key.startswith("logits/")}
    kinds = {layer.name: type(layer).__name__ for layer in model.layers}
    stem = next(layer.name for layer in model.layers if layer.weights)
    tensors, taken, unused, left_over, misshapen = [], set(), [], [], []
    for name, shape in shapes.items():
        key, axes = _target(name, timm_names.TIMM[family, size], kinds)
        if key is None or (new_head and key.startswith("logits/")):
            unused.append(name)
            continue
        if key not in variables or key in taken:
            left_over.append(name)
            continue
        taken.add(key)
        wanted = tuple(variables[key].shape)
        axes, given = _given(shape, axes)
        if key == POSITIONS and (between := _grids(shape, model)):
            how = f"position embeddings resampled from {between[0]} to {between[1]} patches"
            tensors.append(_Tensor(name, variables[key], axes, resampling(*between), how))
        elif given == wanted:
            tensors.append(_Tensor(name, variables[key], axes))
        elif key == f"{stem}/kernel" and given == (*wanted[:2], COLORS, *wanted[3:]):
            how = f"weights for {COLORS} channels adapted to {wanted[2]}"
            tensors.append(_Tensor(name, variables[key], axes, recoloring(wanted[2]), how))
        else:
            misshapen.append(f"{name} is {list(given)}, not {list(wanted)}")
    wrong = misfit(sorted(variables.keys() - taken), left_over, misshapen)
    if wrong:
        classes = variables["logits/bias"].shape[0] if "logits/bias" in variables else None
        advice = _advice(shapes, family, size, classes)
        raise ZooError(f"{path} does not fit {family} {size}: {advice} ({wrong})")
    return tensors, unused


def _target(name: str, table: timm_names.Table, kinds: dict[str, str]) -> tuple[str | None, tuple[int, ...] | None]:
    """`layer/variable` for one of timm's names, and the order of its axes.

    None for what is not used; the name itself where no row fits.
    """
    module, _, last = name.rpartition(".")
    if last == COUNTER:
        return None, None
    for whole in (name, module):
        try:
            target = timm_names.ours(whole, table)
        except KeyError:
            continue
        if target is None or "/" in target:
            return target, None
        variable, axes = TENSORS.get(kinds.get(target, ""), {}).get(last, (last, None))
        return f"{target}/{variable}", axes
    return name, None


def _given(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """The order of a tensor's own axes, and the shape of our variable that it would fill."""
    if axes is None or len(axes) < len(shape):
        return None, shape
    own = tuple(axis for axis in axes if axis < len(shape))
    return own, (*(1,) * (len(axes) - len(shape)), *(shape[axis] for axis in own))


def _grids(shape: tuple[int, ...], model: Any) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The grid of the file's patches, a square, and the network's; None when nothing is to be resampled."""
    rows, columns = model.get_layer("patches").output.shape[1:3]
    side = math.isqrt(shape[1] - 1)
    square = side * side == shape[1] - 1
    return ((side, side), (rows, columns)) if square and (side, side) != (rows, columns) else None


def resampling(old: tuple[int, int], new: tuple[int, int]) -> Callable[[np.ndarray], np.ndarray]:
    """From positions [1, 1 + old grid, width] to [1, 1 + new grid, width]; the class token keeps its own."""

    def resample(positions: np.ndarray) -> np.ndarray:
        width = positions.shape[-1]
        grid = positions[0, 1:].astype(np.float64).reshape(*old, width)
        grid = np.einsum("ai,bj,ijc->abc", _cubic(old[0], new[0]), _cubic(old[1], new[1]), grid, optimize=True)
        return np.concatenate([positions[:, :1], grid.reshape(1, -1, width).astype(np.float32)], 1)

    return resample


def _cubic(old: int, new: int) -> np.ndarray:
    """Bicubic resampling with antialiasing along one axis, [new, old], as PyTorch does it: Keys' kernel at -1/2."""
    stretch = max(1.0, old / new)
    center = (np.arange(new)[:, None] + 0.5) * old / new
    x = np.abs(np.arange(old)[None] + 0.5 - center) / stretch
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    taps = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return taps / taps.sum(1, keepdims=True)


def recoloring(channels: int) -> Callable[[np.ndarray], np.ndarray]:
    """From a kernel for RGB to one for other channels, as timm does it: summed to one, or repeated and scaled down."""

    def recolor(kernel: np.ndarray) -> np.ndarray:
        if channels == 1:
            return kernel.sum(2, keepdims=True)
        return np.take(kernel, np.arange(channels) % COLORS, 2) * np.float32(COLORS / channels)

    return recolor


def _advice(shapes: dict[str, tuple[int, ...]], family: str, size: str, classes: int | None) -> str:
    """What to do about a file that does not fit a network of so many classes (None: its head is to be new)."""
    for other, row in matching():
        table = timm_names.TIMM.get((other.name, row.name))
        if table is None:
            continue
        trained = _trained(shapes, table)
        if trained is None or not math.isclose(trained, row.parameters, rel_tol=0.02):
            continue
        if (other.name, row.name) == (family, size):
            found = _classes(shapes, table)
            if classes is not None and found != classes:
                return (
                    f"it has {found} classes, not {classes}: pull it with --classes {found}, and give the run a new "
                    "head with 'zoo train … --weights RUN'"
                )
            return "it is this network at another image size, number of channels or number of classes: ask for those"
        return f"it fits {other.name} {row.name}"
    return "it fits no network that zoo knows"


def _classes(shapes: dict[str, tuple[int, ...]], table: timm_names.Table) -> int | None:
    """The number of classes that the file's logits are for; None when it has none."""
    for name, shape in shapes.items():
        target, _ = _target(name, table, {})
        if target and target.startswith("logits/"):
            return shape[0]
    return None


def _trained(shapes: dict[str, tuple[int, ...]], table: timm_names.Table) -> int | None:
    """The number of weights that are trained, if there were 1000 classes; None when a name is in no row."""
    total = 0
    for name, shape in shapes.items():
        target, _ = _target(name, table, {})
        if target == name:
            return None
        if target is None or name.endswith(STATISTICS):
            continue
        total += math.prod((1000, *shape[1:]) if target.startswith("logits/") else shape)
    return total
