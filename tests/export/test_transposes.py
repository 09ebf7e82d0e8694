"""Each pass that moves less, on a graph of a few nodes: it finds what it should, and changes no answer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.export.test_passes import RNG, model, passed
from zoo.export.onnx import transposes

TO_PLANES, TO_PIXELS = [0, 3, 1, 2], [0, 2, 3, 1]


def weights(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def test_moves_around_a_map_of_one_pixel_are_dropped() -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["b", "shape"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    proto = model(nodes, {"shape": np.array([-1, 3, 1, 1])})
    assert passed(transposes.idle_moves, proto) == {"GlobalAveragePool": 1, "Relu": 1}


def test_moves_that_move_are_left() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["a", "shape"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    proto = model(nodes, {"shape": np.array([-1, 3, 5, 4])})
    assert passed(transposes.idle_moves, proto) == {"Transpose": 1, "Reshape": 1, "Relu": 1}


@pytest.mark.parametrize(("lengths", "kept"), [([-1, 3], 0), ([0, 3], 1)])
def test_moves_before_a_reshape(lengths: list[int], kept: int) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["b", "row"], ["c"]),
        helper.make_node("Reshape", ["c", "lengths"], ["y"]),
    ]
    proto = model(nodes, {"row": np.array([-1, 1, 3]), "lengths": np.array([*lengths, 1])})
    after = passed(transposes.moves_before_reshapes, proto)
    assert after["Transpose"] == 0
    assert after["Reshape"] == 1 + kept


def test_moves_before_a_curve_before_a_reshape() -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 3, 1]),
        helper.make_node("HardSwish", ["b"], ["c"]),
        helper.make_node("Reshape", ["c", "row"], ["y"]),
    ]
    proto = model(nodes, {"row": np.array([-1, 3])})
    assert passed(transposes.moves_before_reshapes, proto) == {"GlobalAveragePool": 1, "HardSwish": 1, "Reshape": 1}


def test_a_move_before_a_reshape_that_moves_is_left() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["a", "row"], ["y"]),
    ]
    assert passed(transposes.moves_before_reshapes, model(nodes, {"row": np.array([-1, 60])}))["Transpose"] == 1


def after_sums(*nodes: Any, constants: dict[str, Any] | None = None) -> Counter[str]:
    return passed(transposes.sums_of_planes, model(list(nodes), constants or {}))


def test_a_sum_between_moves_is_one_of_what_was_there_before() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=TO_PIXELS),
        helper.make_node("Transpose", ["x"], ["b"], perm=TO_PIXELS),
        helper.make_node("Softmax", ["b"], ["c"]),
        helper.make_node("Add", ["c", "a"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=TO_PLANES),
        helper.make_node("Relu", ["e"], ["y"]),
    ]
    assert after_sums(*nodes) == {"Transpose": 2, "Softmax": 1, "Add": 1, "Relu": 1}


def test_a_chain_of_sums_stays_as_planes() -> None:
    # As ConvNeXt's first stage: a norm of pixels is both summed with a convolution's and convolved.
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=TO_PIXELS),
        helper.make_node("Softmax", ["a"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"], perm=TO_PLANES),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=TO_PIXELS),
        helper.make_node("Add", ["b", "e"], ["f"]),
        helper.make_node("Transpose", ["f"], ["g"], perm=TO_PLANES),
        helper.make_node("Sigmoid", ["g"], ["h"]),
        helper.make_node("Transpose", ["h"], ["i"], perm=TO_PIXELS),
        helper.make_node("Add", ["f", "i"], ["j"]),
        helper.make_node("Softmax", ["j"], ["y"]),
    ]
    # Before and behind the first softmax, and before the last.
    assert after_sums(*nodes)["Transpose"] == 3


def test_a_sum_that_the_graph_gives_out_keeps_its_name() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=TO_PIXELS),
        helper.make_node("Softmax", ["a"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    assert after_sums(*nodes)["Add"] == 1


def test_other_sums_are_left() -> None:
    bias = helper.make_node("Add", ["a", "bias"], ["y"])
    for order in (TO_PIXELS, TO_PLANES):
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
def test_what_each_channel_gets_goes_into_the_convolution(shape: tuple[int, ...], kind: str, own: bool) -> None:
    proto = convolution_and(kind, RNG.normal(size=shape), TO_PIXELS, own=own)
    after = passed(transposes.behind_convolutions, proto)
    assert (after["Conv"], after["Transpose"], after["Add"] + after["Mul"]) == (1, 1, 1)


def test_a_factor_and_then_an_offset_go_into_the_convolution() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=TO_PIXELS),
        helper.make_node("Mul", ["b", "factor"], ["c"]),
        helper.make_node("Add", ["offset", "c"], ["y"]),
    ]
    proto = model(nodes, {"kernel": weights(4, 3, 2, 1), "factor": weights(4), "offset": weights(4)})
    assert passed(transposes.behind_convolutions, proto) == {"Conv": 1, "Transpose": 1}


def test_what_is_not_of_channels_stays_behind_the_convolution() -> None:
    others = (
        convolution_and("Add", weights(4), [0, 1, 2, 3]),
        convolution_and("Add", weights(4, 1, 4), TO_PIXELS),
        convolution_and("Mul", weights(4), TO_PIXELS, shared=True),
    )
    for proto in others:
        after = passed(transposes.behind_convolutions, proto)
        assert after["Add"] + after["Mul"] == 2


def by_row(*, shape: tuple[int, ...] = (2, 5, 4), start: int = 0, end: int = 1, axis: int = 1) -> Any:
    """As behind ViT's last attention: a sum, and dense layers around a norm beside it."""
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


def chosen(proto: Any) -> list[str]:
    passed(transposes.rows_first, proto, (2, 5, 4))
    return [node.input[0] for node in proto.graph.node if node.op_type == "Slice"]


def test_rows_are_chosen_before_what_treats_each_by_itself() -> None:
    # Not before the softmax, which is over the rows.
    assert chosen(by_row()) == ["x", "s"]


def test_parts_of_rows_are_chosen_where_they_were() -> None:
    assert chosen(by_row(axis=2, end=3)) == ["c"]
    assert chosen(by_row(axis=-1, end=3)) == ["c"]


def test_rows_that_others_read_are_chosen_where_they_were() -> None:
    proto = by_row()
    proto.graph.node[-1].output[0] = "few"
    proto.graph.node.append(helper.make_node("ReduceSum", ["c"], ["all"]))
    proto.graph.node.append(helper.make_node("Add", ["few", "all"], ["y"]))
    assert chosen(proto) == ["c"]
