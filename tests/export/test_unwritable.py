"""Networks that cannot be written are refused in one line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.described import described
from tests.training import tiny
from zoo import factory, formats, weights_file
from zoo.description import Model
from zoo.errors import Refused, ZooError
from zoo.export import build
from zoo.export.onnx import conversion
from zoo.export.writers import SavedModelWriter, Writer
from zoo.formats import Format
from zoo.inputs.image.preprocessing import Preprocessing


@dataclasses.dataclass
class Failing:
    """A writer that fails as tf2onnx does for operations that it cannot convert."""

    error: Exception
    row: Any = dataclasses.field(default_factory=lambda: formats.find("onnx"))

    def write(self) -> None:
        raise self.error


def written(error: Exception) -> None:
    model = described(Preprocessing(8, 8, 1, (0.5,), (0.5,)), "ab")
    build._write(cast(Writer, Failing(error)), model)


def test_what_cannot_be_converted_is_refused_in_one_line() -> None:
    with pytest.raises(Refused, match=r"cannot be written as onnx \(ValueError: a b\): it has a layer") as refused:
        written(ValueError("a\nb"))
    assert "\n" not in str(refused.value)
    with pytest.raises(ZooError, match="fix it"):
        written(ZooError("fix it"))
    with pytest.raises(OSError, match="full"):
        written(OSError("full"))


@pytest.fixture
def too_large_for_onnx(monkeypatch: pytest.MonkeyPatch) -> Model:
    """The description of a network that has more weights than an ONNX file holds."""
    monkeypatch.setattr(factory, "build", lambda description: tiny.tiny_network())
    monkeypatch.setattr(conversion, "LARGEST_FILE", 100)
    return tiny.described()


def test_the_trial_export_leaves_out_a_format_that_cannot_hold_the_network(
    too_large_for_onnx: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def write_all(folder: Path, rows: Sequence[Format], *others: Any) -> SimpleNamespace:
        tried.extend(row.name for row in rows)
        return SimpleNamespace(gates=())

    monkeypatch.setattr(build, "_write_all", write_all)
    build.try_export(too_large_for_onnx)
    assert tried == ["saved_model"]


def test_a_network_that_no_format_can_hold_is_refused_before_its_training(
    too_large_for_onnx: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(network: Any) -> None:
        raise ZooError("more than a SavedModel holds")

    monkeypatch.setattr(SavedModelWriter, "check", check)
    with pytest.raises(ZooError, match="more than a SavedModel holds"):
        build.try_export(too_large_for_onnx)


def test_layers_with_several_variables_of_one_name_are_refused(tmp_path: Path) -> None:
    import keras

    sequence = keras.Input((5, 4))
    attention = keras.layers.MultiHeadAttention(2, 2, name="attention")(sequence, sequence)
    for named in (weights_file.weights, weights_file.variables):
        with pytest.raises(ZooError, match="the layer 'attention' has several variables called 'kernel'"):
            named(keras.Model(sequence, attention))
