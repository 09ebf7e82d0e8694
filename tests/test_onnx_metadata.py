"""Tests of the description of a model in the metadata of its ONNX file."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from zoo import onnx_metadata, schema
from zoo.description import Model, Part, Symbols, labels_of
from zoo.errors import ZooError

PARTS = (Part("color", "classes", ("red", "green")), Part("price", "values", ("price",)))


def model(task: str, **fields: Any) -> Model:
    preprocessing = {
        "image": {"kind": "image", "height": 32, "width": 32, "channels": 3, "mean": [0.5] * 3, "std": [0.2] * 3},
        "audio": {"kind": "audio", "rate": 16000, "samples": 16000},
    }["audio" if task == "transcript" else "image"]
    values = {"family": "cnn", "size": "small", "labels": ["a", "b"], "parameters": 0, "multiply_adds": 0}
    return schema.parse(Model, {**values, "preprocessing": preprocessing, "task": task, **fields}, "model")


MODELS = {
    "classes": model("classes"),
    "transcript": model("transcript", symbols=schema.to_dict(Symbols(0, "b"))),
    "several": model(
        "several",
        labels=labels_of(PARTS),
        parts=[schema.to_dict(part) for part in PARTS],
        scales=[{"mean": 0.0, "std": 1.0}] * 3,
    ),
}
OUTPUTS = {
    "classes": ("logits", "probabilities"),
    "transcript": ("logits",),
    "several": ("color_logits", "color_probabilities", "price"),
}


@pytest.mark.parametrize("task", MODELS)
def test_a_description_is_read_back_from_its_own_entries(task: str) -> None:
    entries = onnx_metadata.entries(MODELS[task])
    assert not onnx_metadata.faults(entries, MODELS[task])
    assert onnx_metadata.read(entries, OUTPUTS[task], "x.onnx") == MODELS[task]


@pytest.mark.parametrize("task", MODELS)
def test_each_entry_that_is_missing_or_another_is_a_fault(task: str) -> None:
    entries = onnx_metadata.entries(MODELS[task])
    for key in entries:
        others = {name: value for name, value in entries.items() if name != key}
        assert onnx_metadata.faults(others, MODELS[task]) == [f"metadata_props has no '{key}'"]
        for value in ("", "[" * 10**5, json.dumps(["x"])):
            (fault,) = onnx_metadata.faults(entries | {key: value}, MODELS[task])
            assert f"differ in '{key}'" in fault
        if key not in onnx_metadata.OPTIONAL:
            with pytest.raises(ZooError, match=r"x\.onnx"):
                onnx_metadata.read(others, OUTPUTS[task], "x.onnx")


def test_a_width_that_the_file_does_not_state_is_no_fault() -> None:
    wider = dataclasses.replace(MODELS["classes"], widths={"conv1": 8}, parameters=5)
    assert not onnx_metadata.faults(onnx_metadata.entries(wider), wider)


def test_an_entry_too_many_is_a_fault() -> None:
    entries = onnx_metadata.entries(MODELS["classes"]) | {"parts": "[]"}
    assert onnx_metadata.faults(entries, MODELS["classes"]) == ["metadata_props has 'parts', and the manifest has none"]


def test_outputs_of_no_task_are_named() -> None:
    with pytest.raises(ZooError, match=r"x\.onnx answers with q, which no task of zoo has"):
        onnx_metadata.read(onnx_metadata.entries(MODELS["classes"]), ["q"], "x.onnx")
