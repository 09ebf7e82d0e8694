"""The passes on sequences: they rewrite their patterns, leave other nodes alone, and keep the answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.export.test_passes import RNG, model, passed
from zoo.export.onnx.passes.sequences import (
    convolve_sequences,
    normalize_over_time,
    normalize_waveforms,
)

SHAPE = (2, 9, 4)
FILTERS = 6
AFTER, BEFORE = [0, 2, 3, 1], [0, 3, 1, 2]


def convolution(axis: int = 1, height: int = 1, group: int = 1, **attributes: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return a convolution of a sequence as tf2onnx writes it, with the output `y`, and its constants."""
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["image"]),
        helper.make_node("Transpose", ["image"], ["planes"], perm=BEFORE),
        helper.make_node("Conv", ["planes", "kernel"], ["maps"], group=group, kernel_shape=[height, 3], **attributes),
        helper.make_node("Transpose", ["maps"], ["back"], perm=AFTER),
        helper.make_node("Squeeze", ["back", "axis"], ["y"]),
    ]
    kernel = RNG.normal(size=(FILTERS, SHAPE[2] // group, height, 3)).astype(np.float32)
    return nodes, {"axis": np.array([axis]), "kernel": kernel}


@pytest.mark.parametrize("axis", [1, -3])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [1, 2], "dilations": [1, 2]},
        {"pads": [0, 2, 0, 1]},
        {"group": 2, "auto_pad": "VALID"},
    ],
)
def test_convolution(axis: int, attributes: dict[str, Any]) -> None:
    proto = model(*convolution(axis, **attributes), SHAPE)
    assert passed(convolve_sequences, proto, SHAPE) == {"Transpose": 2, "Squeeze": 1, "Conv": 1}


@pytest.mark.parametrize("swapped", [False, True])
def test_a_bias_goes_into_the_convolution(swapped: bool) -> None:
    nodes, constants = convolution()
    nodes[-1].output[0] = "sequence"
    operands = ["bias", "sequence"] if swapped else ["sequence", "bias"]
    constants["bias"] = RNG.normal(size=FILTERS).astype(np.float32)
    proto = model([*nodes, helper.make_node("Add", operands, ["y"])], constants, SHAPE)
    assert passed(convolve_sequences, proto, SHAPE) == {"Transpose": 2, "Squeeze": 1, "Conv": 1}


@pytest.mark.parametrize("axis", [2, -1])
def test_a_waveform_becomes_one_channel_without_a_transpose(axis: int) -> None:
    nodes, constants = convolution()
    nodes[0].input[0] = "sequence"
    constants |= {"channel": np.array([axis]), "kernel": constants["kernel"][:, :1]}
    proto = model([helper.make_node("Unsqueeze", ["x", "channel"], ["sequence"]), *nodes], constants, SHAPE[:2])
    assert passed(convolve_sequences, proto, SHAPE[:2]) == {"Unsqueeze": 1, "Transpose": 1, "Squeeze": 1, "Conv": 1}


@pytest.mark.parametrize("size", [(1,), (1, 7, FILTERS)])
def test_another_summand_stays(size: tuple[int, ...]) -> None:
    nodes, constants = convolution()
    nodes[-1].output[0] = "sequence"
    constants["other"] = RNG.normal(size=size).astype(np.float32)
    proto = model([*nodes, helper.make_node("Add", ["sequence", "other"], ["y"])], constants, SHAPE)
    assert passed(convolve_sequences, proto, SHAPE)["Add"] == 1


@pytest.mark.parametrize(
    "attributes",
    [
        {"height": 3, "pads": [1, 0, 1, 0]},
        {"pads": [1, 0, 0, 0], "strides": [2, 1]},
        {"axis": 2, "pads": [0, 1, 0, 1]},
    ],
)
def test_another_convolution_is_left(attributes: dict[str, Any]) -> None:
    assert passed(convolve_sequences, model(*convolution(**attributes), SHAPE), SHAPE)["Unsqueeze"] == 1


def test_an_image_that_is_read_elsewhere_is_left() -> None:
    nodes, constants = convolution(pads=[0, 1, 0, 1])
    nodes[-1].output[0] = "sequence"
    nodes += [
        helper.make_node("ReduceSum", ["image"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sequence", "sum"], ["y"]),
    ]
    assert passed(convolve_sequences, model(nodes, constants, SHAPE), SHAPE)["Unsqueeze"] == 1


def normalization(axis: int = 1, exponent: float = 2.0, size: int = SHAPE[2], shape: tuple[int, ...] = SHAPE) -> Any:
    nodes = [
        helper.make_node("ReduceMean", ["x", "axis"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["difference"]),
        helper.make_node("Pow", ["difference", "exponent"], ["power"]),
        helper.make_node("ReduceMean", ["power", "axis"], ["variance"], keepdims=1),
        helper.make_node("Add", ["variance", "epsilon"], ["above"]),
        helper.make_node("Sqrt", ["above"], ["std"]),
        helper.make_node("Div", ["difference", "std"], ["ratio"]),
        helper.make_node("Mul", ["ratio", "gamma"], ["scaled"]),
        helper.make_node("Add", ["scaled", "beta"], ["y"]),
    ]
    gamma, beta = RNG.normal(size=(2, size)).astype(np.float32)
    constants = {"exponent": np.float32(exponent), "epsilon": np.float32(1e-5), "gamma": gamma, "beta": beta}
    return model(nodes, {"axis": np.array([axis]), **constants}, shape)


def test_normalization_over_time() -> None:
    assert passed(normalize_over_time, normalization(), SHAPE) == {"Transpose": 2, "InstanceNormalization": 1}


@pytest.mark.parametrize("changed", [{"axis": 2}, {"exponent": 4.0}, {"size": 1}])
def test_another_normalization_is_left(changed: dict[str, Any]) -> None:
    assert passed(normalize_over_time, normalization(**changed), SHAPE)["Div"] == 1


@pytest.mark.parametrize("shape", [(3, SHAPE[2]), (3, 5, 2, SHAPE[2])])
def test_a_normalization_of_other_than_sequences_is_left(shape: tuple[int, ...]) -> None:
    assert passed(normalize_over_time, normalization(shape=shape), shape)["Div"] == 1


def test_a_difference_that_is_read_elsewhere_is_left() -> None:
    proto = normalization()
    proto.graph.node[-1].output[0] = "normalized"
    proto.graph.node.append(helper.make_node("Add", ["normalized", "difference"], ["y"]))
    assert passed(normalize_over_time, proto, SHAPE)["Div"] == 1


def standardization(axis: int = 1) -> tuple[list[Any], dict[str, Any]]:
    """Return the standardization of waveforms as tf2onnx writes it, with the output `normal`, and its constants."""
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["difference"]),
        helper.make_node("Pow", ["difference", "two"], ["squares"]),
        helper.make_node("ReduceMean", ["squares", "axes"], ["variance"], keepdims=1),
        helper.make_node("Add", ["variance", "epsilon"], ["sum"]),
        helper.make_node("Sqrt", ["sum"], ["std"]),
        helper.make_node("Div", ["difference", "std"], ["normal"]),
    ]
    constants = {"axes": np.array([axis]), "two": np.array(2, np.float32), "epsilon": np.array(1e-3, np.float32)}
    return nodes, constants


def test_a_waveform_is_normalized_as_one_channel() -> None:
    nodes, constants = standardization()
    proto = model([*nodes, helper.make_node("Relu", ["normal"], ["y"])], constants, (2, 50))
    kinds = {"Unsqueeze": 1, "InstanceNormalization": 1, "Squeeze": 1, "Relu": 1}
    assert passed(normalize_waveforms, proto, (2, 50)) == kinds


def test_a_normalized_waveform_stays_a_channel_for_the_first_convolution() -> None:
    nodes, constants = standardization()
    constants |= {"channel": np.array([1]), "kernel": RNG.normal(size=(FILTERS, 1, 3)).astype(np.float32)}
    after = [
        helper.make_node("Unsqueeze", ["normal", "channel"], ["planes"]),
        helper.make_node("Conv", ["planes", "kernel"], ["y"]),
    ]
    proto = model([*nodes, *after], constants, (2, 50))
    assert passed(normalize_waveforms, proto, (2, 50)) == {"Unsqueeze": 1, "InstanceNormalization": 1, "Conv": 1}


def test_a_normalization_over_the_batch_stays() -> None:
    nodes, constants = standardization(axis=0)
    proto = model([*nodes, helper.make_node("Relu", ["normal"], ["y"])], constants, (2, 50))
    assert passed(normalize_waveforms, proto, (2, 50))["ReduceMean"] == 2
