"""Networks that cannot be written are refused in one line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

import pytest

from tests.described import described
from zoo import formats, weights_file
from zoo.errors import Refused, ZooError
from zoo.export import build
from zoo.export.writers import Writer
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
    with pytest.raises(ZooError, match="mend it"):
        written(ZooError("mend it"))
    with pytest.raises(OSError, match="full"):
        written(OSError("full"))


def test_layers_with_several_variables_of_one_name_are_refused(tmp_path: Path) -> None:
    import keras

    sequence = keras.Input((5, 4))
    attention = keras.layers.MultiHeadAttention(2, 2, name="attention")(sequence, sequence)
    for named in (weights_file.weights, weights_file.variables):
        with pytest.raises(ZooError, match="the layer 'attention' has several variables called 'kernel'"):
            named(keras.Model(sequence, attention))
