"""Runs and artifacts whose descriptions are of an earlier schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo import migration, run
from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.schema import parse

# As version 0.1.0 wrote it, without what migration leaves alone.
PREPROCESSING = {
    "height": 28,
    "width": 28,
    "channels": 1,
    "mean": [0.5],
    "deviation": [0.25],
    "crop": 0.875,
    "scaling": "stretch",
    "interpolation": "bicubic",
}
PROVENANCE = {"command": "zoo train cnn", "seed": 0, "versions": {}, "machine": {}, "started": "2026-01-01T00:00:00Z"}
RUN: dict[str, Any] = {
    "schema": 1,
    "model": {
        "family": "cnn",
        "size": "small",
        "labels": ["a", "b"],
        "preprocessing": PREPROCESSING,
        "parameters": 1,
        "multiply_adds": 1,
    },
    "data": {
        "source": "digits",
        "data_dir": None,
        "fingerprint": "0",
        "counts": {"train": 1, "validation": 1, "test": 1},
        "skipped": [],
        "licence": "CC0",
    },
    "recipe": {"epochs": 3, "precision": "mixed_bfloat16", "export": ["onnx"], "picture": {"size": 28, "crop": 0.875}},
    "provenance": PROVENANCE,
    "weights": None,
    "initial": {"run": "r", "sha256": "0", "family": "cnn", "size": "small", "licence": "MIT", "new_head": True},
}


def test_a_run_of_schema_1_is_read(tmp_path: Path) -> None:
    (tmp_path / run.DESCRIPTION).write_text(json.dumps(RUN))
    read = run.read(tmp_path)
    assert read.schema == migration.SCHEMA
    taken = read.model.preprocessing
    assert (taken.std, taken.crop_pct, taken.resize_mode) == ((0.25,), 0.875, "squash")
    assert read.data is not None
    assert read.data.license == "CC0"
    assert read.initial is not None
    assert read.initial.license == "MIT"
    assert read.recipe is not None
    assert (read.recipe.input.size, read.recipe.input.crop_pct, read.recipe.epochs) == (28, 0.875, 3)
    assert read.recipe.precision == "bfloat16"


def test_the_preprocessing_in_an_onnx_file_of_before_is_read() -> None:
    read = parse(Preprocessing, migration.preprocessing(PREPROCESSING), "preprocessing")
    assert (read.std, read.crop_pct, read.resize_mode) == ((0.25,), 0.875, "squash")


def test_values_of_the_present_schema_are_left_as_they_are() -> None:
    values = {"schema": migration.SCHEMA, "picture": 1}
    assert migration.migrated(values, "run.json", "train again") is values


@pytest.mark.parametrize("values", [[], {}, {"schema": 0}, {"schema": True}, {"schema": "1"}, None])
def test_another_schema_is_refused(values: Any) -> None:
    with pytest.raises(ZooError, match=r"run\.json is not of a schema from 1 to 5: train again"):
        migration.migrated(values, "run.json", "train again")


def test_a_newer_schema_asks_for_a_newer_zoo() -> None:
    with pytest.raises(
        ZooError, match=r"run\.json was written by a later version .* \(schema 6, above 5\): update zoo"
    ):
        migration.migrated({"schema": migration.SCHEMA + 1}, "run.json", "train again")


@pytest.mark.parametrize("key", ["model", "data", "recipe", "initial", "int8"])
def test_what_has_another_form_is_left_to_the_schema(key: str) -> None:
    assert migration.migrated({"schema": 1, key: "text"}, "run.json", "train again")[key] == "text"
