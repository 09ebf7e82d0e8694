"""Serving a regression network of tables: what must work for any kind of input and task, not only for images."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.serving.handmade import ONNX, close, manifest, sign
from zoo import artifact, onnx_metadata, schema
from zoo.description import Model, Scale
from zoo.errors import Refused, ZooError
from zoo.inputs.table.columns import Column
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.serving.benchmark import benchmark
from zoo.serving.predict import predict
from zoo.serving.runner import open_runner
from zoo.serving.verify import verify
from zoo.task import Score

Command = Callable[..., Any]

COLUMNS = (
    Column("height", "number", mean=1.5, std=1.0, missing=True),
    Column("color", "word", mean=0.0, std=1.0, words=("red", "blue")),
)
LABELS = ("price", "weight")
MODEL = Model(
    "linear", "small", LABELS, TablePreprocessing(COLUMNS), parameters=6, multiply_adds=4, task="values",
    scales=(Scale(0.0, 1.0), Scale(10.0, 2.0)),
)  # fmt: skip
KERNEL = np.array([[2.0, -1.0], [0.5, 10.0]], np.float32)
BIAS = np.array([1.0, -3.0], np.float32)
FILL = np.array([1.5, 0.0], np.float32)


def answers(features: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.where(np.isnan(features), FILL, features) @ KERNEL + BIAS
    return found


def graph() -> onnx.ModelProto:
    nodes = [
        helper.make_node("IsNaN", ["features"], ["missing"]),
        helper.make_node("Where", ["missing", "fill", "features"], ["filled"]),
        helper.make_node("Gemm", ["filled", "kernel", "bias"], ["values"]),
    ]
    weights = {"fill": FILL, "kernel": KERNEL, "bias": BIAS}
    made = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, onnx_metadata.entries(MODEL))
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "linear"
    (made / "onnx").mkdir(parents=True)
    onnx.save(graph(), made / ONNX)
    close(made / ONNX)
    features = np.array([[np.nan, 0], [1, 1], [2, 2], [-3, np.nan]], np.float32)
    np.savez(made / artifact.GOLDEN, allow_pickle=False, features=features, values=answers(features))
    (made / artifact.LABELS).write_text("".join(f"{label}\n" for label in LABELS), encoding="utf-8")
    (made / artifact.CARD).write_text("# a card\n", encoding="utf-8")
    score = {"onnx": Score("r2", 0.5, -0.1, 0.7, 40)}
    artifact.write(made, manifest(("onnx",), model=MODEL, score=score))
    return made


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("color,height\nred,1\nblue,\ngreen,2.5\n", encoding="utf-8")
    return path


WANTED = answers(np.array([[1, 0], [np.nan, 1], [2.5, 2]], np.float32))


def test_golden_inputs_may_be_missing_values(folder: Path) -> None:
    report = verify(folder)
    assert report.passed, report
    figures = report.gates[-1].figures
    assert figures["examples"] == 4
    assert figures["largest_difference"] <= figures["limit"] == 1e-4


def test_golden_outputs_must_be_finite(folder: Path) -> None:
    features = np.zeros((2, 2), np.float32)
    np.savez(folder / artifact.GOLDEN, features=features, values=np.full((2, 2), np.nan, np.float32))
    sign(folder)
    (gate,) = (gate for gate in verify(folder).gates if not gate.passed)
    assert gate.name == "golden_file"
    assert "values has numbers that are not finite" in gate.figures["problems"][0]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"labels": ["price", "price"]}, "2 labels, 1 of them different"),
        ({"scales": [{"mean": 0, "std": 1}]}, "1 scales of 2 values"),
        ({"preprocessing": {"kind": "table", "columns": [schema.to_dict(COLUMNS[0])] * 2}}, "2 columns 'height'"),
    ],
)
def test_contradictions_in_the_manifest_are_seen(folder: Path, change: dict[str, Any], part: str) -> None:
    sign(folder, model=schema.to_dict(MODEL) | change)
    (gate,) = (gate for gate in verify(folder).gates if gate.name == "manifest")
    assert not gate.passed
    assert part in gate.figures["problems"][0]


def test_inputs_are_checked_by_name_and_form(folder: Path) -> None:
    runner = open_runner(folder, "onnx")
    np.testing.assert_allclose(runner({"features": np.ones((3, 2), np.float32)})["values"], [[3.5, 6]] * 3)
    for inputs, words in (
        ({"image": np.ones((3, 2), np.float32)}, "the arrays are image, not features"),
        ({"features": np.ones((3, 2))}, r"features is float64 \[3, 2\], not float32 \[batch, 2\]"),
        ({"features": np.ones((3, 3), np.float32)}, r"features is float32 \[3, 3\], not float32 \[batch, 2\]"),
        ({"features": np.ones((0, 2), np.float32)}, r"features is float32 \[0, 2\], not float32 \[batch, 2\]"),
    ):
        with pytest.raises(ZooError, match=words):
            runner(inputs)


def test_each_row_of_a_file_gets_its_values(folder: Path, rows: Path) -> None:
    found = predict(folder, [rows])
    assert len({prediction.name for prediction in found}) == 3
    for prediction, wanted in zip(found, WANTED, strict=True):
        assert prediction.answer.plain() == {"values": pytest.approx(dict(zip(LABELS, wanted.tolist(), strict=True)))}


def test_a_row_that_does_not_fit_is_named(folder: Path, rows: Path) -> None:
    rows.write_text("color,height\nred,1\nblue,tall\n", encoding="utf-8")
    with pytest.raises(ZooError, match="height") as wrong:
        predict(folder, [rows])
    assert wrong.value.exit_status == 2


def test_values_that_are_no_numbers_are_refused(folder: Path, rows: Path) -> None:
    rows.write_text("color,height\nred,3e38\n", encoding="utf-8")
    with pytest.raises(Refused, match="not finite"):
        predict(folder, [rows])


def test_answers_go_to_a_file_of_their_own(folder: Path, rows: Path, tmp_path: Path, zoo_command: Command) -> None:
    answer = zoo_command("predict", folder, rows, "--out", tmp_path / "answers.csv")
    assert (answer.status, answer.out) == (0, ""), answer.err
    with (tmp_path / "answers.csv").open(encoding="utf-8", newline="") as file:
        stored = list(csv.DictReader(file))
    assert list(stored[0]) == ["name", *LABELS]
    np.testing.assert_allclose([[float(row[label]) for label in LABELS] for row in stored], WANTED, rtol=1e-6)


def test_the_score_beside_the_latency_has_its_metric(folder: Path) -> None:
    (row,) = benchmark([folder], batches=[3], threads=[1], seconds=0.01)
    assert (row.metric, row.score, row.score_low, row.score_high, row.test_examples) == ("r2", 0.5, -0.1, 0.7, 40)


def test_info_tells_the_values_and_their_scales(folder: Path, zoo_command: Command) -> None:
    answer = zoo_command("info", folder)
    assert answer.status == 0, answer.err
    assert "2: price (mean 0, std 1), weight (mean 10, std 2)" in answer.out
    assert "halvings" not in answer.out
    assert "2 columns" in answer.out
