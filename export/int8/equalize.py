"""Factors for channels, moved from activations into the weights that read them: the function of a network stays.

The 8 bits of an activation are shared by all its channels; those of weights are not. Where one channel reaches far
beyond the others, a factor in front of a product and its inverse behind even them out: from a normalization into the
product that follows (Xiao et al. 2023, SmoothQuant, arXiv:2211.10438, section 4), from a convolution through a Relu
into the next one (Nagel et al. 2019, arXiv:1906.04721, section 4.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.export.int8.qdq import weighted_nodes
from zoo.export.onnx.graph_index import Index
from zoo.export.onnx.transposes import TO_PLANES, turns

HOMOGENEOUS = ("Relu", "LeakyRelu", "MaxPool", "AveragePool")
"""Nodes that give k times the output for k times the input, channel by channel."""


@dataclass(frozen=True)
class Channels:
    """A tensor whose channels can be scaled.

    `axis` is theirs. `made` are the vectors and kernels that they come from, along the first axis of each; `readers`
    the nodes that alone read the tensor, each with the axis of its weights that runs over its input channels.
    """

    tensor: str
    axis: int
    made: tuple[str, ...]
    readers: tuple[tuple[Any, int], ...]


def scalable(index: Index) -> Iterator[Channels]:
    """The tensors between a normalization and products, or between convolutions, that nothing else reads."""
    weighted = {node.output[0]: node for node in weighted_nodes(index)}
    for tensor in dict.fromkeys(node.input[0] for node in weighted.values()):
        readers = index.readers[tensor]
        if any(one.output[0] not in weighted or one.op_type == "Gemm" for one in readers):
            continue
        products = readers[0].op_type == "MatMul"
        made = _made_by(index, tensor, products)
        kernels = [one.input[1] for one in readers]
        if not made or any(len(index.readers[name]) != 1 for name in (*made, *kernels)):
            continue
        axes = [0 if products or _groups(one) > 1 else 1 for one in readers]
        channels = index.initializers[made[0]].dims[0]
        if all(index.initializers[name].dims[axis] == channels for name, axis in zip(kernels, axes, strict=True)):
            yield Channels(tensor, -1 if products else 1, made, tuple(zip(readers, axes, strict=True)))


def _made_by(index: Index, tensor: str, last: bool) -> tuple[str, ...]:
    """The weights that a tensor's channels come from, through nodes that a factor passes; none where there are none.

    Channels are the last axis, and of a normalization, or the second, and of a convolution.
    """
    node = index.makers.get(tensor)
    if not last and node is not None and turns(node, TO_PLANES) and index.only_reader(node.input[0]) is not None:
        return _made_by(index, node.input[0], last=True)
    kind, between = ("LayerNormalization", ("Reshape",)) if last else ("Conv", HOMOGENEOUS)
    while node is not None and node.op_type in between:
        if index.only_reader(node.input[0]) is None or not _keeps_channels(index, node):
            return ()
        node = index.makers.get(node.input[0])
    if node is None or node.op_type != kind or any(name not in index.initializers for name in node.input[1:]):
        return ()
    return tuple(node.input[1:])


def _keeps_channels(index: Index, node: Any) -> bool:
    """Whether a node's channels are those of its input: a Reshape around a normalization leaves the last axis."""
    before, after = (index.shapes.get(name) or [None] for name in (node.input[0], node.output[0]))
    return node.op_type != "Reshape" or (before[-1] is not None and before[-1] == after[-1])


def _groups(node: Any) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "group"), 1)


def equalize(index: Index, reach: Mapping[str, np.ndarray]) -> int:
    """Scale what can be scaled, in place, and say how many tensors were.

    `reach` has the largest absolute value of each channel for the tensors of `scalable`, float32 [channels].
    """
    found = list(scalable(index))
    for it in found:
        activations = reach[it.tensor].astype(np.float64)
        weights = np.max([_largest(index.array(node.input[1]), axis) for node, axis in it.readers], axis=0)
        # A convolution by channel has a scale for each: it takes all of the spread. Others share it.
        shared = any(_groups(node) == 1 for node, _ in it.readers)
        alive = (activations > 0) & (weights > 0)
        factor = np.ones_like(activations)
        factor[alive] = np.sqrt(activations[alive] / weights[alive]) if shared else activations[alive]
        if alive.any():
            # As a whole the tensor keeps its size.
            factor[alive] /= np.exp(np.log(factor[alive]).mean())
        for name in it.made:
            _scale(index, name, 0, 1 / factor)
        for node, axis in it.readers:
            _scale(index, node.input[1], axis, factor)
    return len(found)


def _largest(weights: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(np.abs(weights).max(tuple(other for other in range(weights.ndim) if other != axis)))


def _scale(index: Index, name: str, axis: int, factor: np.ndarray) -> None:
    import onnx

    values = index.array(name)
    shape = [-1 if number == axis else 1 for number in range(values.ndim)]
    scaled = (values * factor.reshape(shape)).astype(np.float32)
    index.initializers[name].CopyFrom(onnx.numpy_helper.from_array(scaled, name))
