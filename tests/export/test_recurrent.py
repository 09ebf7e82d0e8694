"""LSTMs in ONNX: the nodes of an exported network, and each pass on graphs that it rewrites or leaves alone."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper

from tests.export.test_passes import RNG, model, passed
from tests.export.text_networks import SIZES, converted, network, texts
from zoo.export.onnx import passes
from zoo.export.onnx.conversion import _fold_constants
from zoo.export.onnx.passes.recurrent import (
    join_directions,
    read_backwards,
    return_last_states,
    stop_at_lengths,
    transpose_ids,
)
from zoo.formats.onnx import inference_session

LENGTH, BATCH, WIDTH, UNITS = SHAPE = (7, 2, 4, 3)
LENGTHS = np.array([7, 3])

AROUND = {"Cast": 1, "Gather": 1, "Gemm": 1, "Max": 1, "ReduceSum": 1}
NODES = {
    "small": {**AROUND, "LSTM": 1, "Squeeze": 1, "Transpose": 1},
    "base": {**AROUND, "LSTM": 1, "Reshape": 1, "Transpose": 2},
    "large": {**AROUND, "LSTM": 2, "Reshape": 2, "Transpose": 3},
}


@pytest.fixture(scope="module", params=SIZES)
def exported(request: pytest.FixtureRequest) -> tuple[str, Any, Any]:
    """A size, its network, and its ONNX file."""
    size = request.param
    built = network(**SIZES[size])
    proto = converted(built)
    passes.apply(proto, "converted")
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "converted.onnx", Path(scratch) / "folded.onnx"
        onnx.save(proto, source)
        _fold_constants(source, target)
        proto = onnx.load(target)
    passes.apply(proto, "folded")
    return size, built, proto


def test_a_network_becomes_few_nodes(exported: tuple[str, Any, Any]) -> None:
    size, built, proto = exported
    counts = Counter(node.op_type for node in proto.graph.node)
    assert counts == NODES[size]
    assert counts["Transpose"] == sum(getattr(layer, "transposes", 0) for layer in built.layers)


@pytest.mark.parametrize("lengths", [(4,), (5, 1, 9), (0, 3), (17, 17, 2)], ids=str)
def test_a_network_answers_as_in_keras(exported: tuple[str, Any, Any], lengths: tuple[int, ...]) -> None:
    _, built, proto = exported
    ids, mask = texts(*lengths, longest=max(lengths) + 2)
    (answer,) = inference_session(proto.SerializeToString()).run(None, {"input_ids": ids, "attention_mask": mask})
    np.testing.assert_allclose(answer, built([ids, mask], training=False).numpy(), rtol=1e-5, atol=1e-5)


def test_an_lstm_that_clips_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    class Clipping(keras.layers.Layer):
        def call(self, ids: Any, mask: Any) -> Any:
            x = tf.ones((LENGTH, BATCH, WIDTH)) * tf.cast(ids[0, 0] + mask[0, 0], tf.float32)
            start, unused = tf.zeros((BATCH, UNITS)), tf.zeros(UNITS)
            weights, bias = tf.zeros((WIDTH + UNITS, 4 * UNITS)), tf.zeros(4 * UNITS)
            return tf.raw_ops.BlockLSTMV2(
                seq_len_max=LENGTH, x=x, cs_prev=start, h_prev=start, w=weights, wci=unused, wcf=unused, wco=unused,
                b=bias, cell_clip=3,
            ).h  # fmt: skip

    ids, mask = (keras.Input((None,), dtype="int64", name=name) for name in ("input_ids", "attention_mask"))
    # The version converter of onnx 1.20 raises IndexError and does not name the operation, that of 1.23 RuntimeError.
    with pytest.raises((RuntimeError, IndexError)):
        converted(keras.Model([ids, mask], Clipping()(ids, mask)))
    assert "BlockLSTMV2 does not fit ONNX's LSTM: use no peepholes, clipping" in caplog.text


def lstm(stem: str, x: str = "x", **options: Any) -> Any:
    """An LSTM with the weights `STEM_w` and so on, and the outputs that are asked for."""
    outputs, lengths = options.pop("outputs", [f"{stem}_y"]), options.pop("lengths", None)
    names = [x, *(f"{stem}_{part}" for part in "wrb"), *([lengths] if lengths else [])]
    return helper.make_node("LSTM", names, outputs, hidden_size=UNITS, **options)


def graph(*nodes: Any, width: int = WIDTH) -> Any:
    """A model of `nodes`, whose input `x` is [length, batch, width]."""
    constants = {"lengths": LENGTHS, "others": np.array([2, 5]), "zero": np.int64(0), "second": np.int64(1),
                 "at0": np.array([0]), "at1": np.array([1])}  # fmt: skip
    for node in nodes:
        if node.op_type == "LSTM":
            given = width if node.input[0] in ("x", "reversed") else 2 * UNITS
            shapes = (1, 4 * UNITS, given), (1, 4 * UNITS, UNITS), (1, 8 * UNITS)
            arrays = (RNG.normal(size=shape).astype(np.float32) for shape in shapes)
            constants |= dict(zip(node.input[1:4], arrays, strict=True))
    cast = [helper.make_node("Cast", ["lengths"], ["told"], to=onnx.TensorProto.INT32)]
    used = any("told" in node.input for node in nodes)
    return model([*(cast if used else []), *nodes], constants, SHAPE[:3])


def reversal(x: str, y: str, lengths: str = "lengths", axes: tuple[int, int] = (0, 1)) -> Any:
    return helper.make_node("ReverseSequence", [x, lengths], [y], time_axis=axes[0], batch_axis=axes[1])


def squeeze(x: str, y: str, axis: str = "at1") -> Any:
    return helper.make_node("Squeeze", [x, axis], [y])


def gather(x: str, y: str, place: str = "zero", axis: int = 0) -> Any:
    return helper.make_node("Gather", [x, place], [y], axis=axis)


def swap(x: str, y: str) -> Any:
    return helper.make_node("Transpose", [x], [y], perm=[1, 0, 2])


LAST = [lstm("a"), squeeze("a_y", "states"), reversal("states", "last")]


def run(one: Any, *nodes: Any) -> Counter[str]:
    return passed(one, graph(*nodes), SHAPE[:3])


def test_the_last_state_is_returned() -> None:
    assert run(return_last_states, *LAST, gather("last", "y")) == {"Cast": 1, "LSTM": 1, "Squeeze": 1}


@pytest.mark.parametrize(
    "nodes",
    [
        [*LAST, gather("last", "y", "second")],
        [*LAST, gather("last", "y", axis=1)],
        [*LAST[:2], reversal("states", "last", "seven", (1, 0)), gather("last", "y")],
        [*LAST, gather("last", "first"), helper.make_node("Add", ["last", "first"], ["y"])],
        [*LAST[:2], gather("states", "y")],
    ],
)
def test_other_reads_of_states_are_left(nodes: list[Any]) -> None:
    proto = graph(*nodes)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2, 1, 2, 1, 2, 1, 2]), "seven"))
    before = Counter(node.op_type for node in nodes)
    assert passed(return_last_states, proto, SHAPE[:3]) == before


SECOND = [lstm("b", "both", lengths="told", outputs=["", "b_h"]), squeeze("b_h", "y", "at0")]
FIRST = [lstm("a"), squeeze("a_y", "states")]
JOINED = helper.make_node("Concat", ["states", "states"], ["both"], axis=2)


def test_an_lstm_before_one_that_stops_stops_too() -> None:
    proto = graph(*FIRST, JOINED, *SECOND)
    passed(stop_at_lengths, proto, SHAPE[:3])
    assert [len(node.input) for node in proto.graph.node if node.op_type == "LSTM"] == [5, 5]


@pytest.mark.parametrize(
    "nodes",
    [
        [*FIRST, JOINED, lstm("b", "both", outputs=["", "b_h"]), squeeze("b_h", "y", "at0")],
        [*FIRST, JOINED, *SECOND[:1], squeeze("b_h", "h", "at0"), helper.make_node("Add", ["h", "states"], ["y"])],
        [*FIRST, reversal("states", "back", "others"), helper.make_node("Concat", ["states", "back"], ["both"], axis=2),
         *SECOND],
    ],
)  # fmt: skip
def test_an_lstm_whose_padding_is_read_does_not_stop(nodes: list[Any]) -> None:
    proto = graph(*nodes)
    passed(stop_at_lengths, proto, SHAPE[:3])
    assert len(next(node for node in proto.graph.node if node.op_type == "LSTM").input) == 4


def backwards(**options: Any) -> list[Any]:
    return [reversal("x", "reversed"), lstm("a", "reversed", **options)]


def test_reversals_become_a_direction() -> None:
    nodes = [*backwards(lengths="told", outputs=["", "h"]), squeeze("h", "y", "at0")]
    assert run(read_backwards, *nodes) == {"Cast": 1, "LSTM": 1, "Squeeze": 1}
    nodes = [*backwards(lengths="told"), squeeze("a_y", "states"), reversal("states", "y")]
    assert run(read_backwards, *nodes) == {"Cast": 1, "LSTM": 1, "Squeeze": 1}


@pytest.mark.parametrize(
    "nodes",
    [
        [*backwards(), squeeze("a_y", "states"), reversal("states", "y")],
        [*backwards(lengths="told"), squeeze("a_y", "y")],
        [*backwards(lengths="told"), squeeze("a_y", "states"), reversal("states", "y", "others")],
        [reversal("x", "reversed", "others"), lstm("a", "reversed", lengths="told", outputs=["", "h"]),
         squeeze("h", "y", "at0")],
    ],
)  # fmt: skip
def test_other_reversals_are_left(nodes: list[Any]) -> None:
    assert run(read_backwards, *nodes)["ReverseSequence"] == sum(node.op_type == "ReverseSequence" for node in nodes)


def both(first: dict[str, Any], second: dict[str, Any], axis: int = 1) -> list[Any]:
    """Two LSTMs whose last states are concatenated."""
    return [
        lstm("a", lengths="told", outputs=["", "a_h"], **first),
        lstm("b", **{"lengths": "told", "outputs": ["", "b_h"], **second}),
        squeeze("a_h", "one", "at0"),
        squeeze("b_h", "two", "at0"),
        helper.make_node("Concat", ["one", "two"], ["y"], axis=axis),
    ]


BACKWARDS = {"direction": "reverse"}


@pytest.mark.parametrize("axis", [1, -1])
def test_two_directions_become_one_lstm(axis: int) -> None:
    counts = run(join_directions, *both({}, BACKWARDS, axis))
    assert counts == {"Cast": 1, "Concat": 3, "LSTM": 1, "Reshape": 1, "Transpose": 1}


def test_two_directions_of_all_states_become_one_lstm() -> None:
    nodes = [
        *(lstm(name, lengths="told", **options) for name, options in (("a", {}), ("b", BACKWARDS))),
        *(squeeze(f"{name}_y", f"{name}_states") for name in "ab"),
        *(swap(f"{name}_states", f"{name}_swapped") for name in "ab"),
        helper.make_node("Concat", ["a_swapped", "b_swapped"], ["y"], axis=2),
    ]
    assert run(join_directions, *nodes) == {"Cast": 1, "Concat": 3, "LSTM": 1, "Reshape": 1, "Transpose": 2}


@pytest.mark.parametrize(
    "nodes",
    [
        both({}, {}),
        both(BACKWARDS, {}),
        both({}, BACKWARDS, axis=0),
        both({}, {**BACKWARDS, "lengths": None}),
        [reversal("x", "reversed"), *both({}, {**BACKWARDS, "x": "reversed"})],
    ],
)
def test_other_pairs_are_left(nodes: list[Any]) -> None:
    assert run(join_directions, *nodes)["LSTM"] == 2


def test_ids_are_transposed_instead_of_vectors() -> None:
    def kinds(*nodes: Any) -> list[str]:
        ids = helper.make_node("Cast", ["x"], ["ids"], to=onnx.TensorProto.INT64)
        proto = graph(
            ids, helper.make_node("Gather", ["table", "ids"], ["vectors"]), swap("vectors", "swapped"), *nodes
        )
        table = RNG.normal(size=(40, 2 * UNITS)).astype(np.float32)  # ids are within 13 of 0
        proto.graph.initializer.append(onnx.numpy_helper.from_array(table, "table"))
        proto.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 5]))
        passed(transpose_ids, proto, (2, 5))
        return [node.op_type for node in proto.graph.node]

    last = lstm("a", "swapped", outputs=["", "h"])
    assert kinds(last, squeeze("h", "y", "at0")) == ["Cast", "Transpose", "Gather", "LSTM", "Squeeze"]
    other = [
        helper.make_node("Gather", ["table", "ids"], ["more"]),
        swap("more", "other"),
        helper.make_node("Add", ["swapped", "other"], ["both"]),
    ]
    assert kinds(*other, lstm("a", "both", outputs=["", "h"]), squeeze("h", "y", "at0")).count("Transpose") == 1
    readers = [helper.make_node("ReduceSum", ["vectors"], ["sum"]), helper.make_node("Add", ["h", "sum"], ["y"])]
    assert kinds(last, *readers)[:3] == ["Cast", "Gather", "Transpose"]
