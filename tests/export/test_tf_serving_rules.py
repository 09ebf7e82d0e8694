"""The static rules: a good SavedModel passes all of them, and each bad one fails its own rule."""

from __future__ import annotations

import dataclasses
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.types_pb2 import DT_UINT8
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tests.described import described
from tests.export.small_saved_models import (
    CLASSES,
    DESCRIPTION,
    LABELS,
    PIXELS,
    PREPROCESSING,
    SERVE_BYTES,
    SERVE_BYTES_SAFE,
    SHAPE,
    Forward,
    dense,
    outputs,
    save,
)
from zoo import contract, schema
from zoo.contract import CLASSIFY, EXAMPLES, LOGITS, PROBABILITIES, SERVE, SERVE_LABELS
from zoo.description import Model
from zoo.export.tf_serving import rules
from zoo.export.tf_serving.rules import static_gates
from zoo.export.tf_serving.warmup import FILE, write_warmup


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("good") / "model" / "1")


@pytest.fixture
def base(good: Path, tmp_path: Path) -> Path:
    """A copy of the good SavedModel, which a test may damage."""
    return shutil.copytree(good, tmp_path / "model")


def failed(base: Path, description: Model = DESCRIPTION) -> dict[str, str]:
    """Return the problems of the gates that fail, by name."""
    gates = static_gates(base, contract.signatures(description))
    assert all(gate.passed == (not gate.figures["problems"]) for gate in gates)
    return {gate.name: "\n".join(gate.figures["problems"]) for gate in gates if not gate.passed}


def edit(base: Path, change: Callable[[Any], object]) -> None:
    """Change the graph in `saved_model.pb`."""
    path = base / "1" / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    change(saved.meta_graphs[0])
    path.write_bytes(saved.SerializeToString())


def test_a_good_model_passes_every_rule_and_the_figures_name_what_was_found(good: Path) -> None:
    gates = {gate.name: gate for gate in static_gates(good, contract.signatures(DESCRIPTION))}
    assert list(gates) == ["serving_folder", *rules.RULES]
    assert all(gate.passed for gate in gates.values())
    assert gates["serving_folder"].figures["versions"] == ["1"]
    labeled = gates["serving_signatures"].figures[CLASSIFY]
    assert labeled["inputs"] == {EXAMPLES: "string [batch]"}
    assert labeled["outputs"] == {"classes": "string [batch, 3]", "scores": "float [batch, 3]"}
    signature = gates["serving_signatures"].figures[SERVE]
    assert signature["inputs"] == {"image": "uint8 [batch, 8, 8, 4]"}
    assert signature["outputs"] == {LOGITS: "float [batch, 3]", PROBABILITIES: "float [batch, 3]"}
    assert gates["serving_shape_guards"].figures["serving_default image"] == ["EnsureShape [batch, 8, 8, 4]"]
    assert gates["serving_warm_up"].figures == {
        "records": 8,
        SERVE: 2,
        SERVE_BYTES: 2,
        SERVE_BYTES_SAFE: 2,
        SERVE_LABELS: 1,
        CLASSIFY: 1,
        "problems": [],
    }
    assert schema.to_dict(gates["serving_signatures"])["figures"] == gates["serving_signatures"].figures


def test_the_model_is_held_to_the_classes_and_the_shape_that_are_wanted(good: Path) -> None:
    wider = dataclasses.replace(PREPROCESSING, width=9)
    assert failed(good, described(PREPROCESSING, "abcd")).keys() == {"serving_signatures"}
    assert failed(good, described(wider, LABELS)).keys() == {
        "serving_signatures",
        "serving_shape_guards",
        "serving_warm_up",
    }


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no variables": (lambda base: shutil.rmtree(base / "1" / "variables"), "1/variables/variables.index is missing"),
    "no shard": (lambda base: next(base.glob("1/variables/*.data-*")).unlink(), "variables.data-"),
    "another folder": (lambda base: (base / "v1").mkdir(), "v1 is not a version"),
    "a half-written version": (lambda base: (base / "2.tmp").mkdir(), "2.tmp is not a version"),
    "two versions": (lambda base: shutil.copytree(base / "1", base / "2"), "1, 2"),
    "a name": (lambda base: (base / "1").rename(base / "v1"), "it has none"),
    "a leading zero": (lambda base: (base / "1").rename(base / "01"), "it has none"),
    "too large a number": (lambda base: (base / "1").rename(base / str(2**63)), "it has none"),
    "the version itself": (lambda base: [path.rename(base / path.name) for path in (base / "1").iterdir()], "assets"),
    "a link": (lambda base: (base / "1" / "link").symlink_to("/"), "is a symbolic link"),
    "nothing": (shutil.rmtree, "it has none"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder_that_the_server_would_not_find_or_load(base: Path, case: str) -> None:
    spoil, message = FOLDERS[case]
    spoil(base)
    assert message in failed(base)["serving_folder"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"no protobuf"),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
    ],
)
def test_a_graph_that_cannot_be_read(base: Path, spoil: Callable[[Path], None]) -> None:
    spoil(base / "1" / "saved_model.pb")
    assert "saved_model.pb" in failed(base)["serving_graph"]


def test_a_graph_without_the_tag(base: Path) -> None:
    edit(base, lambda graph: graph.meta_info_def.tags.append("gpu"))
    assert "['gpu', 'serve']" in failed(base)["serving_graph"]


def test_a_missing_safe_signature_is_named(base: Path) -> None:
    edit(base, lambda graph: graph.signature_def.pop(SERVE_BYTES_SAFE))
    assert "no signature 'serve_bytes_safe'" in failed(base)["serving_signatures"]


def test_the_safe_signature_is_held_to_its_status(base: Path) -> None:
    edit(base, lambda graph: graph.signature_def[SERVE_BYTES_SAFE].outputs.pop("status"))
    assert "serve_bytes_safe: outputs" in failed(base)["serving_signatures"]


def test_another_signature_name(tmp_path: Path) -> None:
    problems = failed(save(tmp_path / "model" / "1", names=("predict", SERVE_BYTES, SERVE_BYTES_SAFE)))[
        "serving_signatures"
    ]
    assert "no signature 'serving_default'" in problems
    assert "'predict' is not in the contract" in problems


EDITS: dict[str, tuple[Callable[[Any], object], str]] = {
    "method": (
        lambda graph: setattr(graph.signature_def[SERVE], "method_name", "tensorflow/serving/classify"),
        "serving_signatures",
    ),
    "input name": (
        lambda graph: (
            graph.signature_def[SERVE].inputs["keras_tensor"].CopyFrom(graph.signature_def[SERVE].inputs.pop("image"))
        ),
        "serving_signatures",
    ),
    "input type": (
        lambda graph: setattr(graph.signature_def[SERVE_BYTES].inputs["image_bytes"], "dtype", DT_UINT8),
        "serving_signatures",
    ),
    "closed batch": (
        lambda graph: setattr(graph.signature_def[SERVE].outputs[LOGITS].tensor_shape.dim[0], "size", 1),
        "serving_outputs",
    ),
    "unknown rank": (
        lambda graph: setattr(graph.signature_def[SERVE].outputs[LOGITS].tensor_shape, "unknown_rank", True),
        "serving_outputs",
    ),
    "foreign operation": (
        lambda graph: graph.graph_def.node.add(name="foreign", op="SentencepieceOp"),
        "serving_operations",
    ),
    "XLA operation": (
        lambda graph: graph.graph_def.node.add(name="xla", op="XlaSparseDenseMatmul"),
        "serving_operations",
    ),
    "XLA node": (
        lambda graph: setattr(graph.graph_def.node.add(name="xla", op="NoOp").attr["_XlaMustCompile"], "b", True),
        "serving_no_xla",
    ),
    "XLA function": (
        lambda graph: setattr(graph.graph_def.library.function[0].attr["_XlaMustCompile"], "b", True),
        "serving_no_xla",
    ),
    "unused input": (
        lambda graph: setattr(graph.signature_def[SERVE].inputs["image"], "name", "elsewhere:0"),
        "serving_shape_guards",
    ),
    "reader beside the guard": (
        lambda graph: graph.graph_def.node.add(name="shape", op="Shape", input=["serving_default_image"]),
        "serving_shape_guards",
    ),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edited_graph_fails_its_rule(base: Path, case: str) -> None:
    change, rule = EDITS[case]
    edit(base, change)
    assert rule in failed(base)


def test_xla_that_is_named_and_off_passes(base: Path) -> None:
    edit(base, lambda graph: setattr(graph.graph_def.library.function[0].attr["_XlaMustCompile"], "b", False))
    assert not failed(base)


def test_a_constant_that_points_back_to_this_machine(base: Path) -> None:
    def point_back(graph: Any) -> None:
        constant = graph.graph_def.node.add(name="vocabulary", op="Const")
        constant.attr["value"].tensor.string_val.append(str(base).encode())

    edit(base, point_back)
    assert failed(base) == {"serving_self_contained": f"Const 'vocabulary' in the graph names {base}"}
    labeled = static_gates(base, contract.signatures(DESCRIPTION), {str(base)})
    assert all(gate.passed for gate in labeled if gate.name == "serving_self_contained"), "a label is not a path"


def half(module: tf.Module, pixels: Any) -> dict[str, Any]:
    return {name: tf.cast(value, tf.float16) for name, value in dense(module, pixels).items()}


def scalar(module: tf.Module, pixels: Any) -> dict[str, Any]:
    return {**dense(module, pixels), PROBABILITIES: tf.constant(1.0)}


def random(module: tf.Module, pixels: Any) -> dict[str, Any]:
    return outputs(tf.nn.dropout(dense(module, pixels)[LOGITS], 0.5))


def python(module: tf.Module, pixels: Any) -> dict[str, Any]:
    logits = tf.py_function(np.negative, [dense(module, pixels)[LOGITS]], tf.float32)
    return outputs(tf.ensure_shape(logits, [None, CLASSES]))


def numpy(module: tf.Module, pixels: Any) -> dict[str, Any]:
    logits = tf.numpy_function(np.negative, [dense(module, pixels)[LOGITS]], tf.float32)
    return outputs(tf.ensure_shape(logits, [None, CLASSES]))


@pytest.mark.parametrize(
    ("forward", "rule", "problem"),
    [
        (tf.function(dense, jit_compile=True), "serving_no_xla", "must be compiled by XLA"),
        (half, "serving_outputs", "output 'logits' is half [batch, 3]"),
        (scalar, "serving_outputs", "output 'probabilities' is float []"),
        (random, "serving_operations", "is random"),
        (python, "serving_operations", "EagerPyFunc"),
        (numpy, "serving_operations", "calls Python"),
    ],
)
def test_a_model_with_a_fault_fails_its_rule(tmp_path: Path, forward: Forward, rule: str, problem: str) -> None:
    assert problem in failed(save(tmp_path / "model" / "1", forward, padded=forward is not scalar))[rule]


def test_a_model_without_a_guard(tmp_path: Path) -> None:
    problems = failed(save(tmp_path / "model" / "1", guarded=False))
    assert problems.keys() == {"serving_shape_guards"}
    assert "not by EnsureShape [batch, 8, 8, 4] alone" in problems["serving_shape_guards"]


def test_a_guard_that_leaves_the_size_open(tmp_path: Path) -> None:
    def loose(module: tf.Module, pixels: Any) -> dict[str, Any]:
        return dense(module, tf.ensure_shape(pixels, [None, None, None, SHAPE[-1]]))

    assert failed(save(tmp_path / "model" / "1", loose, guarded=False)).keys() == {"serving_shape_guards"}


def test_every_random_operation_of_tensorflow_is_known() -> None:
    def is_random(name: str) -> bool:
        return "is random" in rules.faults(name)

    assert all(
        map(is_random, ("RandomUniform", "StatelessRandomNormalV2", "Multinomial", "StatefulUniform", "RngSkip"))
    )
    assert not any(map(is_random, ("MatMul", "StatefulPartitionedCall", "StatelessIf", "StatelessWhile", "Conv2D")))


def rewrite_warm_up(base: Path) -> None:
    """Write the warm-up of a network for images of seven rows."""
    description = described(dataclasses.replace(PREPROCESSING, height=7), LABELS)
    write_warmup(
        base / "1", description, inputs={"image": PIXELS[:, :7]}, raw={"image_bytes": np.array([b"image"], object)}
    )


WARM_UPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "none": (lambda base: (base / "1" / FILE).unlink(), "is missing"),
    "empty": (lambda base: (base / "1" / FILE).write_bytes(b""), "has no record"),
    "gzip": (
        lambda base: (base / "1" / FILE).write_bytes(gzip.compress((base / "1" / FILE).read_bytes())),
        "not an uncompressed TFRecord",
    ),
    "1001 records": (
        lambda base: (base / "1" / FILE).write_bytes((base / "1" / FILE).read_bytes() * 167),
        "more than 1000 records",
    ),
    "another shape": (
        rewrite_warm_up,
        "record 1 does not fit serving_default",
    ),
    "one signature": (lambda base: keep_records(base, 2), "no record asks for 'serve_bytes'"),
    "two signatures": (lambda base: keep_records(base, 4), "no record asks for 'serve_bytes_safe'"),
}


def keep_records(base: Path, count: int) -> None:
    path = base / "1" / FILE
    records = list(tf.data.TFRecordDataset(str(path)).take(count).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


@pytest.mark.parametrize("case", WARM_UPS)
def test_a_warm_up_that_the_server_would_not_load(base: Path, case: str) -> None:
    spoil, message = WARM_UPS[case]
    spoil(base)
    problems = failed(base)
    assert problems.keys() == {"serving_warm_up"}
    assert message in problems["serving_warm_up"]
