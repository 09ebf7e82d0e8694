"""Constants per channel behind a convolution: biases and scales that constant folding leaves behind a Transpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.passes.transposes import NCHW_TO_NHWC, is_transpose


def fold_channel_constants(model: Any) -> None:
    """Fold a sum or product with one constant per channel into the convolution before it, through a Transpose to NHWC.

    onnxruntime's constant folding does so only if no Transpose stands between the two.
    """
    index = GraphIndex(model)
    for convolution in [node for node in index.graph.node if node.op_type == "Conv"]:
        transpose = index.sole_consumer(convolution.output[0])
        while transpose is not None and is_transpose(transpose, NCHW_TO_NHWC):
            node = index.sole_consumer(transpose.output[0])
            values = channel_constant(node, index, index.shapes[convolution.output[0]][1])
            if node is None or values is None or not _fold(convolution, node, values, index):
                break
            transpose.output[0] = node.output[0]
            index.graph.node.remove(node)


def channel_constant(node: Any | None, index: GraphIndex, channels: int | None) -> np.ndarray | None:
    """Return the constant that an Add or Mul applies to each channel of an NHWC map, float32 [channels].

    None for other nodes and for constants of another shape.
    """
    if node is None or node.op_type not in ("Add", "Mul"):
        return None
    name = next((name for name in node.input if name in index.initializers), None)
    if name is None or list(index.initializers[name].dims) not in ([channels], [1, 1, 1, channels]):
        return None
    return index.array(name).reshape(-1)


def _fold(convolution: Any, node: Any, values: np.ndarray, index: GraphIndex) -> bool:
    """Fold an Add or Mul into a convolution's weights; return False if other nodes read these weights, too."""
    weights = list(convolution.input[1:])
    if any(name not in index.initializers or len(index.consumers[name]) != 1 for name in weights):
        return False
    if node.op_type == "Mul":
        for name in weights:
            per_output = values.reshape(-1, *(1,) * (len(index.array(name).shape) - 1))
            index.set_initializer(name, index.array(name) * per_output)
    elif len(weights) == 2:
        index.set_initializer(weights[1], index.array(weights[1]) + values)
    else:
        name = index.add_initializer(f"{convolution.output[0]}_bias", values)
        convolution.input.append(name)
        # The next constant is folded into this bias, too.
        index.initializers[name] = index.graph.initializer[-1]
        index.consumers[name] = [convolution]
    return True
