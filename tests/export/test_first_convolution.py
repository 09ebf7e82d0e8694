"""How the first convolution reads images: the same answers, without a Transpose, and without floats for int8."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.export.test_passes import RNG, answer, model, passed
from zoo.export.int8 import qdq
from zoo.export.onnx import first_convolution
from zoo.export.onnx.transposes import TO_PLANES

SHAPE = (2, 9, 8, 3)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def image(convolution: dict[str, Any], *, channels: int = 3, filters: int = 6) -> Any:
    """Pixels that are normalized and go through one convolution."""
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["a", "scale"], ["b"]),
        helper.make_node("Add", ["b", "offset"], ["c"]),
        helper.make_node("Transpose", ["c"], ["d"], perm=TO_PLANES),
        helper.make_node("Conv", ["d", "kernel", "bias"], ["y"], **convolution),
    ]
    constants = {
        "scale": np.abs(normal(channels)) + np.float32(0.1),
        "offset": normal(channels),
        "kernel": normal(filters, channels, 3, 2),
        "bias": normal(filters),
    }
    return model(nodes, constants, (2, 9, 8, channels))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    "convolution",
    [{}, {"strides": [2, 3]}, {"pads": [1, 0, 2, 1], "strides": [3, 1]}, {"kernel_shape": [3, 2], "group": 1}],
)
def test_pixels_are_read_as_they_lie(convolution: dict[str, Any], channels: int) -> None:
    proto = image(convolution, channels=channels)
    after = passed(first_convolution.rows_of_pixels, proto, (2, 9, 8, channels))
    assert after == {"Cast": 1, "Add": 1, "Reshape": 1, "Conv": 1}


def test_other_first_convolutions_are_left() -> None:
    for proto in (image({"dilations": [1, 2]}), image({"auto_pad": "SAME_UPPER"})):
        assert passed(first_convolution.rows_of_pixels, proto, SHAPE)["Transpose"] == 1


def rows(filters: int, pads: list[int]) -> Any:
    """An image of bytes whose channels have their means at 90, 120 and 150."""
    proto = image({"pads": pads}, filters=filters)
    values = {tensor.name: tensor for tensor in proto.graph.initializer}
    offset = -onnx.numpy_helper.to_array(values["scale"]) * np.array([90, 120, 150], np.float32)
    values["offset"].CopyFrom(onnx.numpy_helper.from_array(offset, "offset"))
    proto.graph.node[-1].output[0] = "e"
    proto.graph.node.append(helper.make_node("Relu", ["e"], ["y"]))
    proto.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    first_convolution.rows_of_pixels(proto)
    return proto


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_pixels_are_integers_but_for_the_border(pads: list[int]) -> None:
    proto = rows(qdq.NARROW + 1, pads)
    x = RNG.integers(0, 256, SHAPE, dtype=np.uint8)
    expected = answer(proto, x)
    first_convolution.pixels_as_integers(proto)
    assert [node.op_type for node in proto.graph.node] == ["Reshape", "DequantizeLinear", "Conv", "Relu"]
    error = np.abs(answer(proto, x) - expected) / np.abs(expected).max()
    height, width = error.shape[2:]
    inside = error[:, :, pads[0] : height - pads[2], pads[1] : width - pads[3]]
    assert inside.max() < 1e-6
    assert (error.max() > 1e-3) == any(pads)


def test_pixels_stay_floats_for_a_convolution_that_does() -> None:
    proto = rows(qdq.NARROW, [0, 0, 0, 0])
    first_convolution.pixels_as_integers(proto)
    assert [node.op_type for node in proto.graph.node] == ["Cast", "Add", "Reshape", "Conv", "Relu"]
