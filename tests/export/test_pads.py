"""Zero padding: it is folded into convolutions and pools where possible, and no answer changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from tests.described import described
from tests.export.test_passes import RNG, model, passed
from zoo import layers
from zoo.export.graph import trace
from zoo.export.onnx import lint
from zoo.export.onnx.conversion import write_onnx
from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.passes.padding import fold_padding, is_not_negative
from zoo.inputs.image.preprocessing import Preprocessing

AROUND = [0, 0, 1, 1, 0, 0, 1, 1]
RELU = helper.make_node("Relu", ["x"], ["map"])
POOL: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2]}


def padded(
    reader: str,
    *,
    before: Any = RELU,
    lengths: Any = AROUND,
    inputs: tuple[str, ...] = ("lengths",),
    **options: Any,
) -> Any:
    """A feature map, a Pad, and the node that reads it."""
    names = ["padded", "kernel"] if reader == "Conv" else ["padded"]
    constants = {
        "lengths": np.array(lengths),
        "kernel": RNG.normal(size=(2, 3, 3, 3)).astype(np.float32),
        "zero": np.float32(0),
        "one": np.float32(1),
        "sides": np.array([-1, 2]),
        "few": np.array(lengths[:4]),
        "least": np.float32(-1),
    }
    nodes = [
        before,
        helper.make_node("Pad", ["map", *inputs], ["padded"]),
        helper.make_node(reader, names, ["y"], **options),
    ]
    return model(nodes, constants)


@pytest.mark.parametrize(
    "make",
    [
        lambda: padded("MaxPool", **POOL),
        lambda: padded("MaxPool", lengths=[0, 0, 2, 0, 0, 0, 1, 2], **POOL),
        lambda: padded("MaxPool", pads=[1, 1, 1, 1], **POOL),
        lambda: padded("MaxPool", auto_pad="VALID", **POOL),
        lambda: padded("MaxPool", inputs=("lengths", "zero"), **POOL),
        lambda: padded("MaxPool", inputs=("few", "", "sides"), **POOL),
        lambda: padded("AveragePool", **POOL),
        lambda: padded("AveragePool", pads=[1, 0, 1, 0], count_include_pad=1, **POOL),
        lambda: padded("AveragePool", before=helper.make_node("Neg", ["x"], ["map"]), **POOL),
        lambda: padded("Conv"),
        lambda: padded("Conv", pads=[0, 1, 1, 0], strides=[2, 1], before=helper.make_node("Neg", ["x"], ["map"])),
    ],
)
def test_padding_is_folded(make: Callable[[], Any]) -> None:
    nodes = passed(fold_padding, make())
    assert nodes["Pad"] == 0
    assert sum(nodes.values()) == 2


@pytest.mark.parametrize(
    "make",
    [
        # Of a negative map the zeros may be the largest.
        lambda: padded("MaxPool", before=helper.make_node("Neg", ["x"], ["map"]), **POOL),
        lambda: padded("MaxPool", before=helper.make_node("Clip", ["x", "least"], ["map"]), **POOL),
        # A window of zeros alone.
        lambda: padded("MaxPool", lengths=[0, 0, 3, 0, 0, 0, 0, 0], **POOL),
        lambda: padded("MaxPool", lengths=[0, 0, 2, 0, 0, 0, 0, 0], pads=[1, 0, 0, 0], **POOL),
        lambda: padded("AveragePool", lengths=[0, 0, 3, 0, 0, 0, 0, 0], **POOL),
        lambda: padded("MaxPool", dilations=[2, 1], kernel_shape=[2, 2]),
        # Rounding up leaves out windows that begin in padding.
        lambda: padded("MaxPool", ceil_mode=1, **POOL),
        lambda: padded("AveragePool", ceil_mode=1, **POOL),
        lambda: padded("MaxPool", auto_pad="SAME_UPPER", **POOL),
        # The node's own padding is not counted, and the zeros are.
        lambda: padded("AveragePool", pads=[1, 1, 1, 1], **POOL),
        # Other values, other axes, cutting.
        lambda: padded("MaxPool", inputs=("lengths", "one"), **POOL),
        lambda: padded("MaxPool", lengths=[0, 1, 1, 1, 0, 0, 1, 1], **POOL),
        lambda: padded("Conv", lengths=[0, 0, -1, 0, 0, 0, 1, 1]),
    ],
)
def test_padding_that_would_change_the_result_is_left(make: Callable[[], Any]) -> None:
    assert passed(fold_padding, make())["Pad"] == 1


def test_padding_is_folded_into_all_consumers_or_none() -> None:
    def read_by(kind: str, **options: Any) -> Any:
        proto = padded("MaxPool", **POOL)
        proto.graph.node[-1].output[0] = "pooled"
        proto.graph.node.append(helper.make_node(kind, ["padded"], ["other"], **options))
        proto.graph.node.append(helper.make_node("ReduceSum", ["pooled"], ["a"], keepdims=0))
        proto.graph.node.append(helper.make_node("ReduceSum", ["other"], ["b"], keepdims=0))
        proto.graph.node.append(helper.make_node("Add", ["a", "b"], ["y"]))
        return proto

    assert passed(fold_padding, read_by("AveragePool", kernel_shape=[2, 2]))["Pad"] == 0
    proto = read_by("Exp")
    assert passed(fold_padding, proto)["Pad"] == 1
    assert not [one for one in proto.graph.node[2].attribute if one.name == "pads"]


UNARY = ("Relu", "Neg", "Sigmoid", "HardSwish", "LeakyRelu", "Tanh", "Exp", "Elu")


@given(st.lists(st.sampled_from((*UNARY, "Add", "Mul", "Sub", "Concat")), min_size=1, max_size=8), st.randoms())
def test_values_that_are_said_not_to_be_negative_are_not(kinds: list[str], random: Any) -> None:
    import onnxruntime

    nodes, known = [], ["x", "weights"]
    for number, kind in enumerate(kinds):
        inputs = random.choices(known, k=1 if kind in UNARY else 2)
        axis: dict[str, Any] = {"axis": 0} if kind == "Concat" else {}
        nodes.append(helper.make_node(kind, inputs, [f"t{number}"], **axis))
        known += [] if kind == "Concat" else [f"t{number}"]
    proto = model(nodes, {"weights": np.full((2, 3, 5, 4), random.choice([-1, 1]), np.float32)})
    said = {name for node in nodes for name in node.output if is_not_negative(name, GraphIndex(proto))}
    del proto.graph.output[:]
    for node in nodes:
        proto.graph.output.append(helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    values = dict(zip([one.name for one in session.get_outputs()], session.run(None, {"x": x}), strict=True))
    assert not [name for name in said if (values[name] < 0).any()]


def pooled(act: Any, path: Path) -> tuple[bool, dict[str, Any]]:
    """The report of the lint on a network with zero padding before its MaxPool."""
    image = keras.Input((16, 16, 3), name="image")
    x = layers.convolution(image, 32, 3, name="stem")
    x = layers.activation(x, act, name="act") if act else x
    x = layers.max_pool(x, 3, stride=2, padding=1, name="pool")
    x = layers.convolution(x, 32, 3, stride=2, name="halving")
    made = keras.Model(image, layers.logits(keras.layers.GlobalAveragePooling2D(name="average")(x), 5))
    preprocessing = Preprocessing(16, 16, 3, (0.5,) * 3, (0.25,) * 3)
    record = write_onnx(trace(made, described(preprocessing, "abcde")), path)
    return lint.report(path, record)


def test_a_network_whose_pad_cannot_be_folded_is_refused(tmp_path: Path) -> None:
    passes, figures = pooled("relu", tmp_path / "model.onnx")
    assert passes, figures
    assert "Pad" not in figures["file"]
    passes, figures = pooled(None, tmp_path / "negative.onnx")
    assert not passes
    assert "Pads that are not folded into a convolution or pool: Pad " in figures["problems"][0]
