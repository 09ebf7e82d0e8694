"""Each pass on a graph of a few nodes: it rewrites its pattern, leaves other nodes alone, and keeps the answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from zoo.export.onnx.passes.activations import fuse_gelu, fuse_hard_swish
from zoo.export.onnx.passes.channel_scales import collapse_channel_scales, expand_channel_scales
from zoo.export.onnx.passes.initializers import remove_unused_initializers
from zoo.export.onnx.passes.pooling import use_global_average_pool

SHAPE = (2, 3, 5, 4)
RNG = np.random.default_rng(0)


def model(nodes: list[Any], constants: dict[str, Any], shape: tuple[int, ...] = SHAPE) -> Any:
    """Build a model with the input `x` and the output `y`."""
    arrays = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", *shape[1:]])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [x], [y], arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def passed(one: Callable[[Any], None], proto: Any, shape: tuple[int, ...] = SHAPE) -> Counter[str]:
    """Run a pass, check that the answer stays the same, and count the nodes by type."""
    x = RNG.normal(size=shape, scale=3).astype(np.float32)
    before = answer(proto, x)
    one(proto)
    # A sum's rounding is that of its largest term, which may cancel.
    rounding = 1e-5 + 1e-7 * float(np.abs(before).max())
    np.testing.assert_allclose(answer(proto, x), before, rtol=1e-5, atol=rounding)
    return Counter(node.op_type for node in proto.graph.node)


def answer(proto: Any, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def f32(value: float) -> np.float32:
    return np.float32(value)


HARD_SIGMOID = [
    helper.make_node("Add", ["x", "three"], ["a"]),
    helper.make_node("Clip", ["a", "zero", "six"], ["b"]),
    helper.make_node("Mul", ["b", "sixth"], ["c"]),
]
HARD_SIGMOID_CONSTANTS = {"three": f32(3), "zero": f32(0), "six": f32(6), "sixth": f32(1 / 6)}


@pytest.mark.parametrize("inputs", [["x", "c"], ["c", "x"]])
def test_hard_swish(inputs: list[str]) -> None:
    proto = model([*HARD_SIGMOID, helper.make_node("Mul", inputs, ["y"])], HARD_SIGMOID_CONSTANTS)
    assert passed(fuse_hard_swish, proto) == {"HardSwish": 1}


def test_hard_sigmoid_of_another_value() -> None:
    nodes = [*HARD_SIGMOID, helper.make_node("Neg", ["x"], ["n"]), helper.make_node("Mul", ["n", "c"], ["y"])]
    assert passed(fuse_hard_swish, model(nodes, HARD_SIGMOID_CONSTANTS)) == {"HardSigmoid": 1, "Neg": 1, "Mul": 1}


@pytest.mark.parametrize("changed", [{"three": f32(2)}, {"six": f32(5)}, {"sixth": f32(0.2)}])
def test_other_constants_are_no_hard_swish(changed: dict[str, Any]) -> None:
    proto = model([*HARD_SIGMOID, helper.make_node("Mul", ["x", "c"], ["y"])], {**HARD_SIGMOID_CONSTANTS, **changed})
    assert passed(fuse_hard_swish, proto) == {"Add": 1, "Clip": 1, "Mul": 2}


def test_a_pattern_whose_inner_value_is_read_elsewhere_is_left() -> None:
    nodes = [*HARD_SIGMOID, helper.make_node("Mul", ["x", "c"], ["d"]), helper.make_node("Add", ["d", "a"], ["y"])]
    assert passed(fuse_hard_swish, model(nodes, HARD_SIGMOID_CONSTANTS))["Clip"] == 1


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
    assert passed(fuse_gelu, proto) == {"Div": 1, "Erf": 1, "Add": 1, "Mul": 2}
    assert [node.op_type for node in proto.graph.node] == ["Div", "Erf", "Add", "Mul", "Mul"]


def test_gelu_is_a_node_where_there_is_one() -> None:
    proto = gelu_nodes()
    proto.opset_import[0].version = 20
    assert passed(fuse_gelu, proto) == {"Gelu": 1}


def test_gelu_whose_scaled_input_is_read_elsewhere_is_left() -> None:
    proto = gelu_nodes()
    proto.graph.node[-1].output[0] = "activated"
    proto.graph.node.append(helper.make_node("Add", ["activated", "a"], ["y"]))
    assert passed(fuse_gelu, proto)["Erf"] == 1


def test_another_error_function_is_no_gelu() -> None:
    assert passed(fuse_gelu, gelu_nodes(root=0.5)) == {"Erf": 1, "Add": 1, "Mul": 3}


def mean(axes: list[int], keeps: int) -> Any:
    return model([helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=keeps)], {"axes": np.array(axes)})


@pytest.mark.parametrize("keeps", [0, 1])
@pytest.mark.parametrize("axes", [[1, 2], [2, 3], [3, 2]])
def test_global_average(axes: list[int], keeps: int) -> None:
    nodes = passed(use_global_average_pool, mean(axes, keeps))
    assert nodes["GlobalAveragePool"] == 1
    assert nodes["ReduceMean"] == 0


@pytest.mark.parametrize("axes", [[1], [1, 3], [1, 2, 3]])
def test_other_means_are_left(axes: list[int]) -> None:
    assert passed(use_global_average_pool, mean(axes, 1)) == {"ReduceMean": 1}


def test_unused_initializers_are_removed() -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])], {"idle": f32(1)})
    passed(remove_unused_initializers, proto)
    assert not proto.graph.initializer


@pytest.mark.parametrize("inputs", [["b", "scale"], ["scale", "b"]])
def test_channel_scales_are_expanded_and_collapsed(inputs: list[str]) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["b"]),
        helper.make_node("GlobalAveragePool", ["x"], ["scale"]),
        helper.make_node("Mul", inputs, ["y"]),
    ]
    proto = model(nodes, {})
    assert passed(expand_channel_scales, proto) == {"Relu": 1, "GlobalAveragePool": 1, "Resize": 1, "Mul": 1}
    assert passed(collapse_channel_scales, proto) == {"Relu": 1, "GlobalAveragePool": 1, "Mul": 1}
    assert not proto.graph.initializer
    assert not proto.graph.value_info


def test_one_scale_may_multiply_two_maps() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["b"]),
        helper.make_node("GlobalAveragePool", ["x"], ["scale"]),
        helper.make_node("Mul", ["b", "scale"], ["c"]),
        helper.make_node("Mul", ["x", "scale"], ["d"]),
        helper.make_node("Add", ["c", "d"], ["y"]),
    ]
    proto = model(nodes, {})
    assert passed(expand_channel_scales, proto)["Resize"] == 2
    assert passed(collapse_channel_scales, proto)["Resize"] == 0


def test_products_without_a_channel_scale_are_left() -> None:
    for nodes in (
        [helper.make_node("Mul", ["x", "x"], ["y"])],
        [helper.make_node("GlobalAveragePool", ["x"], ["a"]), helper.make_node("Mul", ["a", "a"], ["y"])],
        [helper.make_node("Mul", ["x", "scale"], ["y"])],
        [helper.make_node("ReduceMean", ["x", "axes"], ["a"]), helper.make_node("Mul", ["x", "a"], ["y"])],
    ):
        proto = model(nodes, {"scale": RNG.normal(size=(1, 3, 1, 1)).astype(np.float32), "axes": np.array([1, 2, 3])})
        assert passed(expand_channel_scales, proto)["Resize"] == 0
