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

from zoo.export import passes

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


def test_moves_around_a_map_of_one_pixel_are_dropped() -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["b", "shape"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    proto = model(nodes, {"shape": np.array([-1, 3, 1, 1])})
    assert passed(passes.idle_moves, proto) == {"GlobalAveragePool": 1, "Relu": 1}


def test_moves_that_move_are_left() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["a", "shape"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    proto = model(nodes, {"shape": np.array([-1, 3, 5, 4])})
    assert passed(passes.idle_moves, proto) == {"Transpose": 1, "Reshape": 1, "Relu": 1}


@pytest.mark.parametrize(("lengths", "kept"), [([-1, 3], 0), ([0, 3], 1)])
def test_moves_before_a_reshape(lengths: list[int], kept: int) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["b", "row"], ["c"]),
        helper.make_node("Reshape", ["c", "lengths"], ["y"]),
    ]
    proto = model(nodes, {"row": np.array([-1, 1, 3]), "lengths": np.array([*lengths, 1])})
    after = passed(passes.moves_before_reshapes, proto)
    assert after["Transpose"] == 0
    assert after["Reshape"] == 1 + kept


def test_a_move_before_a_reshape_that_moves_is_left() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["a", "row"], ["y"]),
    ]
    assert passed(passes.moves_before_reshapes, model(nodes, {"row": np.array([-1, 60])}))["Transpose"] == 1


def sum_between_moves(order: list[int], back: list[int], y: tuple[int, ...]) -> Any:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=order),
        helper.make_node("Transpose", ["x"], ["b"], perm=order),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Mul", ["c", "scale"], ["d"]),
        helper.make_node("Add", ["d", "a"], ["e"]),
        helper.make_node("Transpose", ["e"], ["y"], perm=back),
    ]
    return model(nodes, {"scale": RNG.normal(size=y).astype(np.float32)})


def test_a_sum_between_moves_is_one_of_what_was_there_before() -> None:
    proto = sum_between_moves([0, 2, 3, 1], [0, 3, 1, 2], (3,))
    assert passed(passes.sums_between_moves, proto)["Transpose"] == 2
    assert [node.op_type for node in proto.graph.node][-2:] == ["Transpose", "Add"]


def test_a_move_behind_one_sum_and_before_the_next() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        helper.make_node("Transpose", ["x"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Add", ["c", "a"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=[0, 3, 1, 2]),
        helper.make_node("Relu", ["x"], ["f"]),
        helper.make_node("Add", ["e", "f"], ["g"]),
        helper.make_node("Transpose", ["g"], ["y"], perm=[0, 2, 3, 1]),
    ]
    assert passed(passes.sums_between_moves, model(nodes, {}))["Transpose"] == 3


def test_a_sum_between_other_moves_is_left() -> None:
    proto = sum_between_moves([0, 2, 3, 1], [0, 2, 3, 1], (3,))
    assert passed(passes.sums_between_moves, proto)["Transpose"] == 3


def convolution_and_bias(bias: np.ndarray, order: list[int], *, own: bool = False) -> Any:
    nodes = [
        helper.make_node("Conv", ["x", "kernel", *(["own"] if own else [])], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=order),
        helper.make_node("Add", ["b", "bias"], ["y"]),
    ]
    constants = {"kernel": RNG.normal(size=(4, 3, 2, 1)).astype(np.float32), "bias": bias.astype(np.float32)}
    return model(nodes, constants | ({"own": np.ones(4, np.float32)} if own else {}))


@pytest.mark.parametrize("shape", [(4,), (1, 1, 1, 4)])
def test_a_bias_goes_into_the_convolution(shape: tuple[int, ...]) -> None:
    proto = convolution_and_bias(RNG.normal(size=shape), [0, 2, 3, 1])
    assert passed(passes.bias, proto) == {"Conv": 1, "Transpose": 1}


def test_what_is_no_bias_stays_behind_the_convolution() -> None:
    others = (
        convolution_and_bias(RNG.normal(size=4), [0, 1, 2, 3]),
        convolution_and_bias(RNG.normal(size=(4, 1, 4)), [0, 2, 3, 1]),
        convolution_and_bias(RNG.normal(size=4), [0, 2, 3, 1], own=True),
    )
    for proto in others:
        assert passed(passes.bias, proto)["Add"] == 1


def test_scale_goes_into_the_product() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "weight"], ["a"]),
        helper.make_node("Add", ["a", "bias"], ["b"]),
        helper.make_node("Mul", ["b", "scale"], ["y"]),
    ]
    constants = {
        "weight": RNG.normal(size=(4, 7)).astype(np.float32),
        "bias": RNG.normal(size=7).astype(np.float32),
        "scale": RNG.normal(size=7).astype(np.float32),
    }
    assert passed(passes.scaled_product, model(nodes, constants)) == {"MatMul": 1, "Add": 1}


def test_a_weight_that_is_shared_is_not_scaled() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "weight"], ["a"]),
        helper.make_node("Add", ["a", "bias"], ["b"]),
        helper.make_node("Mul", ["b", "scale"], ["c"]),
        helper.make_node("MatMul", ["c", "weight"], ["y"]),
    ]
    constants = {
        "weight": RNG.normal(size=(4, 4)).astype(np.float32),
        "bias": RNG.normal(size=4).astype(np.float32),
        "scale": RNG.normal(size=4).astype(np.float32),
    }
    assert passed(passes.scaled_product, model(nodes, constants)) == {"MatMul": 2, "Add": 1, "Mul": 1}


def test_pixels_are_transposed_as_bytes() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["a", "scale"], ["b"]),
        helper.make_node("Add", ["b", "offset"], ["c"]),
        helper.make_node("Transpose", ["c"], ["y"], perm=[0, 3, 1, 2]),
    ]
    constants = {"scale": RNG.normal(size=4).astype(np.float32), "offset": RNG.normal(size=4).astype(np.float32)}
    proto = model(nodes, constants)
    assert passed(passes.planes_first, proto) == {"Transpose": 1, "Cast": 1, "Mul": 1, "Add": 1}
    assert proto.graph.node[0].op_type == "Transpose"


def test_constants_that_nothing_reads_are_removed() -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])], {"idle": f32(1)})
    passed(passes.unread_constants, proto)
    assert not proto.graph.initializer
