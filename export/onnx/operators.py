"""Converters of TensorFlow operations that tf2onnx does not know to ONNX nodes.

To add one, write a function of tf2onnx's graph and the TensorFlow node, and add a row to `OPERATORS`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import ZooError

STATES = 6
"""The output of BlockLSTMV2 that holds the state after each step."""

GATES = (0, 3, 1, 2)
"""The gates of BlockLSTMV2 (input, forget, cell, output) in the order of ONNX: input, output, forget, cell."""


def block_lstm(graph: Any, node: Any, name: str, _: Any) -> None:
    """Convert BlockLSTMV2 to LSTM, with nodes on its weights that constant folding removes.

    Raises:
        ZooError: it has peepholes, clips its cells, starts from states other than zero, or something reads
            another output than the states.
    """
    x, weights, bias = (node.input[index] for index in (1, 4, 8))
    others = [output for index, output in enumerate(node.output) if index != STATES]
    if (
        node.get_attr_value("use_peephole", False)
        or node.get_attr_value("cell_clip", 0) > 0
        or not (_is_zero(node.inputs[2]) and _is_zero(node.inputs[3]))
        or any(graph.find_output_consumers(output) or output in graph.outputs for output in others)
    ):
        raise ZooError(f"{name} does not fit ONNX's LSTM: use no peepholes, clipping, initial states, or cell outputs")
    width, units = graph.get_shape(x)[-1], graph.get_shape(weights)[1] // 4
    order = np.arange(4 * units).reshape(4, units)[list(GATES)].reshape(-1)
    result, shape, dtype = node.output[STATES], node.output_shapes[STATES], node.output_dtypes[STATES]

    def constant(ending: str, value: Any) -> str:
        return str(graph.make_const(f"{name}_{ending}", np.asarray(value)).output[0])

    def operation(op_type: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        return list(graph.make_node(op_type, list(inputs), attr=attributes, output_count=outputs).output)

    graph.remove_node(node.name)
    gates, first = constant("gates", order), constant("first", [0])
    (rows,) = operation("Transpose", *operation("Gather", weights, gates, axis=1), perm=[1, 0])
    parts = operation("Split", rows, constant("parts", [width, units]), outputs=2, axis=1)
    (ordered,) = operation("Gather", bias, gates, axis=0)
    # ONNX's second bias, which is added to the first one.
    (biases,) = operation("Concat", ordered, constant("zeros", np.zeros(4 * units, np.float32)), axis=0)
    stacked = [operation("Unsqueeze", matrix, first)[0] for matrix in (*parts, biases)]
    (states,) = operation("LSTM", x, *stacked, hidden_size=units)
    graph.make_node(
        "Squeeze", [states, constant("directions", [1])], outputs=[result], name=name, shapes=[shape], dtypes=[dtype]
    )


def _is_zero(node: Any) -> bool:
    """Return whether a node is all zeros: a constant, or a Fill (before conversion) or Expand (after it) of one."""
    if node.is_const():
        return not np.any(node.get_tensor_value(as_list=False))
    return node.type in ("Fill", "Expand") and any(map(_is_zero, node.inputs))


OPERATORS: dict[str, tuple[Any, list[str]]] = {"BlockLSTMV2": (block_lstm, [])}
"""tf2onnx' `custom_op_handlers`: a function and its arguments by the name of the TensorFlow operation."""
