"""Attention masks, which the product of queries and keys adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.export.onnx.graph_index import GraphIndex, attributes_of

CHANNEL = 3
"""The axis of the channels of a head in [batch, length, heads, channels]."""


@dataclass(frozen=True)
class MaskedAttention:
    """The nodes of an attention that the pass replaces.

    Attributes:
        projection: the MatMul, the Add of its bias, the Reshape to heads and the Split that compute queries, keys and
            values from a sequence, in this order.
        scale: the Mul of the scores by a number.
        add: the Add of the mask to the scaled scores.
        mask: the mask, [batch, 1, 1, length].
        softmax: the node that reads the masked scores.
    """

    projection: tuple[Any, Any, Any, Any]
    scale: Any
    add: Any
    mask: str
    softmax: Any


def mask_by_keys(model: Any) -> None:
    """Let the product of queries and keys add the mask of an attention.

    Each head of the keys gets one more channel, which holds the mask, and each head of the queries gets one whose value
    is 1 after the scores are scaled. The mask is then added to the keys, [batch, length, heads, channels], instead of
    to the scores, [batch, heads, length, length]: for long texts these are the largest tensors of the network, and each
    pass over them goes to memory. For the same reason queries, keys and values become products of their own, without
    the Split that would copy them.
    """
    index = GraphIndex(model)
    attentions = list(_masked_attentions(index))
    masks: dict[tuple[str, int], list[Any]] = {}
    replaced: dict[int, list[Any]] = {}
    for masked in attentions:
        replaced |= {id(node): [] for node in (*masked.projection, masked.add)}
        replaced[id(masked.projection[-1])] = _projections(masked, index, masks)
        masked.softmax.input[list(masked.softmax.input).index(masked.add.output[0])] = masked.scale.output[0]
    if attentions:
        # The masks depend on inputs of the graph only, but their nodes may come after the first attention.
        first = _ancestors({mask for mask, _ in masks}, index)
        moved = set(map(id, first))
        rest = [node for node in index.graph.node if id(node) not in moved]
        rest = [new for node in rest for new in replaced.get(id(node), [node])]
        index.set_nodes([*first, *(node for nodes in masks.values() for node in nodes), *rest])


def _masked_attentions(index: GraphIndex) -> Iterator[MaskedAttention]:
    for softmax in index.graph.node:
        add = _producer(softmax.input[0], "Add", index) if softmax.op_type == "Softmax" else None
        if add is None:
            continue
        scores, mask = sorted(add.input, key=lambda name: _is_mask(name, index))
        scale = _producer(scores, "Mul", index)
        product = _producer(scale.input[0], "MatMul", index) if scale is not None else None
        if scale is None or product is None or not _is_mask(mask, index) or not index.scalar(scale.input[1]):
            continue
        (queries, axis), (keys, other_axis) = (_origin(name, index) for name in product.input)
        split = _producer(queries, "Split", index)
        projection = _projection(split, index) if split is not None else None
        if (
            projection is not None
            and [queries, keys] == list(projection[-1].output[:2])
            and (axis, other_axis) == (CHANNEL, CHANNEL - 1)
            and all(index.sole_consumer(node.output[0]) is not None for node in (product, scale, add))
        ):
            yield MaskedAttention(projection, scale, add, mask, softmax)


def _producer(name: str, op_type: str, index: GraphIndex) -> Any:
    """Return the node of this type that computes a value; None if there is none."""
    node = index.producers.get(name)
    return node if node is not None and node.op_type == op_type else None


def _is_mask(name: str, index: GraphIndex) -> bool:
    """Return whether a value is [batch, 1, 1, length]."""
    return index.shapes.get(name, [])[1:3] == [1, 1]


def _origin(name: str, index: GraphIndex) -> tuple[str, int | None]:
    """Return the value that Transposes and Slices move to `name`, and the axis on which its channels arrive.

    The axis is None where some of the channels are cut off, or where another node reads a value on the way, too.
    """
    moves = []
    exclusive = index.sole_consumer(name) is not None
    while name in index.producers and index.producers[name].op_type in ("Transpose", "Slice"):
        moves.append(index.producers[name])
        name = moves[-1].input[0]
        exclusive = exclusive and index.sole_consumer(name) is not None
    if not exclusive:
        return name, None
    axis = CHANNEL
    for node in reversed(moves):
        if node.op_type == "Transpose":
            axis = attributes_of(node)["perm"].index(axis)
        elif len(node.input) < 4 or axis in index.array(node.input[3]).tolist():
            return name, None
    return name, axis


def _projection(split: Any, index: GraphIndex) -> tuple[Any, Any, Any, Any] | None:
    """Return the nodes that make the parts of a Split: a product, its bias, a Reshape to heads, and the Split."""
    reshape: Any = _producer(split.input[0], "Reshape", index)
    add: Any = _producer(reshape.input[0], "Add", index) if reshape is not None else None
    product = (
        next(filter(None, (_producer(name, "MatMul", index) for name in add.input)), None) if add is not None else None
    )
    if product is None:
        return None
    constants = (product.input[1], _bias(add, index), reshape.input[1])
    chain = (product, add, reshape)
    fits = (
        len(split.output) == 3
        and all(name in index.initializers for name in constants)
        and all(index.sole_consumer(node.output[0]) is not None for node in chain)
        and attributes_of(split).get("axis", 0) == CHANNEL - 1
    )
    return (*chain, split) if fits else None


def _bias(add: Any, index: GraphIndex) -> str:
    return next((name for name in add.input if name in index.initializers), "")


def _projections(attention: MaskedAttention, index: GraphIndex, masks: dict[tuple[str, int], list[Any]]) -> list[Any]:
    """Return the nodes that make queries, keys and values; those that make the mask of the keys go into `masks`."""
    import onnx

    product, add, reshape, split = attention.projection
    *_, heads, size = index.array(reshape.input[1]).tolist()
    heads //= 3
    scale = index.scalar(attention.scale.input[1])
    assert scale
    kernels = np.split(index.array(product.input[1]), 3, 1)
    biases = np.split(index.array(_bias(add, index)).reshape(-1), 3)
    channel = f"{attention.mask}_channel{size}"
    if (attention.mask, size) not in masks:
        last = index.add_initializer(f"{channel}_last", np.eye(size + 1, dtype=np.float32)[-1:])
        masks[attention.mask, size] = [
            onnx.helper.make_node("Transpose", [attention.mask], [f"{channel}_lengths"], perm=[0, 3, 1, 2]),
            onnx.helper.make_node("Mul", [f"{channel}_lengths", last], [channel]),
        ]
    nodes = []
    for result, kernel, bias, added_value in zip(split.output, kernels, biases, (1 / scale, 0.0, None), strict=True):
        width = size if added_value is None else size + 1
        if added_value is not None:
            kernel = _widened(kernel.reshape(-1, heads, size), 0.0)
            bias = _widened(bias.reshape(1, heads, size), added_value).reshape(-1)
        names = {
            part: index.add_initializer(f"{result}_{part}", np.ascontiguousarray(value))
            for part, value in (("kernel", kernel), ("bias", bias), ("shape", np.array([0, 0, heads, width])))
        }
        masked = added_value == 0
        steps = [f"{result}_{part}" for part in ("product", "biased", "heads")[: 2 + masked]] + [result]
        nodes += [
            onnx.helper.make_node("MatMul", [product.input[0], names["kernel"]], [steps[0]], name=steps[0]),
            onnx.helper.make_node("Add", [steps[0], names["bias"]], [steps[1]]),
            onnx.helper.make_node("Reshape", [steps[1], names["shape"]], [steps[2]]),
        ]
        if masked:
            nodes.append(onnx.helper.make_node("Add", [steps[2], channel], [result]))
    return nodes


def _widened(heads: np.ndarray, value: float) -> np.ndarray:
    """Give each head of float32 [rows, heads, channels] one more channel of one value: [rows, heads · channels]."""
    added_channel = np.full((*heads.shape[:2], 1), value, np.float32)
    return np.concatenate([heads, added_channel], 2).reshape(len(heads), -1)


def _ancestors(names: set[str], index: GraphIndex) -> list[Any]:
    """Return the nodes that compute these values, directly or indirectly, in the order of the graph."""
    wanted, nodes = set(names), []
    for node in reversed(index.graph.node):
        if not wanted.isdisjoint(node.output):
            wanted.update(node.input)
            nodes.append(node)
    return nodes[::-1]
