"""The export of networks with other inputs than images, or with values as answers: it passes the same gates."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.export import letters
from zoo import input as inputs
from zoo.artifact import Gate
from zoo.description import Model, Scale
from zoo.export import build, gates, graph
from zoo.export.int8.options import Int8Options
from zoo.export.onnx.conversion import write_onnx
from zoo.export.reference import of_noise
from zoo.formats import Compute
from zoo.formats import onnx as onnx_format
from zoo.formats.onnx import open_onnx
from zoo.formats.saved_model import SAVED_MODEL, open_saved_model
from zoo.input import Arrays
from zoo.task import task_of

TASKS = {
    "classes": Model("small", "small", ("a", "b", "c"), letters.Letters(), 0, 0),
    "values": Model(
        "small", "small", ("x", "y"), letters.Letters(), 0, 0, task="values", scales=(Scale(3, 2), Scale(-500, 100))
    ),
}


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the kind of words known."""
    kinds = {**inputs.kinds(), "letters": letters.INPUT}
    monkeypatch.setattr(inputs, "kinds", lambda: kinds)


@pytest.fixture(params=TASKS)
def traced(request: pytest.FixtureRequest, known: None) -> graph.TracedModel:
    description = TASKS[request.param]
    return graph.trace(letters.network(len(description.labels)), description)


def written(folder: Path, traced: graph.TracedModel) -> tuple[Gate, ...]:
    settings = build.Settings(build.OPSET, Int8Options("portable"), folder / "calibration", lambda line: None)
    return build._write_all(folder, build._in_order(build.BOTH), traced, of_noise, None, settings).gates


def test_it_passes_every_gate_and_both_formats_answer_alike(traced: graph.TracedModel, tmp_path: Path) -> None:
    made = written(tmp_path, traced)
    assert [(gate.name, gate.figures) for gate in made if not gate.passed] == []
    names = {gate.name for gate in made}
    assert {"saved_model_raw", "saved_model_raw_safe", "server", "onnx_lint", "onnx_contract"} <= names
    assert ("saved_model_labels" in names) == (traced.description.task == "classes")
    assert gates.client_gate(of_noise(traced)).passed

    batch = letters.encode(["Haus", "größer", ""], letters.Letters())
    sessions = open_onnx(tmp_path / onnx_format.ONNX.path), open_saved_model(tmp_path / SAVED_MODEL.path)
    answers = [session.run(batch) for session in sessions]
    for name, values in answers[0].items():
        np.testing.assert_allclose(values, answers[1][name], rtol=1e-4, atol=1e-4)
    assert list(answers[0]) == list(task_of(traced.description).outputs)
    shapes = [
        [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in onnx.load(tmp_path / onnx_format.ONNX.path).graph.input
    ]
    assert shapes == [["batch", "length"]] * 2


def test_a_file_of_one_length_is_refused(traced: graph.TracedModel, tmp_path: Path) -> None:
    write_onnx(traced, tmp_path / "model.onnx")
    reference, session = of_noise(traced), open_onnx(tmp_path / "model.onnx")
    longest = reference.inputs[letters.CODES].shape[1]

    def failed(run: Compute) -> dict[str, dict[str, Any]]:
        opened = dataclasses.replace(session, run=run)
        found = gates.output_gates(onnx_format.ONNX, lambda: opened, reference)
        return {gate.name: gate.figures for gate in found if not gate.passed}

    def of_one_length(inputs: Arrays) -> Arrays:
        if inputs[letters.CODES].shape[1] != longest:
            raise ValueError("another length")
        return session.run(inputs)

    def filled_up(inputs: Arrays) -> Arrays:
        missing = longest - inputs[letters.CODES].shape[1]
        return session.run(
            {name: np.pad(one, ((0, 0), (0, missing)), constant_values=300) for name, one in inputs.items()}
        )

    assert failed(session.run) == {}
    assert failed(of_one_length) == {"onnx_batches": {"error": "another length"}}
    figures = failed(filled_up)["onnx_batches"]
    assert figures["largest_difference"] <= figures["limit"] < figures["largest_difference_alone"]
    assert len(figures["alone"]) == 2


def test_the_card_has_code_for_every_signature_of_raw_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    description = TASKS["classes"]
    written(tmp_path / "made", graph.trace(letters.network(3), description))
    monkeypatch.chdir(tmp_path)
    card = SAVED_MODEL.card("made", description)
    code = [block for block in re.findall(r"```python\n(.*?)\n```", card, re.S) if "zoo.artifact" not in block]
    assert len(code) == 4
    for block in code:
        exec(compile(block, "the card", "exec"), {})
        said = capsys.readouterr().out
        assert said.startswith("[0." if "probabilities" in block else ("a ", "b ", "c "))
    body = '{"signature_name": "serve_word", "instances": ["größer"]}'
    assert f"curl -d '{body}' http://localhost:8501/v1/models/small:predict" in card
