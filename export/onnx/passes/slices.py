"""Slices, moved towards the beginning of the graph: rows that are thrown away are not computed."""

from __future__ import annotations

from typing import Any

from zoo.export.onnx.graph_index import GraphIndex, attributes_of

ROWWISE = ("Add", "Mul", "Div", "MatMul", "LayerNormalization", "Gelu", "Erf", "Relu")
"""Operators that can compute each row, the last axis of a tensor, from the same row of their inputs: see
`_is_rowwise`."""


def slice_before_rowwise(model: Any) -> None:
    """Slice rows before the rowwise nodes that only the Slice reads.

    After ViT's last attention only the class token is used: its dense layers then compute one token instead of 197.
    """
    for name in [node.output[0] for node in model.graph.node if node.op_type == "Slice"]:
        index = GraphIndex(model)
        _move_up(index.producers[name], index)


def _move_up(slicing: Any, index: GraphIndex) -> None:
    """Move one Slice to the inputs of the rowwise nodes whose results nothing else reads."""
    import onnx

    shape = index.shapes.get(slicing.input[0])
    if not shape or any(name not in index.initializers for name in slicing.input[1:]) or _cuts_rows(slicing, index):
        return
    rowwise: dict[str, Any] = {}  # by output
    for node in reversed(index.graph.node):
        result = node.output[0]
        consumers = index.consumers.get(result, [])
        exclusive = result not in index.outputs and all(
            consumer is slicing or consumer.output[0] in rowwise for consumer in consumers
        )
        if consumers and exclusive and _is_rowwise(node, shape, index):
            rowwise[result] = node
    if slicing.input[0] not in rowwise:
        return
    sliced: dict[str, str] = {}
    nodes = list[Any]()
    for node in index.graph.node:
        if node is slicing:
            continue
        if node.output[0] in rowwise:
            for position, name in enumerate(node.input):
                if name in index.initializers or name in rowwise:
                    continue
                if name not in sliced:
                    sliced[name] = f"{name}_of_{slicing.output[0]}"
                    nodes.append(onnx.helper.make_node("Slice", [name, *slicing.input[1:]], [sliced[name]]))
                node.input[position] = sliced[name]
            if node.output[0] == slicing.input[0]:
                node.output[0] = slicing.output[0]
        nodes.append(node)
    index.set_nodes(nodes)


def _cuts_rows(slicing: Any, index: GraphIndex) -> bool:
    """Return whether a Slice takes less than all of the last axis, or may do so."""
    starts, ends, *rest = (index.array(name).tolist() for name in slicing.input[1:])
    shape = index.shapes[slicing.input[0]]
    axes = rest[0] if rest else list(range(len(starts)))
    steps = rest[1] if len(rest) > 1 else [1] * len(starts)
    length = shape[-1]
    return length is None or any(
        axis % len(shape) == len(shape) - 1 and (start != 0 or end < length or step != 1)
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    )


def _is_rowwise(node: Any, shape: list[int | None], index: GraphIndex) -> bool:
    """Return whether a node computes each row of its output from the same row of its inputs.

    The inputs are activations of `shape` but for the last axis, and constants that are the same for every row.
    """
    if node.op_type not in ROWWISE:
        return False
    for position, name in enumerate(node.input):
        if name in index.initializers:
            matrix = node.op_type == "MatMul" and position == 1
            if len(index.initializers[name].dims) > (2 if matrix else 1):
                return False
        elif index.shapes.get(name, [])[:-1] != shape[:-1] or (node.op_type == "MatMul" and position == 1):
            return False
    axis = attributes_of(node).get("axis", -1)
    return node.op_type != "LayerNormalization" or axis in (-1, len(shape) - 1)
