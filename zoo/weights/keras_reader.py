"""Weights of keras.applications, from Keras' file into a network of zoo: everything fits, or nothing is touched."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.registry import matching
from zoo.weights import keras_file, timm_names
from zoo.weights.keras_file import Stored
from zoo.weights.keras_names import ANOTHER, NORM, PEERS, Peer
from zoo.weights.timm_reader import COLORS, Reading, recoloring
from zoo.weights_file import misfit, refuse_unsound, unsound, weights

VARIABLES: dict[str, tuple[str, ...]] = {
    "Conv2D": ("kernel", "bias"),
    "DepthwiseConv2D": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "LayerNormalization": ("gamma", "beta"),
    "Scale": ("gamma",),
}
"""The variables of zoo's layers, in the order in which Keras stores those of its own."""

IDENTITY = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}
"""A batch normalization that changes nothing (when its epsilon is 0)."""

STATISTICS = 2
"""The last arrays of a batch normalization, which are not trained."""

# Layers that Keras numbers in the order in which a process makes them.
_NUMBERED = re.compile(r"(conv2d|batch_normalization)(?:_(\d{1,6}))?")


def peer(family: str, size: str) -> Peer:
    """The network of keras.applications that a family and size is, and what belongs to its weights.

    Raises:
        ZooError: there is none.
    """
    if (family, size) in PEERS:
        return PEERS[family, size]
    why = ANOTHER.get((family, size), "it has no such network")
    raise ZooError(f"keras.applications has no weights for {family} {size} ({why}): take timm's")


def read_keras(path: Path, model: Any, family: str, size: str, *, new_head: bool = False) -> Reading:
    """Give a network the weights of the same network in keras.applications.

    They belong to `peer(family, size).input`. Weights for 3 channels are adapted to others as timm does it.
    No configuration is read, no object made of one (what Keras' safe mode is about).

    Args:
        path: a `.weights.h5` or `.keras` file, saved by Keras 3 with its top.
        model: the network, as `zoo.create` makes it.
        family: its family.
        size: its size.
        new_head: leave the logits' layer as it is, for other classes than the file's.

    Raises:
        ZooError: keras.applications has no such network, or at this size of image it is another one; the file cannot
            be read, or does not fit: what is missing, left over and of another shape is listed, and the family and size
            that would fit is named where there is one; or numbers in it are not finite, or a variance is negative. The
            network is then as it was.
    """
    known = peer(family, size)
    if known.pads_one_side:
        _check_odd(model, known.network)
    with keras_file.opened(path, known.rewriting(path)) as layers:
        plan = _plan(path, layers, model, family, size, new_head)
        # All are looked at before one is assigned.
        problems = (unsound(key, _float32(array)) for key, array in plan.arrays.items())
        refuse_unsound(filter(None, problems), str(path))
        for key, array in plan.arrays.items():
            plan.variables[key].assign(_adapted(key, array, plan, known))
    return plan.reading


@dataclass(frozen=True)
class _Plan:
    """Which array (of h5py, or numpy) each variable is given, what of that is special, and what becomes of the rest."""

    variables: dict[str, Any]
    arrays: dict[str, Any]
    first_kernel: str
    epsilons: dict[str, float]
    reading: Reading


def _check_odd(model: Any, network: str) -> None:
    """Raise ZooError when a map of even side is halved: padded at one side it is another map than padded at both."""
    halved = [layer.input.shape[1:3] for layer in model.layers if type(layer).__name__ == "ZeroPadding2D"]
    if any(side % 2 == 0 for sides in halved for side in sides):
        height, width = model.input_shape[1:3]
        raise ZooError(
            f"at {height}×{width} pixels keras.applications.{network} is another network than zoo's (it pads at one "
            "side where it halves, zoo at both): ask for 225 pixels, where they are the same, or take timm's weights"
        )


def _plan(path: Path, layers: list[Stored], model: Any, family: str, size: str, new_head: bool) -> _Plan:
    """Where each array goes; raises ZooError when they do not all fit."""
    known = PEERS[family, size]
    variables = {k: v for k, v in weights(model).items() if not (new_head and k.startswith("logits/"))}
    kinds = {layer.name: type(layer).__name__ for layer in model.layers}
    epsilons = {layer.name: layer.epsilon for layer in model.layers if kinds[layer.name] == "BatchNormalization"}
    stem = next(layer.name for layer in model.layers if layer.weights)
    plan = _Plan(variables, {}, f"{stem}/kernel", epsilons, Reading((), ()))
    for norm, variable in itertools.product(epsilons, known.norm_lacks):
        shape = variables[f"{norm}/{variable}"].shape
        plan.arrays[f"{norm}/{variable}"] = np.full(shape, IDENTITY[variable], np.float32)
    unused, left_over, misshapen = [], [], []
    for name, key, array in _named(layers, known, kinds):
        if key is None or (new_head and key.startswith("logits/")):
            unused.append(name)
        elif key not in variables or key in plan.arrays:
            left_over.append(name)
        else:
            plan.arrays[key] = array
            wanted = tuple(variables[key].shape)
            if array.shape not in _forms(kinds[key.partition("/")[0]], wanted, key == plan.first_kernel):
                misshapen.append(f"{name} is {list(array.shape)}, not {list(wanted)}")
            elif array.dtype.kind != "f":
                misshapen.append(f"{name} is of {array.dtype}")
    wrong = misfit(sorted(variables.keys() - plan.arrays.keys()), left_over, misshapen)
    if wrong:
        raise ZooError(f"{path} does not fit {family} {size}: {_advice(layers, family, size)} ({wrong})")
    return dataclasses.replace(plan, reading=Reading(tuple(unused), tuple(_changes(plan, known))))


def _targets(layers: list[Stored], table: timm_names.Table) -> Iterator[tuple[Stored, str | None]]:
    """Each layer, and zoo's of it: None where zoo uses none, "" where no row fits."""
    numbers: dict[str, list[int]] = {}
    for layer in layers:
        if numbered := _NUMBERED.fullmatch(layer.name):
            numbers.setdefault(numbered[1], []).append(int(numbered[2] or 0))
    for layer in layers:
        name = layer.name
        if numbered := _NUMBERED.fullmatch(name):
            name = f"{numbered[1]}_{int(numbered[2] or 0) - min(numbers[numbered[1]])}"
        try:
            yield layer, None if layer.kind == "seed_generator" else timm_names.ours(name, table)
        except KeyError:
            yield layer, ""


def _named(layers: list[Stored], known: Peer, kinds: dict[str, str]) -> Iterator[tuple[str, str | None, Any]]:
    """Each array: its name for people, zoo's variable (None where zoo uses none), the array."""
    variables = {**VARIABLES, "BatchNormalization": tuple(name for name in NORM if name not in known.norm_lacks)}
    for layer, ours in _targets(layers, known.table):
        for number, array in enumerate(layer.arrays):
            last = dict(enumerate(variables.get(kinds.get(ours or "", ""), ()))).get(number, str(number))
            yield f"{layer.name}/{last}", ours and f"{ours}/{last}", array


def _forms(kind: str, wanted: tuple[int, ...], first: bool) -> tuple[tuple[int, ...], ...]:
    """The shapes in which Keras may keep an array of zoo's: the same numbers in the same order."""
    if first:
        return ((*wanted[:2], COLORS, *wanted[3:]),)
    if kind == "Conv2D" and len(wanted) == 4:  # zoo's form of a dense layer over a map
        return wanted, (math.prod(wanted[:-1]), wanted[-1])
    if kind == "DepthwiseConv2D" and len(wanted) == 4:  # there with as many groups as channels
        return wanted, (*wanted[:2], 1, wanted[2])
    if kind == "Dense" and len(wanted) == 2:  # there a convolution of one pixel
        return wanted, (1, 1, *wanted)
    return (wanted,)


def _adapted(key: str, array: Any, plan: _Plan, known: Peer) -> np.ndarray:
    """float32, in zoo's shape, of zoo's meaning."""
    values = _float32(array)
    layer, _, variable = key.partition("/")
    if key == plan.first_kernel:
        values = values[:, :, ::-1] if known.bgr else values
        channels = plan.variables[key].shape[2]
        return values if channels == COLORS else recoloring(channels)(values)
    if variable == "moving_variance":
        values = values + np.float32(known.epsilon - plan.epsilons[layer])
    return values.reshape(plan.variables[key].shape)


def _float32(array: Any) -> np.ndarray:
    with np.errstate(over="ignore"):  # what becomes infinite is found by `unsound`
        return np.asarray(array, np.float32)


def _changes(plan: _Plan, known: Peer) -> Iterator[str]:
    """What is not as it is in the file, for people."""
    channels = plan.variables[plan.first_kernel].shape[2]
    if channels != COLORS:
        yield f"weights for {COLORS} channels adapted to {channels}"
    if known.bgr:
        yield "first kernel's channels put in the order red, green, blue"
    if known.norm_lacks == NORM:
        yield f"batch normalizations, of which {known.network} has none, made the identity"
    elif known.norm_lacks:
        yield f"{' and '.join(known.norm_lacks)} of batch normalizations, which {known.network} does not have, made 1"
    elif any(epsilon != known.epsilon for epsilon in plan.epsilons.values()):
        yield f"variances moved, as epsilon is {known.epsilon:g} in {known.network}"


def _advice(layers: list[Stored], family: str, size: str) -> str:
    """What to do about a file that does not fit."""
    for other, row in matching():
        known = PEERS.get((other.name, row.name))
        trained = _trained(layers, known.table) if known else None
        if trained is None or not math.isclose(trained, row.parameters, rel_tol=0.02):
            continue
        if (other.name, row.name) == (family, size):
            return "it is this network at another image size, number of channels or number of classes: ask for those"
        return f"it fits {other.name} {row.name}"
    return "it fits no network that zoo knows"


def _trained(layers: list[Stored], table: timm_names.Table) -> int | None:
    """The number of weights that are trained, if there were 1000 classes; None when a name is in no row."""
    total = 0
    for layer, ours in _targets(layers, table):
        if ours is None:
            continue
        if not ours:
            return None
        arrays = layer.arrays[:-STATISTICS] if layer.kind == "batch_normalization" else layer.arrays
        shapes = [array.shape for array in arrays]
        total += sum(math.prod((*shape[:-1], 1000) if ours == "logits" else shape) for shape in shapes)
    return total
