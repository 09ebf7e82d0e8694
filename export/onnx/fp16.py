"""fp16: the weights and the arithmetic of an ONNX file in float16, for GPUs.

Written by zoo: the converter of onnxruntime.transformers (1.31; onnxconverter-common's is its older copy) leaves nodes
out of order where an output of the graph is read within it, as the logits are, and the checker refuses the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo.contract import LOGITS, OUTPUTS
from zoo.errors import Refused
from zoo.export.onnx import passes
from zoo.export.onnx.conversion import save

FLOAT32_INPUTS = {"Resize": (1, 2)}
"""Inputs that are float32 whatever the node computes with, by their places."""


def write_fp16(float32: Path, fp16: Path) -> None:
    """Write the float16 file of a float32 one: pixels in uint8 and outputs in float32, as in the contract.

    The logits are float32 before the softmax, or the probabilities would not sum to 1.

    Raises:
        Refused: a weight is too large for float16.
    """
    import onnx

    model = onnx.load(float32)
    passes.gates_once(model)
    graph = model.graph
    as_they_are = {
        node.input[place]
        for node in graph.node
        for place in FLOAT32_INPUTS.get(node.op_type, ())
        if place < len(node.input)
    }
    for tensor in graph.initializer:
        if tensor.name not in as_they_are:
            _halve(tensor)
    nodes = []
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT:
                attribute.i = onnx.TensorProto.FLOAT16
            elif attribute.type == onnx.AttributeProto.TENSOR:
                _halve(attribute.t)
        nodes.append(node)
        if LOGITS in node.output:
            half = f"{LOGITS}_half"
            node.output[list(node.output).index(LOGITS)] = half
            nodes.append(onnx.helper.make_node("Cast", [half], [LOGITS], to=onnx.TensorProto.FLOAT))
    made = onnx.helper.make_graph(nodes, graph.name, graph.input, graph.output, graph.initializer)
    assert {value.name for value in made.output} == set(OUTPUTS)
    model.graph.CopyFrom(made)
    save(model, fp16)


def _halve(tensor: Any) -> None:
    """Make a float32 tensor one of float16, in place."""
    import onnx

    if tensor.data_type != onnx.TensorProto.FLOAT:
        return
    values = onnx.numpy_helper.to_array(tensor)
    if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
        raise Refused(f"there is no fp16 of this network: {tensor.name} has values above 65504; leave --fp16 out")
    tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), tensor.name))
