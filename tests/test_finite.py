"""Answers that are not finite: no figure is made of them, wherever figures are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import zoo
from zoo.data.dataset import Images
from zoo.errors import Refused
from zoo.evaluation import evaluate
from zoo.export import build, gates
from zoo.export.graph import network
from zoo.export.int8.quantize import _Held
from zoo.export.reference import Reference, of_noise
from zoo.finite import finite, refuse_unanswered
from zoo.preprocess import Preprocessing

PIXELS = Preprocessing(8, 8, 1, (0.5,), (0.5,))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_evaluation_names_the_images(value: float) -> None:
    logits = np.zeros((6, 3), np.float32)
    logits[[1, 2, 4, 5], 2] = value
    with pytest.raises(Refused, match=r"x answers 4 of 6 images .* \(b, c, e and 1 more\)"):
        evaluate(logits, np.zeros(6, np.int64), "xyz", name="abcdef".__getitem__, source="x")


def test_finite_answers_are_fine() -> None:
    refuse_unanswered(finite(np.zeros((3, 2))), "image {}".format, "x")
    assert finite(np.array([[0, np.nan], [1, 2]])).tolist() == [False, True]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return of_noise(network(zoo.create("cnn", classes=3, input_shape=PIXELS.shape), PIXELS))


def test_a_network_that_answers_nothing_makes_no_evidence() -> None:
    model = zoo.create("cnn", classes=3, input_shape=PIXELS.shape)
    model.get_layer("logits").bias.assign([0.0, np.nan, 0.0])
    with pytest.raises(Refused, match=r"the network answers 2 of 2 images with numbers that are not finite"):
        of_noise(network(model, PIXELS))


def broken(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Answers that no argmax tells from those for class 0."""
    answer = np.full((len(pixels), 3), np.nan, np.float32)
    return {"logits": answer, "probabilities": answer}


def test_gates_refuse_them(reference: Reference) -> None:
    answers = gates.asked(broken, reference)
    assert not gates.batches(answers, reference)[0]
    assert not gates.agreement(gates.logits_of(answers, reference), reference.logits)[0]


@pytest.fixture(scope="module")
def images() -> Images:
    """Six noisy images of class 0."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)).save(file, "PNG")
    return Images(
        labels=np.zeros(6, np.int64),
        read=lambda i: file.getvalue(),
        names="number {}".format,
        shapes=np.full((6, 2), 8, np.int32),
        sizes=np.full(6, file.tell()),
        digests=np.arange(6, dtype=np.uint64),
    )


def test_an_exports_accuracy_is_not_measured_on_them(reference: Reference, images: Images) -> None:
    with pytest.raises(Refused, match=r"the onnx file answers 6 of 6 images .* \(number 0, number 1"):
        build._accuracy("onnx", broken, images, reference)


def test_in_8_bits_they_are_wrong_answers(images: Images) -> None:
    def right(pixels: np.ndarray) -> dict[str, Any]:
        return {"logits": np.array([[1, 0, 0]] * len(pixels), np.float32)}

    paired = _Held(images, PIXELS, "test", right).paired(broken)
    assert (paired.float32, paired.int8, paired.lost) == (1.0, 0.0, 6)
