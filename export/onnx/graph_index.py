"""An ONNX graph as it is looked at: who makes and who reads each value, the constants, the shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

NEAR = 1e-6
"""Constants that agree to this are the same: they have been through float32."""

LARGEST_SHAPE = 16
"""Elements; a constant that says a shape or the like has no more."""


class Index:
    """Who makes and who reads each value of a graph as a pass finds it, its constants and its shapes."""

    def __init__(self, model: Any) -> None:
        self.graph = graph = model.graph
        self.makers = {output: node for node in graph.node for output in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.outputs = {value.name for value in graph.output}
        self.shapes = shapes(model)

    def number(self, name: str) -> float | None:
        """The value of a constant of one element; None for anything else."""
        import onnx

        tensor = self.initializers.get(name)
        if tensor is None or math.prod(tensor.dims) != 1:
            return None
        return float(onnx.numpy_helper.to_array(tensor).reshape(()))

    def array(self, name: str) -> np.ndarray:
        """The values of an initializer."""
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self.initializers[name]))

    def with_number(self, node: Any, kind: str, wanted: float) -> str | None:
        """The other input of a node of this kind that has `wanted` for one of its two; None for other nodes."""
        if node is None or node.op_type != kind or len(node.input) != 2:
            return None
        for one, other in (node.input, reversed(node.input)):
            number = self.number(one)
            if number is not None and math.isclose(number, wanted, rel_tol=NEAR):
                return other
        return None

    def only_reader(self, name: str) -> Any | None:
        """The one node that reads a value, unless the graph gives it out too."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def constant(self, name: str, value: np.ndarray) -> str:
        """The name of a new initializer."""
        import onnx

        self.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
        return name

    def change(self, name: str, value: np.ndarray) -> None:
        """Give an initializer other values, as float32."""
        import onnx

        self.initializers[name].CopyFrom(onnx.numpy_helper.from_array(value.astype(np.float32), name))

    def set_nodes(self, nodes: list[Any]) -> None:
        """Give the graph these nodes; its own are copied, for they go with their place in the list."""
        kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del self.graph.node[:]
        self.graph.node.extend(kept)

    def replace(self, old: list[Any], new: list[Any]) -> None:
        """Put nodes in the place of the last of those that they replace; the last of both give the same value."""
        where = next(place for place, node in enumerate(self.graph.node) if node is old[-1] or node == old[-1])
        for offset, node in enumerate(new, start=1):
            self.graph.node.insert(where + offset, node)
        for node in old:
            self.graph.node.remove(node)


def opset(model: Any) -> int:
    """The version of ONNX' own operator set."""
    return next(int(imported.version) for imported in model.opset_import if not imported.domain)


def shapes(model: Any) -> dict[str, list[int | None]]:
    """The dimensions of every value, None for those that are open.

    Inferred without the weights: they stand as inputs, so that no copy of them is made.
    """
    import onnx

    graph = model.graph
    small = [tensor for tensor in graph.initializer if math.prod(tensor.dims) <= LARGEST_SHAPE]
    weights = [
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in graph.initializer
        if math.prod(tensor.dims) > LARGEST_SHAPE
    ]
    bare = onnx.helper.make_graph(graph.node, "shapes", [*graph.input, *weights], graph.output, small)
    inferred = onnx.shape_inference.infer_shapes(onnx.helper.make_model(bare, opset_imports=model.opset_import)).graph
    return {
        value.name: [
            part.dim_value if part.HasField("dim_value") else None for part in value.type.tensor_type.shape.dim
        ]
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
