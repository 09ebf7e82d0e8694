"""Each pass on a graph of a few nodes: it finds what it should, leaves the rest alone, and changes no answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from zoo.export.onnx import passes

SHAPE = (2, 3, 5, 4)
RNG = np.random.default_rng(0)


def model(nodes: list[Any], constants: dict[str, Any], shape: tuple[int, ...] = SHAPE) -> Any:
    """A graph from `x` to `y`, in the versions that zoo writes."""
    arrays = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", *shape[1:]])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [x], [y], arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def passed(one: Callable[[Any], None], proto: Any, shape: tuple[int, ...] = SHAPE) -> Counter[str]:
    """The nodes after a pass; the answer is what it was."""
    x = RNG.normal(size=shape, scale=3).astype(np.float32)
    before = answer(proto, x)
    one(proto)
    np.testing.assert_allclose(answer(proto, x), before, rtol=1e-5, atol=1e-5)
    return Counter(node.op_type for node in proto.graph.node)


def answer(proto: Any, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def f32(value: float) -> np.float32:
    return np.float32(value)


GATE = [
    helper.make_node("Add", ["x", "three"], ["a"]),
    helper.make_node("Clip", ["a", "zero", "six"], ["b"]),
    helper.make_node("Mul", ["b", "sixth"], ["c"]),
]
GATE_CONSTANTS = {"three": f32(3), "zero": f32(0), "six": f32(6), "sixth": f32(1 / 6)}


@pytest.mark.parametrize("inputs", [["x", "c"], ["c", "x"]])
def test_hard_swish(inputs: list[str]) -> None:
    proto = model([*GATE, helper.make_node("Mul", inputs, ["y"])], GATE_CONSTANTS)
    assert passed(passes.hard_swish, proto) == {"HardSwish": 1}


def test_hard_sigmoid_of_another_value() -> None:
    nodes = [*GATE, helper.make_node("Neg", ["x"], ["n"]), helper.make_node("Mul", ["n", "c"], ["y"])]
    assert passed(passes.hard_swish, model(nodes, GATE_CONSTANTS)) == {"HardSigmoid": 1, "Neg": 1, "Mul": 1}


@pytest.mark.parametrize("changed", [{"three": f32(2)}, {"six": f32(5)}, {"sixth": f32(0.2)}])
def test_other_constants_are_no_hard_swish(changed: dict[str, Any]) -> None:
    proto = model([*GATE, helper.make_node("Mul", ["x", "c"], ["y"])], {**GATE_CONSTANTS, **changed})
    assert passed(passes.hard_swish, proto) == {"Add": 1, "Clip": 1, "Mul": 2}


def test_a_piece_that_is_read_elsewhere_is_left() -> None:
    nodes = [*GATE, helper.make_node("Mul", ["x", "c"], ["d"]), helper.make_node("Add", ["d", "a"], ["y"])]
    assert passed(passes.hard_swish, model(nodes, GATE_CONSTANTS))["Clip"] == 1


def gelu_nodes(root: float = 0.5**0.5) -> Any:
    nodes = [
        helper.make_node("Mul", ["x", "root"], ["a"]),
        helper.make_node("Erf", ["a"], ["b"]),
        helper.make_node("Add", ["b", "one"], ["c"]),
        helper.make_node("Mul", ["half", "c"], ["d"]),
        helper.make_node("Mul", ["x", "d"], ["y"]),
    ]
    return model(nodes, {"root": f32(root), "one": f32(1), "half": f32(0.5)})


def test_gelu() -> None:
    proto = gelu_nodes()
    assert passed(passes.gelu, proto) == {"Div": 1, "Erf": 1, "Add": 1, "Mul": 2}
    assert [node.op_type for node in proto.graph.node] == ["Div", "Erf", "Add", "Mul", "Mul"]


def test_gelu_is_a_node_where_there_is_one() -> None:
    proto = gelu_nodes()
    proto.opset_import[0].version = 20
    assert passed(passes.gelu, proto) == {"Gelu": 1}


def test_another_error_function_is_no_gelu() -> None:
    assert passed(passes.gelu, gelu_nodes(root=0.5)) == {"Erf": 1, "Add": 1, "Mul": 3}


def mean(axes: list[int], keeps: int) -> Any:
    return model([helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=keeps)], {"axes": np.array(axes)})


@pytest.mark.parametrize("keeps", [0, 1])
@pytest.mark.parametrize("axes", [[1, 2], [2, 3], [3, 2]])
def test_global_average(axes: list[int], keeps: int) -> None:
    nodes = passed(passes.global_average, mean(axes, keeps))
    assert nodes["GlobalAveragePool"] == 1
    assert nodes["ReduceMean"] == 0


@pytest.mark.parametrize("axes", [[1], [1, 3], [1, 2, 3]])
def test_other_means_are_left(axes: list[int]) -> None:
    assert passed(passes.global_average, mean(axes, 1)) == {"ReduceMean": 1}


def test_constants_that_nothing_reads_are_removed() -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])], {"idle": f32(1)})
    passed(passes.unread_constants, proto)
    assert not proto.graph.initializer


@pytest.mark.parametrize("inputs", [["b", "gate"], ["gate", "b"]])
def test_gates_are_repeated_and_taken_back(inputs: list[str]) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["b"]),
        helper.make_node("GlobalAveragePool", ["x"], ["gate"]),
        helper.make_node("Mul", inputs, ["y"]),
    ]
    proto = model(nodes, {})
    assert passed(passes.repeated_gates, proto) == {"Relu": 1, "GlobalAveragePool": 1, "Resize": 1, "Mul": 1}
    assert passed(passes.gates_once, proto) == {"Relu": 1, "GlobalAveragePool": 1, "Mul": 1}
    assert not proto.graph.initializer
    assert not proto.graph.value_info


def test_products_of_maps_of_one_shape_have_no_gates() -> None:
    for nodes in (
        [helper.make_node("Mul", ["x", "x"], ["y"])],
        [helper.make_node("GlobalAveragePool", ["x"], ["a"]), helper.make_node("Mul", ["a", "a"], ["y"])],
        [helper.make_node("Mul", ["x", "scale"], ["y"])],
        [helper.make_node("ReduceMean", ["x", "axes"], ["a"]), helper.make_node("Mul", ["x", "a"], ["y"])],
    ):
        proto = model(nodes, {"scale": RNG.normal(size=(1, 3, 1, 1)).astype(np.float32), "axes": np.array([1, 2, 3])})
        assert passed(passes.repeated_gates, proto)["Resize"] == 0
