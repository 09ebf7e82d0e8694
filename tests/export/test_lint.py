"""Each rule of the lint on a good and a bad graph of a few nodes, and the lint on whole networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from onnx import helper

import zoo
from tests.described import described
from tests.export.test_passes import HARD_SIGMOID, HARD_SIGMOID_CONSTANTS, f32, gelu_nodes, mean, model
from zoo import blocks, layers
from zoo.errors import ZooError
from zoo.export.graph import trace
from zoo.export.onnx import lint
from zoo.export.onnx.conversion import LARGEST_FILE, OPSET, check_opset, check_size, ir_version, write_onnx
from zoo.export.onnx.expected_transposes import expected_transposes
from zoo.export.onnx.skeleton import load as load_skeleton
from zoo.inputs.image.preprocessing import Preprocessing

node = helper.make_node


def found(rule: lint.Rule, proto: Any) -> list[str]:
    """The types of the nodes that a rule finds."""
    return [one.op_type for one in rule(lint.GraphIndex(proto))]


RELU = node("Relu", ["a"], ["y"])
NHWC_TO_NCHW, NCHW_TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


def two(first: Any, last: Any = RELU, **constants: Any) -> Any:
    proto = model([first, last], constants)
    if first.domain:
        proto.opset_import.append(helper.make_opsetid(first.domain, 1))
    return proto


PAD = node("Pad", ["x", "lengths"], ["a"])
AROUND = np.array([0, 0, 1, 1, 0, 0, 1, 1])

NORM = [
    node("ReduceMean", ["x", "axes"], ["m"], keepdims=1),
    node("Sub", ["x", "m"], ["d"]),
    node("Pow", ["d", "two"], ["p"]),
    node("ReduceMean", ["p", "axes"], ["v"], keepdims=1),
    node("Add", ["v", "epsilon"], ["e"]),
    node("Sqrt", ["e"], ["s"]),
    node("Div", ["d", "s"], ["n"]),
]
NORM_CONSTANTS = {"axes": np.array([-1]), "two": f32(2), "epsilon": f32(1e-6)}
SCALED = [*NORM, node("Mul", ["n", "gamma"], ["g"]), node("Add", ["g", "beta"], ["y"])]
AFFINE = {"gamma": np.ones(4, np.float32), "beta": np.zeros(4, np.float32)}

BAD: list[tuple[lint.Rule, Any, list[str]]] = [
    (lint.other_domains, two(node("Gelu", ["x"], ["a"], domain="com.microsoft")), ["Gelu"]),
    (lint.other_domains, two(node("Conv", ["x", "w"], ["a"], domain="com.microsoft.nchwc")), ["Conv"]),
    (
        lint.batch_normalization,
        two(node("BatchNormalization", ["x", "s", "b", "m", "v"], ["a"])),
        ["BatchNormalization"],
    ),
    (lint.idle, two(node("Identity", ["x"], ["a"])), ["Identity"]),
    (lint.idle, two(node("Dropout", ["x"], ["a"])), ["Dropout"]),
    (
        lint.idle,
        model(
            [
                node("Shape", ["x"], ["s"]),
                node("Gather", ["s", "first"], ["n"]),
                node("Concat", ["n", "rest"], ["to"], axis=0),
                node("Reshape", ["x", "to"], ["y"]),
            ],
            {"first": np.array([0]), "rest": np.array([-1])},
        ),
        ["Shape"],
    ),
    (
        lint.idle,
        model(
            [node("Add", ["one", "two"], ["three"]), node("Add", ["x", "three"], ["y"])], {"one": f32(1), "two": f32(2)}
        ),
        ["Add"],
    ),
    (
        lint.transpose_pairs,
        two(node("Transpose", ["x"], ["a"], perm=NHWC_TO_NCHW), node("Transpose", ["a"], ["y"], perm=NCHW_TO_NHWC)),
        ["Transpose"],
    ),
    (
        lint.reshape_pairs,
        two(node("Reshape", ["x", "to"], ["a"]), node("Flatten", ["a"], ["y"]), to=np.array([-1, 15, 4])),
        ["Flatten"],
    ),
    (
        lint.reshape_pairs,
        two(node("Unsqueeze", ["x", "at"], ["a"]), node("Squeeze", ["a", "at"], ["y"]), at=np.array([1])),
        ["Squeeze"],
    ),
    (
        lint.reshape_pairs,
        model(
            [
                node("Reshape", ["x", "rows"], ["a"]),
                node("LayerNormalization", ["a", "gamma", "beta"], ["b"]),
                node("Reshape", ["b", "map"], ["y"]),
            ],
            {"rows": np.array([-1, 15, 4]), "map": np.array([-1, 3, 5, 4]), **AFFINE},
        ),
        ["Reshape"],
    ),
    (lint.unfused_global_average, mean([2, 3], 1), ["ReduceMean"]),
    (
        lint.padding_before_windows,
        two(PAD, node("MaxPool", ["a"], ["y"], kernel_shape=[3, 3]), lengths=AROUND),
        ["Pad"],
    ),
    (lint.padding_before_windows, two(PAD, node("Conv", ["a", "w"], ["y"]), lengths=AROUND), ["Pad"]),
    (lint.unfused_layer_normalization, model(SCALED, {**NORM_CONSTANTS, **AFFINE}), ["ReduceMean"]),
    (
        lint.unfused_layer_normalization,
        model([node("GlobalAveragePool", ["x"], ["m"]), node("Sub", ["x", "m"], ["y"])], {}),
        ["GlobalAveragePool"],
    ),
    (lint.unfused_gelu, gelu_nodes(), ["Erf"]),
    (lint.unfused_hard_swish, model([*HARD_SIGMOID, node("Mul", ["x", "c"], ["y"])], HARD_SIGMOID_CONSTANTS), ["Clip"]),
]

GOOD: list[tuple[lint.Rule, Any]] = [
    (lint.other_domains, two(node("Relu", ["x"], ["a"]))),
    (lint.batch_normalization, two(node("Mul", ["x", "s"], ["a"]), s=f32(2))),
    (lint.idle, two(node("Add", ["x", "one"], ["a"]), one=f32(1))),
    (lint.transpose_pairs, two(node("Transpose", ["x"], ["a"], perm=NHWC_TO_NCHW))),
    # The second Reshape does not undo the first: the heads of attention.
    (
        lint.reshape_pairs,
        model(
            [
                node("Reshape", ["x", "heads"], ["a"]),
                node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3]),
                node("Reshape", ["b", "rows"], ["y"]),
            ],
            {"heads": np.array([-1, 15, 2, 2]), "rows": np.array([-1, 15, 4])},
        ),
    ),
    (lint.unfused_global_average, mean([3], 1)),
    # A row of zeros for the class token.
    (lint.padding_before_windows, two(PAD, node("Add", ["a", "tokens"], ["y"]), lengths=AROUND)),
    (lint.unfused_layer_normalization, mean([3], 1)),
    (lint.unfused_gelu, two(node("Tanh", ["x"], ["a"]))),
    (lint.unfused_hard_swish, two(node("Clip", ["x", "zero", "six"], ["a"]), zero=f32(0), six=f32(6))),
    (lint.unfused_hard_swish, two(node("HardSigmoid", ["x"], ["a"]))),
]


@pytest.mark.parametrize(("rule", "proto", "kinds"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_it_finds(rule: lint.Rule, proto: Any, kinds: list[str]) -> None:
    assert found(rule, proto) == kinds


@pytest.mark.parametrize(("rule", "proto"), GOOD, ids=lambda value: getattr(value, "__name__", ""))
def test_it_leaves_alone(rule: lint.Rule, proto: Any) -> None:
    assert found(rule, proto) == []


def test_every_rule_is_tested_both_ways() -> None:
    rules = {*lint.FILE_RULES.values(), *lint.FUSED_RULES.values()}
    assert {row[0] for row in BAD} == {row[0] for row in GOOD} == rules


def saved(path: Path, proto: Any) -> Path:
    proto.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    onnx.save(proto, path)
    return path


def problems(path: Path, proto: Any, expected: int = 0) -> list[str]:
    passed, figures = lint.report(saved(path / "model.onnx", proto), lint.ConversionRecord({}, expected))
    assert passed is not bool(figures.get("problems"))
    return figures.get("problems", [])


def transposed(ir: int = 8) -> Any:
    nodes = [node("Transpose", ["x"], ["a"], name="transposed", perm=NHWC_TO_NCHW), RELU]
    return helper.make_model(model(nodes, {}).graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=ir)


def test_more_transposes_than_the_network_needs_are_named(tmp_path: Path) -> None:
    assert problems(tmp_path, transposed(), expected=1) == []
    (one,) = problems(tmp_path, transposed(), expected=0)
    assert "1 Transposes, but the network needs 0: Transpose transposed" in one


def test_an_ir_version_above_what_the_operator_set_needs_is_refused(tmp_path: Path) -> None:
    (one,) = problems(tmp_path, transposed(ir=10), expected=1)
    assert "IR version 10" in one


def test_an_operator_set_of_another_domain_is_refused(tmp_path: Path) -> None:
    proto = transposed()
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    (one,) = problems(tmp_path, proto, expected=1)
    assert "com.microsoft" in one


def test_patterns_that_onnxruntime_fuses_pass_and_others_do_not(tmp_path: Path) -> None:
    def gelu(root: float) -> Any:
        nodes = [
            node("Div", ["x", "root"], ["a"]),
            node("Erf", ["a"], ["b"]),
            node("Add", ["b", "one"], ["c"]),
            node("Mul", ["x", "c"], ["d"]),
            node("Mul", ["d", "half"], ["y"]),
        ]
        proto = model(nodes, {"root": f32(root), "one": f32(1), "half": f32(0.5)})
        proto.ir_version = 8
        return proto

    assert problems(tmp_path, gelu(2**0.5)) == []
    (one,) = problems(tmp_path, gelu(1.5))
    assert "Erf b" in one


PREPROCESSING = Preprocessing(8, 8, 3, (0.5,) * 3, (0.25,) * 3)


def small_network() -> Any:
    """A residual block of layers along the last axis, between two convolutions."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.convolution(image, 160, 3, name="first")
    y = layers.depthwise(x, 3, bias=True, name="depthwise")
    y = layers.LayerNormalization(name="norm")(y)
    y = layers.activation(layers.Dense(160, name="dense")(y), "gelu", name="gelu")
    x = layers.convolution(blocks.residual(x, y, name="sum"), 8, 3, name="last")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.logits(x, 5))


def test_transposes_are_counted_on_the_layers() -> None:
    # Before the norm, after the dense layer.
    assert expected_transposes(small_network()) == 2


def test_transposes_of_networks() -> None:
    def of(family: str, side: int = 32) -> int:
        return expected_transposes(zoo.create(family, size="small", classes=3, input_shape=(side, side, 3)))

    assert of("mobilenet") == 0
    assert of("cnn") == 1  # it flattens a map
    assert of("vit") == 1 + 4 * 12
    # Two for each of 36 blocks, 3 normalizations before convolutions and that of the stem.
    assert of("convnext") == 2 * (36 + 3 + 1)


@pytest.mark.parametrize("opset", [18, OPSET, 22])
def test_what_it_says_of_a_network(opset: int, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    record = write_onnx(trace(small_network(), described(PREPROCESSING, "abcde")), path, opset)
    passed, figures = lint.report(path, record)
    assert passed, figures
    assert figures["transposes"] == figures["transposes_asked_for"] == 2
    assert figures["converted"]["ReduceMean"] > 0
    assert figures["file"]["LayerNormalization"] == 1
    assert ("Gelu" in figures["file"]) is (opset >= 20)
    assert figures["fused"]["com.microsoft:BiasGelu"] == 1
    assert figures["ir_version"] == ir_version(opset)
    written = onnx.load(path)
    assert [(one.domain, one.version) for one in written.opset_import] == [("", opset)]
    assert written.ir_version == ir_version(opset)


def test_the_default_is_what_onnxruntime_of_two_years_back_takes() -> None:
    assert (OPSET, ir_version(OPSET)) == (21, 10)


@pytest.mark.parametrize("opset", [-1, 17, 99])
def test_other_operator_sets_are_refused(opset: int) -> None:
    with pytest.raises(ZooError, match=f"opset {opset} cannot be written: name one from 18 to"):
        check_opset(opset)


def test_an_operator_set_for_a_saved_model_is_refused(tmp_path: Path, images_folder: Path, zoo_command: Any) -> None:
    from tests.conformance import untrained_run

    run = untrained_run(tmp_path / "run", images_folder, "cnn", "small", side=16)
    for arguments in (["--saved-model", "--opset", "18"], ["--onnx", "--opset", "17"]):
        refused = zoo_command("export", run, *arguments, "--out", tmp_path / "artifact")
        assert refused.status == 2
        assert "opset" in refused.err
        assert not (tmp_path / "artifact").exists()


def test_more_weights_than_a_file_holds_are_refused() -> None:
    class Large:
        weights = (keras.Variable(np.zeros(3, np.float32)), keras.KerasTensor((LARGEST_FILE // 4,)))

    with pytest.raises(ZooError, match="bytes of weights are more than an ONNX file holds"):
        check_size(Large())


def test_a_skeleton_is_the_model_without_its_large_weights(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_onnx(trace(small_network(), described(PREPROCESSING, "abcde")), path)
    whole, stripped = onnx.load(path), load_skeleton(path)
    large = {tensor.name for tensor in stripped.graph.initializer if tensor.external_data}
    assert large == {tensor.name for tensor in whole.graph.initializer if len(tensor.raw_data) > 2**16} != set()
    for tensor in (*whole.graph.initializer, *stripped.graph.initializer):
        if tensor.name in large:
            for field in ("raw_data", "external_data", "data_location"):
                tensor.ClearField(field)
    assert stripped == whole


@pytest.mark.parametrize("content", [b"", b"\x3a", b"no protobuf", b"\x3a\xff\xff\xff\x7f", b"\x07" * 9])
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ValueError):
        load_skeleton(tmp_path / "model.onnx")
