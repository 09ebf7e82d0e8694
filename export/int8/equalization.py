"""Equalization: scales moved from the channels of an activation into the weights that read it.

The 8 bits of an activation cover the range of all its channels; weights have a scale for each output channel. Where one
channel reaches far beyond the others, its activation is divided by a factor and the weights that read it are multiplied
by the same factor, which leaves the network's answers as they are. This applies between a normalization and the matrix
products that read it (Xiao et al. 2023, SmoothQuant, arXiv:2211.10438, section 4), and between two convolutions with a
Relu between them (Nagel et al. 2019, cross-layer equalization, arXiv:1906.04721, section 4.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.export.onnx.graph_index import GraphIndex, attributes_of
from zoo.export.onnx.integer_kernels import weighted_nodes
from zoo.export.onnx.passes.transposes import NHWC_TO_NCHW, is_transpose

HOMOGENEOUS = ("Relu", "LeakyRelu", "MaxPool", "AveragePool")
"""Operators f with f(k · x) = k · f(x) for k > 0 in each channel."""


@dataclass(frozen=True)
class Equalizable:
    """An activation whose channels can be scaled.

    Attributes:
        tensor: its name.
        axis: its channel axis.
        source_weights: the initializers that its channels are computed from, with the channels as first axis.
        consumers: the nodes with weights that read it, each with the input-channel axis of its weights. Nothing else
            reads it.
    """

    tensor: str
    axis: int
    source_weights: tuple[str, ...]
    consumers: tuple[tuple[Any, int], ...]


def equalizable(index: GraphIndex) -> Iterator[Equalizable]:
    """Yield the activations between a normalization and matrix products, or between convolutions."""
    weighted = {node.output[0]: node for node in weighted_nodes(index)}
    for tensor in dict.fromkeys(node.input[0] for node in weighted.values()):
        consumers = index.consumers[tensor]
        if any(consumer.output[0] not in weighted or consumer.op_type == "Gemm" for consumer in consumers):
            continue
        products = consumers[0].op_type == "MatMul"
        source_weights = _source_weights(index, tensor, channels_last=products)
        kernels = [consumer.input[1] for consumer in consumers]
        if not source_weights or any(len(index.consumers[name]) != 1 for name in (*source_weights, *kernels)):
            continue
        if any(_groups(consumer) > 1 and index.initializers[consumer.input[1]].dims[1] != 1 for consumer in consumers):
            continue  # groups of several channels: their kernels have no axis of all input channels
        axes = [0 if products or _groups(consumer) > 1 else 1 for consumer in consumers]
        channels = index.initializers[source_weights[0]].dims[0]
        if all(index.initializers[name].dims[axis] == channels for name, axis in zip(kernels, axes, strict=True)):
            yield Equalizable(tensor, -1 if products else 1, source_weights, tuple(zip(consumers, axes, strict=True)))


def _source_weights(index: GraphIndex, tensor: str, channels_last: bool) -> tuple[str, ...]:
    """Return the weights that scale a tensor's channels, found by going back through nodes that pass on a factor.

    They are those of a LayerNormalization if the channels are last, and else those of a Conv. Empty if there are none.
    """
    node = index.producers.get(tensor)
    if (
        not channels_last
        and node is not None
        and is_transpose(node, NHWC_TO_NCHW)
        and index.sole_consumer(node.input[0]) is not None
    ):
        return _source_weights(index, node.input[0], channels_last=True)
    op_type, between = ("LayerNormalization", ("Reshape",)) if channels_last else ("Conv", HOMOGENEOUS)
    while node is not None and node.op_type in between:
        if index.sole_consumer(node.input[0]) is None or not _keeps_channels(index, node):
            return ()
        node = index.producers.get(node.input[0])
    if node is None or node.op_type != op_type or any(name not in index.initializers for name in node.input[1:]):
        return ()
    return tuple(node.input[1:])


def _keeps_channels(index: GraphIndex, node: Any) -> bool:
    """Return whether a node's output has its input's channels; a Reshape has to keep the last axis for that."""
    before, after = (index.shapes.get(name) or [None] for name in (node.input[0], node.output[0]))
    return node.op_type != "Reshape" or (before[-1] is not None and before[-1] == after[-1])


def _groups(node: Any) -> int:
    return int(attributes_of(node).get("group", 1))


def equalize(index: GraphIndex, maxima: Mapping[str, np.ndarray]) -> int:
    """Equalize all activations of `equalizable` in place and return their number.

    `maxima` maps each of these activations to the largest absolute value of each channel, float32 [channels].
    """
    equalizables = list(equalizable(index))
    for equalizable_tensor in equalizables:
        activations = maxima[equalizable_tensor.tensor].astype(np.float64)
        weights = np.max(
            [_channel_maxima(index.array(node.input[1]), axis) for node, axis in equalizable_tensor.consumers], axis=0
        )
        # A depthwise convolution has a scale for each channel of its weights, so they can take the whole range of the
        # activation. All other weights share a scale among input channels: the factor balances both ranges.
        shared = any(_groups(node) == 1 for node, _ in equalizable_tensor.consumers)
        alive = (activations > 0) & (weights > 0)
        factor = np.ones_like(activations)
        factor[alive] = np.sqrt(activations[alive] / weights[alive]) if shared else activations[alive]
        if alive.any():
            # With a geometric mean of 1 the factors leave the size of the whole activation as it is.
            factor[alive] /= np.exp(np.log(factor[alive]).mean())
        for name in equalizable_tensor.source_weights:
            _scale(index, name, 0, 1 / factor)
        for node, axis in equalizable_tensor.consumers:
            _scale(index, node.input[1], axis, factor)
    return len(equalizables)


def _channel_maxima(weights: np.ndarray, axis: int) -> np.ndarray:
    """Return the largest absolute weight of each channel."""
    return np.asarray(np.abs(weights).max(tuple(other for other in range(weights.ndim) if other != axis)))


def _scale(index: GraphIndex, name: str, axis: int, factor: np.ndarray) -> None:
    """Multiply an initializer by one factor for each index along an axis."""
    values = index.array(name)
    shape = [-1 if number == axis else 1 for number in range(values.ndim)]
    index.set_initializer(name, values * factor.reshape(shape))
