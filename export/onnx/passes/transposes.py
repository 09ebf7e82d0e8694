"""Transposes and Reshapes: nodes that move data without computing; these passes remove them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zoo.export.onnx.graph_index import GraphIndex, attributes_of

NHWC_TO_NCHW, NCHW_TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
"""Permutations of a Transpose from [batch, height, width, channels] to [batch, channels, height, width], and back."""

ACTIVATIONS = ("Clip", "HardSwish", "Relu", "Sigmoid", "Tanh")
"""Activations that compute each element from the same element of their input."""


def bypass_idle_moves_before_reshapes(model: Any) -> None:
    """Connect a Reshape to the source of the idle moves before it.

    An idle move is a Reshape, or a Transpose that does not change the order of elements in memory. The Reshape has to
    state every length. If an elementwise activation stands between them, it reads the source instead, and the Reshape
    reads the activation.
    """
    index = GraphIndex(model)
    for node in [node for node in index.graph.node if node.op_type == "Reshape"]:
        if node.input[1] not in index.initializers or 0 in index.array(node.input[1]):
            continue
        consumer = node
        while (producer := index.producers.get(consumer.input[0])) is not None:
            if _is_idle_move(producer, index):
                consumer.input[0] = producer.input[0]
            elif producer.op_type in ACTIVATIONS and index.sole_consumer(producer.output[0]) is not None:
                consumer = producer
            else:
                break
    remove_unused_nodes(index.graph)


def remove_idle_moves(model: Any) -> None:
    """Remove chains of Reshape and Transpose whose output equals their input.

    tf2onnx 1.17 writes such chains around maps of height and width 1.
    """
    index = GraphIndex(model)
    for node in list(index.graph.node):
        if not _is_idle_move(node, index):
            continue
        producer = index.producers.get(node.input[0])
        chain = [node]
        while producer is not None and _is_idle_move(producer, index):
            chain.insert(0, producer)
            producer = index.producers.get(producer.input[0])
        source, result = chain[0].input[0], node.output[0]
        if result in index.outputs or source not in index.shapes or index.shapes[source] != index.shapes.get(result):
            continue
        for consumer in index.consumers.get(result, []):
            for position, name in enumerate(consumer.input):
                if name == result:
                    consumer.input[position] = source
            index.consumers.setdefault(source, []).append(consumer)
        index.consumers[result] = []
    remove_unused_nodes(index.graph)


def add_in_nchw(model: Any) -> None:
    """Do residual additions in NCHW: transpose the sum instead of both operands.

    This applies where one operand is an NCHW map that was transposed to NHWC. Every map is transposed at most once, and
    a Transpose back to NCHW reads the map as it was.
    """
    import onnx

    index = GraphIndex(model)
    nchw_of: dict[str, str] = {}  # the NCHW version of an NHWC map
    transposed: set[str] = set()  # NHWC maps that were transposed from NCHW
    aliases: dict[str, str] = {}  # the equal map that replaces the output of a removed Transpose
    nodes = list[Any]()

    def in_nchw(name: str) -> str:
        if name not in nchw_of:
            nchw_of[name] = f"{name}_planes"
            nodes.append(onnx.helper.make_node("Transpose", [name], [nchw_of[name]], perm=NHWC_TO_NCHW))
        return nchw_of[name]

    for node in index.graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = aliases.get(name, name)
        result = node.output[0]
        if is_transpose(node, NCHW_TO_NHWC):
            nchw_of.setdefault(result, node.input[0])
            transposed.add(result)
        elif is_transpose(node, NHWC_TO_NCHW) and result not in index.outputs:
            if node.input[0] in nchw_of:
                aliases[result] = nchw_of[node.input[0]]
                continue
            nchw_of[node.input[0]] = result
        elif node.op_type == "Add" and transposed.intersection(node.input) and _are_maps(node.input, index):
            operands = [in_nchw(name) for name in node.input]
            nchw_of[result] = f"{result}_planes"
            transposed.add(result)
            nodes.append(onnx.helper.make_node("Add", operands, [nchw_of[result]], name=node.name))
            node = onnx.helper.make_node("Transpose", [nchw_of[result]], [result], perm=NCHW_TO_NHWC)
        nodes.append(node)
    index.set_nodes(nodes)
    remove_unused_nodes(index.graph)


def is_transpose(node: Any, permutation: list[int]) -> bool:
    """Return whether a node is a Transpose by this permutation."""
    return node.op_type == "Transpose" and _permutation(node) == permutation


def _are_maps(names: Iterable[str], index: GraphIndex) -> bool:
    """Return whether all values are activations of rank 4."""
    return all(name not in index.initializers and len(index.shapes.get(name, ())) == 4 for name in names)


def _is_idle_move(node: Any, index: GraphIndex) -> bool:
    """Return whether a node is a Reshape, or a Transpose that only moves axes of length 1."""
    if node.op_type == "Reshape":
        return True
    shape = index.shapes.get(node.input[0]) if node.op_type == "Transpose" else None
    if not shape:
        return False
    longer = [axis for axis in _permutation(node) if shape[axis] != 1]
    return longer == sorted(longer)


def _permutation(transpose: Any) -> list[int]:
    return list(attributes_of(transpose)["perm"])


def remove_unused_nodes(graph: Any) -> None:
    """Remove nodes that compute nothing that the graph's outputs need."""
    used = {value.name for value in graph.output}
    for node in reversed(list(graph.node)):
        if used.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            used.update(node.input)
