"""Floats among integers: what an int8 file computes in float32 between two nodes that it computes on integers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from zoo.export.int8.qdq import CARRIED, ELEMENTWISE, WEIGHTED, name_of
from zoo.export.onnx.graph_index import Index

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")

NEED_NO_FLOATS = (*ELEMENTWISE, *CARRIED, "Clip", "Identity", "Pad", "Relu", "Slice")
"""Kinds that integers are as good for: only what stands beside them can ask for floats."""


def idle_islands(index: Index, kept: Collection[str]) -> Iterator[list[Any]]:
    """Groups of nodes on floats, between integers on both sides, of which none needs floats.

    A group is what hangs together by floats. A node needs floats if it is one of those `kept` by name, or of a kind
    that has no integer kernel, or that gives floats by design, as products do.
    """
    seen = set[int]()
    for first in index.graph.node:
        if id(first) in seen or not _is_on_floats(first, index):
            continue
        group, pending, enters, leaves = list[Any](), [first], False, False
        seen.add(id(first))
        while pending:
            node = pending.pop()
            group.append(node)
            makers = [index.makers[name] for name in node.input if name in index.makers]
            readers = [reader for name in node.output for reader in index.readers.get(name, [])]
            enters |= any(_is_activation(maker, index) for maker in makers)
            leaves |= any(reader.op_type == "QuantizeLinear" for reader in readers)
            beside = [one for one in (*makers, *readers) if id(one) not in seen and _is_on_floats(one, index)]
            seen.update(map(id, beside))
            pending += beside
        if enters and leaves and not any(name_of(node) in kept or node.op_type not in NEED_NO_FLOATS for node in group):
            yield group


def _is_activation(node: Any, index: Index) -> bool:
    """Whether a node gives the floats of integers that were computed: those of weights are known."""
    return node.op_type == "DequantizeLinear" and node.input[0] not in index.initializers


def _is_on_floats(node: Any, index: Index) -> bool:
    """Whether a runtime computes a node on floats: it has no integer kernel, or reads or gives floats."""
    if node.op_type in CONVERSIONS:
        return False
    makers = [index.makers.get(name) for name in node.input if name and name not in index.initializers]
    readers = [reader for name in node.output for reader in index.readers.get(name, [])]
    return not (
        node.op_type in (*WEIGHTED, *ELEMENTWISE, *CARRIED, "LeakyRelu")
        and all(maker is not None and maker.op_type == "DequantizeLinear" for maker in makers)
        and readers
        and all(reader.op_type == "QuantizeLinear" for reader in readers)
    )
