"""The map of a network's channels: the positions in weights that belong to each.

A channel here is everything that must be removed at once, as in Fang et al. 2023, arXiv:2301.12900 (DepGraph): the
position of one value in the layer that makes it, in every layer that passes it on, and in every layer that reads it. A
residual addition joins two channels into one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo import layers
from zoo.errors import ZooError

PASSING = (
    keras.layers.Activation,
    keras.layers.AveragePooling2D,
    keras.layers.BatchNormalization,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dropout,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.MaxPooling2D,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.ZeroPadding2D,
    layers.AdaptiveAverage,
    layers.Gelu,
    layers.LayerNormalization,
    layers.Scale,
)
"""The layers that pass channels on: each value is computed from values of its own channel alone, or by a norm over all
channels."""

MAKING = (keras.layers.Conv2D, keras.layers.Dense)
"""The layers that read channels and make others."""

JOINING = (keras.layers.Add, keras.layers.Multiply)
"""The layers that join channels at the same position into one."""

ACROSS = ("softmax", "log_softmax", "sparsemax")
"""The activations that compute each channel from all channels."""


@dataclass(frozen=True)
class ChannelMap:
    """The channels of a network, numbered from 0.

    Attributes:
        places: by `layer/variable` and axis, the channel of each position along that axis of a weight, int64 [size].
        made: by the name of a layer that `zoo.layers.widths` can change, the channels that it makes, int64 [width].
        groups: the channels that can be removed, int64 [channels] each. Those of a group are made by the same layers.
        count: the number of channels, with those that cannot be removed: of the input and of the answer.
    """

    places: Mapping[str, Mapping[int, np.ndarray]]
    made: Mapping[str, np.ndarray]
    groups: tuple[np.ndarray, ...]
    count: int

    def widths(self, kept: np.ndarray) -> dict[str, int]:
        """Return the widths of all layers that lose channels, for a bool [count] of those that stay."""
        remaining = {layer: int(kept[channels].sum()) for layer, channels in self.made.items()}
        return {layer: width for layer, width in remaining.items() if width != len(self.made[layer])}


def channel_map(network: Any) -> ChannelMap:
    """Map the channels of a functional model.

    A layer may be of any kind if no channel of its inputs can be removed, as in the inputs of the network.

    Raises:
        ZooError: channels cannot be followed through a layer.
    """
    return _Walk().through(network)


class _Walk:
    """A walk through a graph from its inputs, with the channels of each tensor by its identity."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.fixed: set[int] = set()
        self.tensors: dict[int, np.ndarray] = {}
        self.places: dict[str, dict[int, np.ndarray]] = {}
        self.made: dict[str, np.ndarray] = {}

    def through(self, network: Any) -> ChannelMap:
        for operation in network.operations:
            outputs = _as_list(operation.output)
            if isinstance(operation, keras.layers.InputLayer):
                self._fix(outputs)
                continue
            inputs = [self.tensors[id(tensor)] for tensor in _as_list(operation.input)]
            follow = _rule(operation)
            if follow and all(map(len, inputs)):
                self.tensors[id(outputs[0])] = follow(self, operation, inputs)
            elif all(self._is_fixed(channels) for channels in inputs):
                self._fix(outputs)
            else:
                raise ZooError(
                    f"the channels of {network.name} cannot be followed through its layer {operation.name} "
                    f"({type(operation).__name__}): name a network of convolutions and dense layers"
                )
        for output in network.outputs:
            self.fixed.update(self.tensors[id(output)].tolist())
        return self._mapped()

    def _mapped(self) -> ChannelMap:
        """Renumber the channels, with one number for joined ones, and group them by the layers that make them."""
        roots = np.array([self.root(number) for number in range(len(self.parents))], np.int64)
        kept, number = np.unique(roots, return_inverse=True)
        makers: defaultdict[int, list[str]] = defaultdict(list)
        channels_of_layers = {layer: number[channels] for layer, channels in self.made.items()}
        for layer, channels in channels_of_layers.items():
            for channel in channels.tolist():
                makers[channel].append(layer)
        fixed = {int(number[channel]) for channel in self.fixed}
        groups: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for channel, names in makers.items():
            if channel not in fixed:
                groups[tuple(names)].append(channel)
        places = {name: {axis: number[ids] for axis, ids in axes.items()} for name, axes in self.places.items()}
        return ChannelMap(
            places, channels_of_layers, tuple(np.array(group, np.int64) for group in groups.values()), len(kept)
        )

    def new(self, count: int) -> np.ndarray:
        start = len(self.parents)
        self.parents.extend(range(start, start + count))
        return np.arange(start, start + count)

    def root(self, number: int) -> int:
        while self.parents[number] != number:
            self.parents[number] = self.parents[self.parents[number]]
            number = self.parents[number]
        return number

    def join(self, channels: np.ndarray, other_channels: np.ndarray) -> None:
        for first, second in zip(channels.tolist(), other_channels.tolist(), strict=True):
            first, second = sorted((self.root(first), self.root(second)))
            self.parents[second] = first

    def _fix(self, outputs: list[Any]) -> None:
        """Give tensors channels of their own that cannot be removed; none where the last axis is of open size."""
        for output in outputs:
            size = output.shape[-1] if len(output.shape) > 1 else None
            self.tensors[id(output)] = self.new(size or 0)
            self.fixed.update(self.tensors[id(output)].tolist())

    def _is_fixed(self, channels: np.ndarray) -> bool:
        fixed = {self.root(channel) for channel in self.fixed}
        return all(self.root(channel) in fixed for channel in channels.tolist())


Follow = Callable[[_Walk, Any, list[np.ndarray]], np.ndarray]


def _rule(operation: Any) -> Follow | None:
    """Return how to follow channels through an operation; None where that is not known."""
    if getattr(getattr(operation, "activation", None), "__name__", "") in ACROSS:
        return None
    if isinstance(operation, keras.layers.DepthwiseConv2D):
        return _pass if operation.depth_multiplier == 1 else None
    if isinstance(operation, keras.layers.Rescaling):
        return _pass if np.ndim(operation.scale) == np.ndim(operation.offset) == 0 else None
    if isinstance(operation, keras.layers.BatchNormalization):
        return _pass if operation.axis in (-1, len(operation.output.shape) - 1) else None
    if isinstance(operation, keras.layers.Concatenate):
        return _concatenate if operation.axis in (-1, len(operation.output.shape) - 1) else None
    if isinstance(operation, MAKING):
        return _make if getattr(operation, "groups", 1) == 1 else None
    if isinstance(operation, JOINING):
        return _join if len({tensor.shape[-1] for tensor in operation.input}) == 1 else None
    if isinstance(operation, layers.Flatten):
        return _flatten
    return _pass if isinstance(operation, PASSING) else None


def _pass(walk: _Walk, layer: Any, inputs: list[np.ndarray]) -> np.ndarray:
    (channels,) = inputs
    for variable in layer.weights:
        # A kernel for each channel by itself is [height, width, channels, 1]; all others are [channels].
        axis = 2 if len(variable.shape) == 4 else 0
        walk.places[f"{layer.name}/{variable.name}"] = {axis: channels}
    return channels


def _make(walk: _Walk, layer: Any, inputs: list[np.ndarray]) -> np.ndarray:
    (read,) = inputs
    channels = walk.new(layer.output.shape[-1])
    walk.made[layer.name] = channels
    for variable in layer.weights:
        rank = len(variable.shape)
        axes = {rank - 1: channels} if rank == 1 else {rank - 2: read, rank - 1: channels}
        walk.places[f"{layer.name}/{variable.name}"] = axes
    return channels


def _join(walk: _Walk, layer: Any, inputs: list[np.ndarray]) -> np.ndarray:
    first, *others = inputs
    for other in others:
        walk.join(first, other)
    return first


def _concatenate(walk: _Walk, layer: Any, inputs: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(inputs)


def _flatten(walk: _Walk, layer: Any, inputs: list[np.ndarray]) -> np.ndarray:
    (channels,) = inputs
    return np.tile(channels, layer.output.shape[-1] // len(channels))


def _as_list(tensors: Any) -> list[Any]:
    if isinstance(tensors, Mapping):
        return list(tensors.values())
    return list(tensors) if isinstance(tensors, list | tuple) else [tensors]
