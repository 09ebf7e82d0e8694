"""int8 without calibration, for networks of examples of any length: the range of activations is found for each input.

Products with constant weights are computed on integers; all else stays in float32. The ranges of a network whose
examples have one length are calibrated instead, see `zoo.export.int8.calibration`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from zoo.description import Model
from zoo.errors import ZooError
from zoo.export.onnx.conversion import save
from zoo.export.onnx.graph_index import GraphIndex
from zoo.formats.onnx import quantize_weights
from zoo.input import kind_of

METHOD = "dynamic"
"""The name of the method, beside those of calibrations."""


def suits(description: Model) -> bool:
    """Tell whether examples may have any length, so that nothing can be calibrated once for all."""
    tensors = kind_of(description.preprocessing).client.tensors(description.preprocessing)
    return any(isinstance(size, str) for tensor in tensors.values() for size in tensor.shape[1:])


def write(float32: Path, int8: Path, family: str) -> int:
    """Write the int8 version of a float32 file, and return how many products are computed on integers.

    Raises:
        ZooError: there is no product with constant weights.
    """
    import onnx

    index = GraphIndex(onnx.load(float32))
    products = [
        node
        for node in index.graph.node
        if node.op_type == "MatMul" and node.input[1] in index.initializers and node.input[0] not in index.initializers
    ]
    if not products:
        raise ZooError(f"{family} has no products with weights that int8 could compute: leave --int8 out")
    with tempfile.TemporaryDirectory() as scratch:
        quantized = Path(scratch) / "quantized.onnx"
        quantize_weights(float32, quantized)
        save(onnx.load(quantized), int8)
    return len(products)
