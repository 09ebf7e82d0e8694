"""Float islands: nodes that an int8 file computes in float32 between two nodes that it computes on integers.

Each island costs a conversion to float32 and one back. The lint refuses those that nothing in the file needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from zoo.export.int8.qdq import COMPUTED_ON_INTEGERS, RANGE_PRESERVING
from zoo.export.onnx import skeleton
from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.integer_kernels import WEIGHTED, node_name
from zoo.export.onnx.lint import MOST_NAMED, described, enumerated, node_counts

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")

NEED_NO_FLOAT32 = (*COMPUTED_ON_INTEGERS, *RANGE_PRESERVING, "Clip", "Identity", "Pad", "Relu", "Slice")
"""Operators that can be computed on integers as well; only their neighbors keep them in float32."""


def report(path: Path, float32_nodes: Collection[str]) -> tuple[bool, dict[str, Any]]:
    """Check that an int8 file has no needless float island; return whether it passes, and its figures.

    Args:
        path: the int8 file.
        float32_nodes: the names of nodes that the quantizer left in float32 on purpose.
    """
    model = skeleton.load(path)
    islands = list(needless_islands(GraphIndex(model), float32_nodes))
    problems = [
        "computed in float32 between integers, although no node there was left in float32: "
        + enumerated([described(node) for node in island])
        for island in islands[:MOST_NAMED]
    ]
    if len(islands) > MOST_NAMED:
        problems.append(f"and {len(islands) - MOST_NAMED} more such groups")
    return not problems, {"problems": problems} if problems else {"file": node_counts(model)}


def needless_islands(index: GraphIndex, float32_nodes: Collection[str]) -> Iterator[list[Any]]:
    """Yield float islands, each a list of connected nodes, in which no node needs float32.

    A node needs float32 if `float32_nodes` names it, or if its operator is not among `NEED_NO_FLOAT32`: it has no
    integer kernel, or the quantizer leaves its output in float32 by design, as for matrix products.
    """
    seen = set[int]()
    for first in index.graph.node:
        if id(first) in seen or not _in_float32(first, index):
            continue
        island, pending, enters, leaves = list[Any](), [first], False, False
        seen.add(id(first))
        while pending:
            node = pending.pop()
            island.append(node)
            producers = [index.producers[name] for name in node.input if name in index.producers]
            consumers = [consumer for name in node.output for consumer in index.consumers.get(name, [])]
            enters |= any(_dequantizes_activation(producer, index) for producer in producers)
            leaves |= any(consumer.op_type == "QuantizeLinear" for consumer in consumers)
            neighbors = [
                neighbor
                for neighbor in (*producers, *consumers)
                if id(neighbor) not in seen and _in_float32(neighbor, index)
            ]
            seen.update(map(id, neighbors))
            pending += neighbors
        needed = any(node_name(node) in float32_nodes or node.op_type not in NEED_NO_FLOAT32 for node in island)
        if enters and leaves and not needed:
            yield island


def _dequantizes_activation(node: Any, index: GraphIndex) -> bool:
    """Return whether a node dequantizes an activation; the DequantizeLinear of a weight reads an initializer."""
    return node.op_type == "DequantizeLinear" and node.input[0] not in index.initializers


def _in_float32(node: Any, index: GraphIndex) -> bool:
    """Return whether a runtime computes a node in float32: it has no integer kernel, or a float32 input or output."""
    if node.op_type in CONVERSIONS:
        return False
    producers = [index.producers.get(name) for name in node.input if name and name not in index.initializers]
    consumers = [consumer for name in node.output for consumer in index.consumers.get(name, [])]
    return not (
        node.op_type in (*WEIGHTED, *COMPUTED_ON_INTEGERS, *RANGE_PRESERVING, "LeakyRelu")
        and all(producer is not None and producer.op_type == "DequantizeLinear" for producer in producers)
        and consumers
        and all(consumer.op_type == "QuantizeLinear" for consumer in consumers)
    )
