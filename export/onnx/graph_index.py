"""Lookup tables over an ONNX graph: the producer and the consumers of each value, the initializers, and the shapes.

The passes work on onnx.ModelProto with these tables, not on onnx-ir or onnxscript.rewriter, because of memory. Both
libraries give the same graphs as zoo's passes, but saving from onnx-ir holds the weights once more. The conversion of
VGG-16 then takes 3.6 GB instead of 3.0 GB, and that of ViT-L/16 7.0 GB instead of 5.8 GB: 17 and 19 % more, where an
export may grow by 10 %. The time is not the reason: 3 and 8 % more, which is within the noise of the measurement
(onnx-ir 1.1.0, onnxscript 0.7.2; `results/graph_libraries.json`). onnx-ir also needs sympy, which zoo does not.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SCALAR_TOLERANCE = 1e-6
"""The relative difference up to which constants count as equal, since they have been rounded to float32."""

LARGEST_SHAPE = 16
"""The most elements of an initializer that may be a shape or a list of axes, whose values shape inference needs."""


class GraphIndex:
    """Lookup tables over the graph of a model, built once per pass.

    The tables describe the graph as it was when the index was built. A pass that looks up what it has changed updates
    the tables itself.

    Attributes:
        graph: the onnx.GraphProto.
        producers: the node that computes each value.
        consumers: the nodes that read each value or initializer.
        initializers: the onnx.TensorProto of each constant.
        outputs: the names of the graph's outputs.
        shapes: the inferred dimensions of each value, None for an open dimension.
    """

    def __init__(self, model: Any) -> None:
        self.graph = graph = model.graph
        self.producers = {output: node for node in graph.node for output in node.output}
        self.consumers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.outputs = {value.name for value in graph.output}
        self.shapes = infer_shapes(model)

    def scalar(self, name: str) -> float | None:
        """Return the value of an initializer of one element; None for anything else."""
        import onnx

        tensor = self.initializers.get(name)
        if tensor is None or math.prod(tensor.dims) != 1:
            return None
        return float(onnx.numpy_helper.to_array(tensor).reshape(()))

    def array(self, name: str) -> np.ndarray:
        """Return the values of an initializer."""
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self.initializers[name]))

    def other_operand(self, node: Any, op_type: str, constant: float) -> str | None:
        """Return the operand of a binary node whose other operand is the scalar `constant`.

        None if the node is of another type than `op_type`, or has no such constant.
        """
        if node is None or node.op_type != op_type or len(node.input) != 2:
            return None
        for operand, other in (node.input, reversed(node.input)):
            scalar = self.scalar(operand)
            if scalar is not None and math.isclose(scalar, constant, rel_tol=SCALAR_TOLERANCE):
                return other
        return None

    def sole_consumer(self, name: str) -> Any | None:
        """Return the only node that reads a value; None if several nodes read it or it is an output of the graph."""
        consumers = self.consumers.get(name, [])
        return consumers[0] if len(consumers) == 1 and name not in self.outputs else None

    def add_initializer(self, name: str, value: np.ndarray) -> str:
        """Add an initializer to the graph and return its name."""
        import onnx

        self.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
        return name

    def set_initializer(self, name: str, value: np.ndarray) -> None:
        """Overwrite the values of an initializer, as float32."""
        import onnx

        self.initializers[name].CopyFrom(onnx.numpy_helper.from_array(value.astype(np.float32), name))

    def set_nodes(self, nodes: list[Any]) -> None:
        """Replace all nodes of the graph."""
        # Nodes that belong to the graph are freed with its old list, so they are copied first.
        copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del self.graph.node[:]
        self.graph.node.extend(copies)

    def replace(self, old: list[Any], new: list[Any]) -> None:
        """Replace `old` nodes by `new` ones, inserted where the last old node stood.

        The last node of both lists has the same output.
        """
        position = next(number for number, node in enumerate(self.graph.node) if node is old[-1] or node == old[-1])
        for offset, node in enumerate(new, start=1):
            self.graph.node.insert(position + offset, node)
        for node in old:
            self.graph.node.remove(node)


def attributes_of(node: Any) -> dict[str, Any]:
    """Return the attributes that a node states, by name, strings as bytes; those left at their default are absent."""
    import onnx

    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def opset(model: Any) -> int:
    """Return the version of the standard ONNX operator set that a model imports."""
    return next(int(imported.version) for imported in model.opset_import if not imported.domain)


def infer_shapes(model: Any) -> dict[str, list[int | None]]:
    """Infer the dimensions of every value of a model, None for an open dimension.

    Large initializers are passed to onnx as graph inputs of the same shape, so that shape inference does not copy the
    weights.
    """
    import onnx

    graph = model.graph
    small = [tensor for tensor in graph.initializer if math.prod(tensor.dims) <= LARGEST_SHAPE]
    weights = [
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in graph.initializer
        if math.prod(tensor.dims) > LARGEST_SHAPE
    ]
    weightless = onnx.helper.make_graph(graph.node, "shapes", [*graph.input, *weights], graph.output, small)
    inferred = onnx.shape_inference.infer_shapes(
        onnx.helper.make_model(weightless, opset_imports=model.opset_import)
    ).graph
    return {
        value.name: [
            part.dim_value if part.HasField("dim_value") else None for part in value.type.tensor_type.shape.dim
        ]
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
