"""Reading weights of keras.applications from Keras' file: all of them fit, or the network stays as it was."""

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
from zoo.registry import matching, resolve
from zoo.weights import keras_file
from zoo.weights.keras_file import StoredLayer
from zoo.weights.names import Names, translated
from zoo.weights.pretrained import NORM, KerasApplication
from zoo.weights.reading import COLORS, Reading, recoloring
from zoo.weights_file import misfit, refuse_unsound, unsound, weights

VARIABLES: dict[str, tuple[str, ...]] = {
    "Conv2D": ("kernel", "bias"),
    "DepthwiseConv2D": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "LayerNormalization": ("gamma", "beta"),
    "Scale": ("gamma",),
}
"""The variables of zoo's layers, in the order in which Keras stores the variables of its layers."""

IDENTITY = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}
"""The variables of a batch normalization that changes nothing (when its epsilon is 0)."""

STATISTICS = 2
"""The number of a batch normalization's arrays that are not trained. They are its last ones."""

# Layers that Keras numbers in the order in which a process makes them.
_NUMBERED = re.compile(r"(conv2d|batch_normalization)(?:_(\d{1,6}))?")


def application(family: str, size: str) -> KerasApplication:
    """Return the network of keras.applications that is the same as a family and size.

    Raises:
        ZooError: there is none.
    """
    _, row = resolve(family, size)
    published = row.weights.get("keras")
    if isinstance(published, KerasApplication):
        return published
    reason = row.differs.get("keras", "it has no such network")
    raise ZooError(f"keras.applications has no weights for {family} {size} ({reason}): take timm's")


def read_keras(path: Path, model: Any, family: str, size: str) -> Reading:
    """Give a network the weights of the same network in keras.applications.

    The weights are for images as `application(family, size).input` states. Weights for 3 channels are adapted to other
    numbers of channels as timm does it. No configuration is read and no object is made of one, as in Keras' safe mode.

    Args:
        path: a `.weights.h5` or `.keras` file, which Keras 3 saved of the network with its top.
        model: the network, as `zoo.create` makes it.
        family: the family of the network.
        size: the size of the network.

    Raises:
        ZooError: keras.applications has no such network, or it is another one at this image size; the file cannot be
            read; it does not fit (the message lists everything that is missing, left over or of another shape, and
            names the family and size that would fit); numbers in it are not finite, or a variance is negative. The
            network then keeps its weights.
    """
    published = application(family, size)
    if published.pads_one_side:
        _check_odd(model, published.model)
    with keras_file.opened(path, published.resaving(path)) as layers:
        plan = _plan(path, layers, model, family, size)
        # Every array is checked before the first one is assigned.
        problems = (unsound(key, _float32(array)) for key, array in plan.arrays.items())
        refuse_unsound(filter(None, problems), str(path))
        for key, array in plan.arrays.items():
            plan.variables[key].assign(_adapted(key, array, plan, published))
    return plan.reading


@dataclass(frozen=True)
class _Plan:
    """The array (of h5py or numpy) for each variable, and the facts that are needed to adapt it."""

    variables: dict[str, Any]
    arrays: dict[str, Any]
    first_kernel: str
    epsilons: dict[str, float]
    reading: Reading


def _check_odd(model: Any, network: str) -> None:
    """Raise ZooError when a map of even side is halved: padding one side gives another result than padding both."""
    halved = [layer.input.shape[1:3] for layer in model.layers if type(layer).__name__ == "ZeroPadding2D"]
    if any(side % 2 == 0 for sides in halved for side in sides):
        height, width = model.input_shape[1:3]
        raise ZooError(
            f"at {height}×{width} pixels keras.applications.{network} differs from zoo's network (with stride 2, it "
            "pads on one side, zoo on both): ask for 225 pixels, where they are the same, or take timm's weights"
        )


def _plan(path: Path, layers: list[StoredLayer], model: Any, family: str, size: str) -> _Plan:
    """Find each array's variable; raise ZooError when they do not all fit."""
    published, variables = application(family, size), weights(model)
    layer_classes = {layer.name: type(layer).__name__ for layer in model.layers}
    epsilons = {
        layer.name: layer.epsilon for layer in model.layers if layer_classes[layer.name] == "BatchNormalization"
    }
    stem = next(layer.name for layer in model.layers if layer.weights)
    plan = _Plan(variables, {}, f"{stem}/kernel", epsilons, Reading((), ()))
    for norm, variable in itertools.product(epsilons, published.norm_lacks):
        shape = variables[f"{norm}/{variable}"].shape
        plan.arrays[f"{norm}/{variable}"] = np.full(shape, IDENTITY[variable], np.float32)
    unused, left_over, misshapen = [], [], []
    for name, key, array in _named_arrays(layers, published, layer_classes):
        if key is None:
            unused.append(name)
        elif key not in variables or key in plan.arrays:
            left_over.append(name)
        else:
            plan.arrays[key] = array
            variable_shape = tuple(variables[key].shape)
            layer_class = layer_classes[key.partition("/")[0]]
            if array.shape not in _stored_shapes(layer_class, variable_shape, key == plan.first_kernel):
                misshapen.append(f"{name} is {list(array.shape)}, not {list(variable_shape)}")
            elif array.dtype.kind != "f":
                misshapen.append(f"{name} is of {array.dtype}")
    wrong = misfit(sorted(variables.keys() - plan.arrays.keys()), left_over, misshapen)
    if wrong:
        raise ZooError(f"{path} does not fit {family} {size}: {_advice(layers, family, size)} ({wrong})")
    return dataclasses.replace(plan, reading=Reading(tuple(unused), tuple(_changes(plan, published))))


def _targets(layers: list[StoredLayer], names: Names) -> Iterator[tuple[StoredLayer, str | None]]:
    """Pair each layer with zoo's layer: None where zoo uses none, "" where no row fits."""
    numbers: dict[str, list[int]] = {}
    for layer in layers:
        if numbered := _NUMBERED.fullmatch(layer.name):
            numbers.setdefault(numbered[1], []).append(int(numbered[2] or 0))
    for layer in layers:
        name = layer.name
        if numbered := _NUMBERED.fullmatch(name):
            name = f"{numbered[1]}_{int(numbered[2] or 0) - min(numbers[numbered[1]])}"
        try:
            yield layer, None if layer.kind == "seed_generator" else translated(name, names)
        except KeyError:
            yield layer, ""


def _named_arrays(
    layers: list[StoredLayer], published: KerasApplication, layer_classes: dict[str, str]
) -> Iterator[tuple[str, str | None, Any]]:
    """Yield the name of each array for messages, zoo's variable for it (None if zoo does not use it), and the array."""
    variables = {**VARIABLES, "BatchNormalization": tuple(name for name in NORM if name not in published.norm_lacks)}
    for layer, zoo_layer in _targets(layers, published.names):
        for number, array in enumerate(layer.arrays):
            last = dict(enumerate(variables.get(layer_classes.get(zoo_layer or "", ""), ()))).get(number, str(number))
            yield f"{layer.name}/{last}", zoo_layer and f"{zoo_layer}/{last}", array


def _stored_shapes(layer_class: str, shape: tuple[int, ...], is_first_kernel: bool) -> tuple[tuple[int, ...], ...]:
    """Return the shapes in which Keras may store an array of this shape in zoo, with its numbers in the same order."""
    if is_first_kernel:
        return ((*shape[:2], COLORS, *shape[3:]),)
    if layer_class == "Conv2D" and len(shape) == 4:  # zoo's form of a dense layer over a map
        return shape, (math.prod(shape[:-1]), shape[-1])
    if layer_class == "DepthwiseConv2D" and len(shape) == 4:  # in Keras, with as many groups as channels
        return shape, (*shape[:2], 1, shape[2])
    if layer_class == "Dense" and len(shape) == 2:  # in Keras, a convolution of one pixel
        return shape, (1, 1, *shape)
    return (shape,)


def _adapted(key: str, array: Any, plan: _Plan, published: KerasApplication) -> np.ndarray:
    """Convert an array to float32, and to the shape and meaning of the variable in zoo."""
    values = _float32(array)
    layer, _, variable = key.partition("/")
    if key == plan.first_kernel:
        values = values[:, :, ::-1] if published.bgr else values
        channels = plan.variables[key].shape[2]
        return values if channels == COLORS else recoloring(channels)(values)
    if variable == "moving_variance":
        values = values + np.float32(published.epsilon - plan.epsilons[layer])
    return values.reshape(plan.variables[key].shape)


def _float32(array: Any) -> np.ndarray:
    with np.errstate(over="ignore"):  # what becomes infinite is found by `unsound`
        return np.asarray(array, np.float32)


def _changes(plan: _Plan, published: KerasApplication) -> Iterator[str]:
    """Say which numbers will differ from those in the file."""
    channels = plan.variables[plan.first_kernel].shape[2]
    if channels != COLORS:
        yield f"weights for {COLORS} channels adapted to {channels}"
    if published.bgr:
        yield "first kernel's channels put in the order red, green, blue"
    if published.lacks_norms:
        yield f"batch normalizations, of which {published.model} has none, made the identity"
    elif published.norm_lacks:
        yield (
            f"{' and '.join(published.norm_lacks)} of batch normalizations, "
            f"which {published.model} does not have, made 1"
        )
    elif any(epsilon != published.epsilon for epsilon in plan.epsilons.values()):
        yield f"variances moved, as epsilon is {published.epsilon:g} in {published.model}"


def _advice(layers: list[StoredLayer], family: str, size: str) -> str:
    """Say what to do about a file that does not fit."""
    for other_family, row in matching():
        published = row.weights.get("keras")
        trained_count = _trained_count(layers, published.names) if published else None
        if trained_count is None or not math.isclose(trained_count, row.parameters, rel_tol=0.02):
            continue
        if (other_family.name, row.name) == (family, size):
            return "it is this network at another image size, number of channels or number of classes: ask for those"
        return f"it fits {other_family.name} {row.name}"
    return "it fits no network that zoo knows"


def _trained_count(layers: list[StoredLayer], names: Names) -> int | None:
    """Count the weights that are trained, as if there were 1000 classes; None when a name is in no row."""
    total = 0
    for layer, zoo_layer in _targets(layers, names):
        if zoo_layer is None:
            continue
        if not zoo_layer:
            return None
        arrays = layer.arrays[:-STATISTICS] if layer.kind == "batch_normalization" else layer.arrays
        shapes = [array.shape for array in arrays]
        total += sum(math.prod((*shape[:-1], 1000) if zoo_layer == "logits" else shape) for shape in shapes)
    return total
