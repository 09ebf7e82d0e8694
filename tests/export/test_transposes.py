"""The passes on Transposes, channel constants and Slices, each on a graph of a few nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.export.test_passes import RNG, model, passed
from zoo.export.onnx.passes.channel_constants import fold_channel_constants
from zoo.export.onnx.passes.slices import slice_before_rowwise
from zoo.export.onnx.passes.transposes import (
    NCHW_TO_NHWC,
    NHWC_TO_NCHW,
    add_in_nchw,
    bypass_idle_moves_before_reshapes,
    remove_idle_moves,
)


def weights(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def test_idle_moves_are_removed() -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["b", "shape"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    proto = model(nodes, {"shape": np.array([-1, 3, 1, 1])})
    assert passed(remove_idle_moves, proto) == {"GlobalAveragePool": 1, "Relu": 1}


def test_moves_that_change_the_order_in_memory_are_left() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["a", "shape"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    proto = model(nodes, {"shape": np.array([-1, 3, 5, 4])})
    assert passed(remove_idle_moves, proto) == {"Transpose": 1, "Reshape": 1, "Relu": 1}


@pytest.mark.parametrize(("lengths", "kept"), [([-1, 3], 0), ([0, 3], 1)])
def test_a_reshape_bypasses_idle_moves(lengths: list[int], kept: int) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["b", "row"], ["c"]),
        helper.make_node("Reshape", ["c", "lengths"], ["y"]),
    ]
    proto = model(nodes, {"row": np.array([-1, 1, 3]), "lengths": np.array([*lengths, 1])})
    after = passed(bypass_idle_moves_before_reshapes, proto)
    assert after["Transpose"] == 0
    assert after["Reshape"] == 1 + kept


def test_an_activation_before_a_reshape_bypasses_idle_moves() -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("HardSwish", ["b"], ["c"]),
        helper.make_node("Reshape", ["c", "row"], ["y"]),
    ]
    proto = model(nodes, {"row": np.array([-1, 3])})
    assert passed(bypass_idle_moves_before_reshapes, proto) == {"GlobalAveragePool": 1, "HardSwish": 1, "Reshape": 1}


def test_a_transpose_that_changes_the_order_before_a_reshape_is_left() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["a", "row"], ["y"]),
    ]
    assert passed(bypass_idle_moves_before_reshapes, model(nodes, {"row": np.array([-1, 60])}))["Transpose"] == 1


def after_sums(*nodes: Any, constants: dict[str, Any] | None = None) -> Counter[str]:
    return passed(add_in_nchw, model(list(nodes), constants or {}))


def test_a_sum_between_transposes_is_done_in_nchw() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=NCHW_TO_NHWC),
        helper.make_node("Transpose", ["x"], ["b"], perm=NCHW_TO_NHWC),
        helper.make_node("Softmax", ["b"], ["c"]),
        helper.make_node("Add", ["c", "a"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=NHWC_TO_NCHW),
        helper.make_node("Relu", ["e"], ["y"]),
    ]
    assert after_sums(*nodes) == {"Transpose": 2, "Softmax": 1, "Add": 1, "Relu": 1}


def test_a_chain_of_sums_stays_in_nchw() -> None:
    # As in ConvNeXt's first stage: a normalized NHWC map is added to a convolution's output, and convolved itself.
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=NCHW_TO_NHWC),
        helper.make_node("Softmax", ["a"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"], perm=NHWC_TO_NCHW),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=NCHW_TO_NHWC),
        helper.make_node("Add", ["b", "e"], ["f"]),
        helper.make_node("Transpose", ["f"], ["g"], perm=NHWC_TO_NCHW),
        helper.make_node("Sigmoid", ["g"], ["h"]),
        helper.make_node("Transpose", ["h"], ["i"], perm=NCHW_TO_NHWC),
        helper.make_node("Add", ["f", "i"], ["j"]),
        helper.make_node("Softmax", ["j"], ["y"]),
    ]
    # Before and behind the first softmax, and before the last.
    assert after_sums(*nodes)["Transpose"] == 3


def test_a_sum_that_is_an_output_of_the_graph_keeps_its_name() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=NCHW_TO_NHWC),
        helper.make_node("Softmax", ["a"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    assert after_sums(*nodes)["Add"] == 1


def test_other_sums_are_left() -> None:
    bias = helper.make_node("Add", ["a", "bias"], ["y"])
    for order in (NCHW_TO_NHWC, NHWC_TO_NCHW):
        nodes = [helper.make_node("Transpose", ["x"], ["a"], perm=order), bias]
        assert after_sums(*nodes, constants={"bias": weights(1)}) == {"Transpose": 1, "Add": 1}


def convolution_and(kind: str, values: np.ndarray, order: list[int], *, own: bool = False, shared: bool = False) -> Any:
    nodes = [
        helper.make_node("Conv", ["x", "kernel", *(["own"] if own else [])], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=order),
        helper.make_node(kind, ["b", "values"], ["c"]),
        helper.make_node("Mul", ["c", "size"], ["y"]),
    ]
    constants = {"kernel": weights(4, 3, 2, 1), "values": values.astype(np.float32)}
    constants["size"] = np.array(constants["kernel"].size if not shared else 2, np.float32)
    if shared:
        nodes[3:] = [helper.make_node("ReduceSum", ["kernel"], ["s"]), helper.make_node("Mul", ["c", "s"], ["y"])]
    return model(nodes, constants | ({"own": weights(4)} if own else {}))


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("kind", ["Add", "Mul"])
@pytest.mark.parametrize("shape", [(4,), (1, 1, 1, 4)])
def test_a_constant_per_channel_is_folded_into_the_convolution(shape: tuple[int, ...], kind: str, own: bool) -> None:
    proto = convolution_and(kind, RNG.normal(size=shape), NCHW_TO_NHWC, own=own)
    after = passed(fold_channel_constants, proto)
    assert (after["Conv"], after["Transpose"], after["Add"] + after["Mul"]) == (1, 1, 1)


def test_a_scale_and_then_a_bias_are_folded_into_the_convolution() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=NCHW_TO_NHWC),
        helper.make_node("Mul", ["b", "factor"], ["c"]),
        helper.make_node("Add", ["offset", "c"], ["y"]),
    ]
    proto = model(nodes, {"kernel": weights(4, 3, 2, 1), "factor": weights(4), "offset": weights(4)})
    assert passed(fold_channel_constants, proto) == {"Conv": 1, "Transpose": 1}


def test_constants_behind_a_new_bias_are_folded_too() -> None:
    kinds = ("Add", "Mul", "Add")
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("Transpose", ["a"], ["t0"], perm=NCHW_TO_NHWC),
        *(helper.make_node(kind, [f"t{place}", f"v{place}"], [f"t{place + 1}"]) for place, kind in enumerate(kinds)),
    ]
    nodes[-1].output[0] = "y"
    proto = model(nodes, {"kernel": weights(4, 3, 2, 1), **{f"v{place}": weights(4) for place in range(3)}})
    assert passed(fold_channel_constants, proto) == {"Conv": 1, "Transpose": 1}


def test_other_constants_stay_behind_the_convolution() -> None:
    others = (
        convolution_and("Add", weights(4), [0, 1, 2, 3]),
        convolution_and("Add", weights(4, 1, 4), NCHW_TO_NHWC),
        convolution_and("Mul", weights(4), NCHW_TO_NHWC, shared=True),
    )
    for proto in others:
        after = passed(fold_channel_constants, proto)
        assert after["Add"] + after["Mul"] == 2


def rowwise(*, shape: tuple[int, ...] = (2, 5, 4), start: int = 0, end: int = 1, axis: int = 1) -> Any:
    """The nodes after ViT's last attention: a sum, and a dense layer with a normalization beside it."""
    nodes = [
        helper.make_node("Softmax", ["x"], ["s"], axis=1),
        helper.make_node("Add", ["x", "s"], ["a"]),
        helper.make_node("LayerNormalization", ["a", "gamma", "beta"], ["n"]),
        helper.make_node("MatMul", ["n", "kernel"], ["m"]),
        helper.make_node("Add", ["m", "bias"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Slice", ["c", "starts", "ends", "axes"], ["y"]),
    ]
    constants = {
        **{name: weights(shape[-1]) for name in ("gamma", "beta", "bias")},
        "kernel": weights(shape[-1], shape[-1]),
        **{name: np.array([value]) for name, value in (("starts", start), ("ends", end), ("axes", axis))},
    }
    return model(nodes, constants, shape)


def sliced(proto: Any) -> list[str]:
    passed(slice_before_rowwise, proto, (2, 5, 4))
    return [node.input[0] for node in proto.graph.node if node.op_type == "Slice"]


def test_rows_are_sliced_before_rowwise_nodes() -> None:
    # Not before the softmax, which is over the rows.
    assert sliced(rowwise()) == ["x", "s"]


def test_slices_of_the_last_axis_are_left() -> None:
    assert sliced(rowwise(axis=2, end=3)) == ["c"]
    assert sliced(rowwise(axis=-1, end=3)) == ["c"]


def test_every_second_value_of_rows_is_left() -> None:
    proto = rowwise(axis=2, end=4)
    proto.graph.node[-1].input.append("steps")
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2]), "steps"))
    assert sliced(proto) == ["c"]


def test_several_slices_move() -> None:
    nodes = [
        node
        for name in "ab"
        for node in (
            helper.make_node("Add", ["x", f"bias_{name}"], [f"{name}1"]),
            helper.make_node("Slice", [f"{name}1", "starts", "ends", "axes"], [f"{name}2"]),
        )
    ]
    constants = {
        **{f"bias_{name}": weights(4) for name in "ab"},
        **{name: np.array([value]) for name, value in (("starts", 0), ("ends", 2), ("axes", 1))},
    }
    assert sliced(model([*nodes, helper.make_node("Add", ["a2", "b2"], ["y"])], constants, (2, 5, 4))) == ["x", "x"]


def test_slices_of_rows_that_other_nodes_read_are_left() -> None:
    proto = rowwise()
    proto.graph.node[-1].output[0] = "few"
    proto.graph.node.append(helper.make_node("ReduceSum", ["c"], ["all"]))
    proto.graph.node.append(helper.make_node("Add", ["few", "all"], ["y"]))
    assert sliced(proto) == ["c"]
