"""Average pools before 1x1 convolutions are moved behind them: the answers stay the same, and all nodes are in int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.export.test_passes import model, passed
from tests.export.test_quantize import (
    WIDE,
    calibrated,
    convolution,
    error,
    fused,
    graph,
    kernel,
    logits,
    random_images,
    same_draws,
)
from zoo.export.int8 import qdq
from zoo.export.onnx.passes.average_pools import average_after_convolutions

SHAPE = (2, 6, 7, 5)
RNG = np.random.default_rng(0)
WINDOW: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}


def averaged(window: dict[str, Any], *, filters: int = 4, size: int = 1, bias: bool = True, **options: Any) -> Any:
    """An average of a map and the convolution that reads it."""
    constants = {
        "kernel": RNG.normal(size=(filters, 6 // options.get("group", 1), size, size)).astype(np.float32),
        "bias": RNG.normal(size=filters).astype(np.float32),
    }
    nodes = [
        helper.make_node("AveragePool", ["x"], ["a"], name="pool", **window),
        helper.make_node("Conv", ["a", *constants][: 3 if bias else 2], ["y"], name="conv", **options),
    ]
    return model(nodes, constants, SHAPE)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("window", "kind"),
    [
        (WINDOW, "AveragePool"),
        (WINDOW | {"strides": [2, 2], "pads": [0, 1, 1, 0]}, "AveragePool"),
        (WINDOW | {"count_include_pad": 1}, "Conv"),
        (WINDOW | {"count_include_pad": 1, "strides": [1, 2]}, "Conv"),
        ({"kernel_shape": [3, 2]}, "Conv"),
        ({"kernel_shape": [2, 2], "strides": [2, 2]}, "Conv"),
    ],
)
def test_an_average_is_computed_behind_the_convolution(window: dict[str, Any], kind: str, bias: bool) -> None:
    proto = averaged(window, bias=bias)
    passed(average_after_convolutions, proto, SHAPE)
    first, second = proto.graph.node
    assert (first.op_type, first.name, second.op_type, second.name) == ("Conv", "conv", kind, "pool")


@pytest.mark.parametrize(
    "proto",
    [
        averaged(WINDOW, size=3),
        averaged(WINDOW, strides=[2, 2]),
        averaged(WINDOW, pads=[1, 1, 1, 1]),
        averaged(WINDOW, group=2),
        averaged(WINDOW, filters=7),
        averaged({"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}),
        averaged({"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ],
)
def test_another_order_that_would_not_be_the_same_or_not_pay_is_left(proto: Any) -> None:
    passed(average_after_convolutions, proto, SHAPE)
    assert [node.name for node in proto.graph.node] == ["pool", "conv"]


def test_an_average_with_another_reader_is_left() -> None:
    proto = averaged(WINDOW)
    proto.graph.node[1].output[0] = "b"
    proto.graph.node.append(helper.make_node("GlobalAveragePool", ["a"], ["c"]))
    proto.graph.node.append(helper.make_node("Concat", ["c", "d"], ["y"], axis=1))
    proto.graph.node.insert(3, helper.make_node("GlobalAveragePool", ["b"], ["d"]))
    passed(average_after_convolutions, proto, SHAPE)
    assert proto.graph.node[0].name == "pool"


@pytest.mark.usefixtures(same_draws.__name__)
@pytest.mark.parametrize("include", [0, 1])
def test_a_pool_branch_is_computed_on_integers(include: int, tmp_path: Path) -> None:
    """A branch of Inception: an average pool, a 1x1 convolution and a Relu, between convolutions."""
    nodes = [
        convolution("x", "first"),
        helper.make_node("Relu", ["first"], ["active"]),
        helper.make_node("AveragePool", ["active"], ["average"], name="average", count_include_pad=include, **WINDOW),
        helper.make_node("Conv", ["average", "second_kernel", "second_bias"], ["second"], name="second"),
        helper.make_node("Relu", ["second"], ["positive"]),
        convolution("positive", "y"),
    ]
    weights = {"first_kernel": kernel(2 * WIDE, 1, 3, 3), "first_bias": kernel(2 * WIDE)}
    weights |= {"second_kernel": kernel(WIDE, 2 * WIDE, 1, 1), "second_bias": kernel(WIDE)}
    weights |= {"y_kernel": kernel(WIDE, WIDE, 3, 3), "y_bias": kernel(WIDE)}
    float32, images = graph(nodes, weights, WIDE), random_images()
    expected = logits(float32, images)
    in_front = qdq.quantized(float32, calibrated(float32, images), "x86-vnni")
    average_after_convolutions(float32)
    assert error(logits(float32, images), expected) < 1e-5
    behind = qdq.quantized(float32, calibrated(float32, images), "x86-vnni")
    lost = error(logits(behind, images, tmp_path / "fused.onnx"), expected)
    assert lost < 1.1 * error(logits(in_front, images), expected)
    found = fused(tmp_path / "fused.onnx")
    assert found["QLinearConv"] == 3 + include
    assert found["QLinearAveragePool"] == 1 - include
    assert not found["AveragePool"] + found["Conv"] + found["Relu"]
    # Pixels are converted in front, and the head gives floats.
    assert found["QuantizeLinear"] <= 1
    assert found["DequantizeLinear"] <= 1


@pytest.mark.parametrize("include", [0, 1])
def test_a_second_pass_changes_nothing(include: int) -> None:
    proto = averaged(WINDOW | {"count_include_pad": include})
    average_after_convolutions(proto)
    once = proto.SerializeToString()
    average_after_convolutions(proto)
    assert proto.SerializeToString() == once
