"""Reshapes of tensors with several open lengths: their shapes become constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.export.onnx.graph_index import GraphIndex, attributes_of
from zoo.export.onnx.passes.transposes import remove_unused_nodes

Length = int | tuple[str, int]
"""A length: a number, or the value and the axis of it that has this length."""


def keep_open_lengths(model: Any) -> None:
    """Let a Reshape keep open lengths with 0, where it reads them from the tensor that it reshapes.

    [batch, length, width] becomes [batch, length, heads, size] by the constant shape [0, 0, heads, size]. tf2onnx 1.17
    writes Shape, Cast, Slice, Split and Concat instead, which run each time, and hide the known lengths of the result
    from shape inference. One length that is computed otherwise becomes -1.
    """
    index = GraphIndex(model)
    for node in [node for node in index.graph.node if node.op_type == "Reshape"]:
        lengths = _lengths(node.input[1], index) if node.input[1] in index.producers else None
        if lengths is None:
            continue
        rank = len(index.shapes.get(node.input[0], ()))
        kept = [
            0 if axis < rank and _source(node.input[0], axis, index) == length else length
            for axis, length in enumerate(lengths)
        ]
        shape = [-1 if isinstance(length, tuple) else length for length in kept]
        if shape.count(-1) <= 1:
            name = f"{node.output[0]}_shape"
            node.input[1] = index.add_initializer(name, np.array(shape, np.int64))
    remove_unused_nodes(index.graph)


def _lengths(name: str, index: GraphIndex) -> list[Length] | None:
    """Return the elements of a vector (or the one of a scalar) that is computed from shapes; None if it is not."""
    if name in index.initializers:
        return [int(value) for value in index.array(name).reshape(-1)]
    node = index.producers.get(name)
    if node is None or node.op_type not in (
        "Shape",
        "Cast",
        "Squeeze",
        "Unsqueeze",
        "Concat",
        "Gather",
        "Slice",
        "Split",
    ):
        return None
    if node.op_type == "Shape":
        rank = len(index.shapes.get(node.input[0], ()))
        if not rank or any(attributes_of(node).values()):  # it returns only a part of the shape
            return None
        return [_source(node.input[0], axis, index) for axis in range(rank)]
    if node.op_type == "Concat":
        parts = [_lengths(part, index) for part in node.input]
        return None if None in parts else [length for part in parts for length in part or ()]
    input_lengths = _lengths(node.input[0], index)
    if input_lengths is None or node.op_type in ("Cast", "Squeeze", "Unsqueeze"):
        return input_lengths
    if node.op_type == "Split":
        position = list(node.output).index(name)
        return [input_lengths[position]] if len(node.output) == len(input_lengths) else None
    if any(operand not in index.initializers for operand in node.input[1:]):
        return None
    if node.op_type == "Gather":
        return [input_lengths[position] for position in index.array(node.input[1]).reshape(-1)]
    start, end = (int(index.array(operand).item()) for operand in node.input[1:3])
    step = int(index.array(node.input[4]).item()) if len(node.input) > 4 else 1
    return input_lengths[start:end:step]


def _source(name: str, axis: int, index: GraphIndex) -> tuple[str, int]:
    """Return where a length comes from: the value and the axis before the Transposes that moved it."""
    node = index.producers.get(name)
    while node is not None and node.op_type == "Transpose":
        name, axis = node.input[0], attributes_of(node)["perm"][axis]
        node = index.producers.get(name)
    return name, axis
