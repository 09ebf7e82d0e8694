"""Conversion of weights and arithmetic to float16.

The converter of onnxruntime.transformers (1.31; that of onnxconverter-common is an older copy) leaves the nodes out of
order if a node inside the graph reads one of its outputs. The softmax reads the logits here, and onnx's checker refuses
such a file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import Refused

FLOAT32_INPUTS = {"Resize": (1, 2)}
"""By operator, the positions of inputs that ONNX defines as float32 whatever type the node computes with."""


def to_float16(model: Any) -> None:
    """Convert weights and arithmetic to float16; inputs and outputs in float32 stay so.

    What is computed from outputs alone is computed in float32: with a softmax of the logits in float16, the
    probabilities would not sum to 1.

    Raises:
        Refused: a weight is too large for float16.
    """
    import onnx

    graph = model.graph
    stay_float32 = {
        node.input[place]
        for node in graph.node
        for place in FLOAT32_INPUTS.get(node.op_type, ())
        if place < len(node.input)
    }
    for tensor in graph.initializer:
        if tensor.name not in stay_float32:
            _convert(tensor)
    nodes, given, finished = [], {}, set[str]()
    for value in graph.input:
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            given[value.name] = f"{value.name}_half"
            nodes.append(_cast(value.name, given[value.name], onnx.TensorProto.FLOAT16))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT:
                attribute.i = onnx.TensorProto.FLOAT16
            elif attribute.type == onnx.AttributeProto.TENSOR:
                _convert(attribute.t)
        node.input[:] = [given.get(name, name) for name in node.input]
        nodes.append(node)
        if finished.issuperset(node.input):
            # It reads outputs in float32 and nothing else, as the softmax of the logits does.
            finished.update(node.output)
            continue
        for place, name in enumerate(node.output):
            if name in {value.name for value in graph.output}:
                node.output[place] = f"{name}_half"
                nodes.append(_cast(node.output[place], name, onnx.TensorProto.FLOAT))
                finished.add(name)
    made = onnx.helper.make_graph(nodes, graph.name, graph.input, graph.output, graph.initializer)
    model.graph.CopyFrom(made)


def _cast(source: str, target: str, dtype: int) -> Any:
    import onnx

    return onnx.helper.make_node("Cast", [source], [target], to=dtype)


def _convert(tensor: Any) -> None:
    """Convert a float32 tensor to float16 in place; leave tensors of other types alone."""
    import onnx

    if tensor.data_type != onnx.TensorProto.FLOAT:
        return
    values = onnx.numpy_helper.to_array(tensor)
    if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
        raise Refused(f"there is no fp16 of this network: {tensor.name} has values above 65504; leave --fp16 out")
    tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), tensor.name))
