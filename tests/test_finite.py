"""Answers that are not finite are refused wherever zoo computes figures from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import zoo
from tests.described import described
from zoo.data.dataset import Examples
from zoo.errors import Refused
from zoo.export import accuracy, build, gates
from zoo.export.graph import trace
from zoo.export.reference import Reference, of_noise
from zoo.finite import finite, refuse_not_finite
from zoo.formats import Session
from zoo.formats.onnx import ONNX
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.signature import Signature
from zoo.tasks.classes import TASK
from zoo.tasks.classes.figures import measure

PIXELS = Preprocessing(8, 8, 1, (0.5,), (0.5,))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_evaluation_names_the_images(value: float) -> None:
    logits = np.zeros((6, 3), np.float32)
    logits[[1, 2, 4, 5], 2] = value
    with pytest.raises(Refused, match=r"x answers 4 of 6 examples .* \(b, c, e and 1 more\)"):
        measure(logits, np.zeros(6, np.int64), "xyz", name="abcdef".__getitem__, source="x")


def test_finite_answers_are_fine() -> None:
    refuse_not_finite(finite(np.zeros((3, 2))), "image {}".format, "x")
    assert finite(np.array([[0, np.nan], [1, 2]])).tolist() == [False, True]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return of_noise(trace(zoo.create("cnn", classes=3, input_shape=PIXELS.shape), described(PIXELS)))


def test_a_network_that_answers_nothing_makes_no_evidence() -> None:
    model = zoo.create("cnn", classes=3, input_shape=PIXELS.shape)
    model.get_layer("logits").bias.assign([0.0, np.nan, 0.0])
    with pytest.raises(Refused, match=r"the network answers 2 of 2 examples with numbers that are not finite"):
        of_noise(trace(model, described(PIXELS)))


def broken(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Answer with NaN, whose argmax is class 0."""
    answer = np.full((len(inputs["image"]), 3), np.nan, np.float32)
    return {"logits": answer, "probabilities": answer}


def test_gates_refuse_them(reference: Reference) -> None:
    computed = gates.in_batches(broken, reference)
    assert not gates.batches(computed, reference, reference.expected)[0]
    found = gates.primary_outputs_of(computed, reference)
    assert not TASK.agreement(found, reference.expected, 1e-4, reference.description)[0]


@pytest.fixture(scope="module")
def images() -> Examples:
    """Six noisy images of class 0."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)).save(file, "PNG")
    return Examples(
        targets=np.zeros(6, np.int64),
        read=lambda i: file.getvalue(),
        names="number {}".format,
        traits=lambda i: None,
        sizes=np.full(6, file.tell()),
        digests=np.arange(6, dtype=np.uint64),
    )


def test_an_exports_accuracy_is_not_measured_on_them(reference: Reference, images: Examples) -> None:
    with pytest.raises(Refused, match=r"the onnx file answers 6 of 6 examples .* \(number 0, number 1"):
        build._primary_outputs(ONNX, Session(Signature({}, {}), broken), images, reference)


def test_in_8_bits_they_are_wrong_answers(images: Examples) -> None:
    def sound(inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {"logits": np.array([[1, 0, 0]] * len(inputs["image"]), np.float32)}

    description = described(PIXELS)
    float32, int8 = (
        accuracy.right(accuracy.primary_outputs(run, images, description, 4), images, description)
        for run in (sound, broken)
    )
    paired = accuracy.paired("test", float32, int8)
    assert (paired.float32, paired.int8, paired.lost) == (1.0, 0.0, 6)


def test_a_loss_that_equals_the_budget_is_within_it() -> None:
    float32 = np.ones(1000, bool)
    assert accuracy.paired("test", float32, np.arange(1000) >= 7).drop == 0.7
