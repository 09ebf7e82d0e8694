"""The pass on Reshapes with open lengths, on graphs of a few nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.export.test_passes import answer
from zoo.export.onnx.passes.reshapes import keep_open_lengths

WIDTH, HEADS = 6, 2
CONSTANTS = {
    "zero": np.array([0]),
    "one": np.array([1]),
    "two": np.array([2]),
    "heads": np.array([HEADS]),
    "size": np.array([WIDTH // HEADS]),
    "width": np.array([WIDTH]),
    "moved": np.array([0, 2, 1, 3]),
}


def model(nodes: list[Any]) -> Any:
    """Build a model of `x` [batch, length, width], whose output is `y`."""
    arrays = [onnx.numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", "length", WIDTH])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [x], [y], arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def passed(proto: Any) -> tuple[Counter[str], list[list[int]]]:
    """Run the pass; check the answers at two shapes; count the nodes, and return the constant shapes."""
    inputs = [np.random.default_rng(0).normal(size=(*shape, WIDTH)).astype(np.float32) for shape in ((1, 5), (3, 4))]
    before = [answer(proto, x) for x in inputs]
    keep_open_lengths(proto)
    for x, expected in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(answer(proto, x), expected)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor).tolist() for tensor in proto.graph.initializer}
    shapes = [
        constants[node.input[1]]
        for node in proto.graph.node
        if node.op_type == "Reshape" and node.input[1] in constants
    ]
    return Counter(node.op_type for node in proto.graph.node), shapes


def shape_of(value: str, name: str) -> list[Any]:
    """The nodes with which tf2onnx computes the first two lengths of a value: int32, sliced, split."""
    return [
        helper.make_node("Shape", [value], [f"{name}_shape"]),
        helper.make_node("Cast", [f"{name}_shape"], [f"{name}_int32"], to=onnx.TensorProto.INT32),
        helper.make_node("Slice", [f"{name}_int32", "zero", "two", "zero"], [f"{name}_both"]),
        helper.make_node("Cast", [f"{name}_both"], [f"{name}_int64"], to=onnx.TensorProto.INT64),
        helper.make_node("Split", [f"{name}_int64"], [f"{name}_batch", f"{name}_length"], num_outputs=2, axis=0),
    ]


SPLIT = [
    *shape_of("x", "x"),
    helper.make_node("Concat", ["x_batch", "x_length", "heads", "size"], ["to"], axis=0),
    helper.make_node("Reshape", ["x", "to"], ["h"]),
]


def test_heads_are_split_by_a_constant_shape() -> None:
    nodes, shapes = passed(model([*SPLIT, helper.make_node("Relu", ["h"], ["y"])]))
    assert nodes == {"Reshape": 1, "Relu": 1}
    assert shapes == [[0, 0, HEADS, WIDTH // HEADS]]


def test_lengths_are_followed_through_transposes() -> None:
    joined = [
        helper.make_node("Transpose", ["h"], ["t"], perm=[0, 2, 1, 3]),
        helper.make_node("Relu", ["t"], ["r"]),
        helper.make_node("Transpose", ["r"], ["b"], perm=[0, 2, 1, 3]),
        helper.make_node("Shape", ["r"], ["lengths"]),
        helper.make_node("Gather", ["lengths", "moved"], ["reordered"]),
        helper.make_node("Slice", ["reordered", "zero", "two", "zero"], ["both"]),
        helper.make_node("Concat", ["both", "width"], ["back"], axis=0),
        helper.make_node("Reshape", ["b", "back"], ["y"]),
    ]
    nodes, shapes = passed(model([*SPLIT, *joined]))
    assert nodes == {"Reshape": 2, "Transpose": 2, "Relu": 1}
    assert shapes == [[0, 0, HEADS, WIDTH // HEADS], [0, 0, WIDTH]]


def test_one_length_of_another_kind_is_left_open() -> None:
    nodes = [
        *shape_of("x", "x"),
        helper.make_node("Concat", ["x_length", "x_batch", "width"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["y"]),
    ]
    found, shapes = passed(model(nodes))
    assert not shapes  # both are at another place than in x
    assert found["Concat"] == 1

    nodes[-2] = helper.make_node("Concat", ["x_batch", "one", "x_length", "width"], ["to"], axis=0)
    found, shapes = passed(model(nodes))
    assert found == {"Reshape": 1}
    assert shapes == [[0, 1, -1, WIDTH]]


def test_a_shape_that_starts_elsewhere_is_left() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["last"], start=2),
        helper.make_node("Sub", ["one", "two"], ["rest"]),
        helper.make_node("Concat", ["rest", "last"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["y"]),
    ]
    found, shapes = passed(model(nodes))
    assert found["Shape"] == 1
    assert not shapes


def test_a_constant_shape_is_left() -> None:
    proto = model([helper.make_node("Reshape", ["x", "flat"], ["y"])])
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1, WIDTH]), "flat"))
    assert passed(proto) == ({"Reshape": 1}, [[-1, WIDTH]])
