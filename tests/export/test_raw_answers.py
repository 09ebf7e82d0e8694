"""The gates on the answers to raw examples, on a good SavedModel and on answers that are wrong in one way each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.small_saved_models import (
    DESCRIPTION,
    LABELS,
    PREPROCESSING,
    UPLOADS,
    WEIGHTS,
    encoded_images,
    golden,
    save,
)
from zoo.artifact import Gate
from zoo.contract import CLASSES, LOGITS, PROBABILITIES, SCORES, STATUS
from zoo.export.reference import Reference, decoded_by_graph
from zoo.export.tf_serving.raw_answers import CLASSIFIED, LABELED, RAW, RAW_SAFE, beside_damaged, gates, server_gates
from zoo.inputs.image.client import IMAGE

SAMPLES = 2
Answers = dict[str, Any]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("good") / "model" / "1")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    samples = tuple(encoded_images(tmp_path_factory.mktemp("images")))
    decoded, statuses = decoded_by_graph(samples, PREPROCESSING)
    scale, offset = PREPROCESSING.scale_and_offset()
    logits = (decoded[IMAGE] * scale + offset).reshape(len(samples), -1) @ WEIGHTS
    expected = golden()
    return Reference(
        description=DESCRIPTION,
        inputs={IMAGE: expected[IMAGE]},
        outputs={LOGITS: expected[LOGITS]},
        samples=samples,
        doubtful=(),
        decoded=decoded,
        statuses=statuses,
        answers={LOGITS: logits.astype(np.float32)},
        at_once=8,
    )


@pytest.fixture
def answers(reference: Reference) -> Answers:
    """Right answers to all requests."""
    logits = reference.answers[LOGITS]
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = exponents / exponents.sum(-1, keepdims=True)
    order = np.argsort(-probabilities, -1)
    labeled = {
        CLASSES: np.array([[LABELS[place].encode() for place in row] for row in order], object),
        SCORES: np.take_along_axis(probabilities, order, -1),
    }
    _, sound = beside_damaged(reference)
    safe = np.zeros((len(sound), len(LABELS)), np.float32)
    safe[sound] = np.concatenate([np.repeat(logits[:1], np.sum(~sound), 0), logits])
    status = np.array([b"" if one else b"neither JPEG nor PNG" for one in sound], object)
    return {
        RAW: {LOGITS: logits, PROBABILITIES: probabilities},
        RAW_SAFE: {LOGITS: safe, STATUS: status},
        LABELED: labeled,
        CLASSIFIED: {name: value.copy() for name, value in labeled.items()},
    }


def failed(results: list[Gate]) -> set[str]:
    return {gate.name for gate in results if not gate.passed}


def test_a_good_model_passes_all_gates(base: Path, reference: Reference) -> None:
    results = server_gates(base, reference)
    assert [gate.name for gate in results] == [
        "server",
        "saved_model_raw",
        "saved_model_raw_safe",
        "saved_model_labels",
    ]
    assert not failed(results), [gate.figures for gate in results]
    assert results[1].figures["largest_difference"] <= 1e-5
    assert results[3].figures["examples"] == SAMPLES


def test_a_model_that_prepares_raw_examples_in_another_way_fails(tmp_path: Path, reference: Reference) -> None:
    def darker(image_bytes: Any) -> tuple[Any, Any]:
        pixels, status = UPLOADS(image_bytes)
        return pixels // 2, status

    results = server_gates(save(tmp_path / "model" / "1", uploads=darker), reference)
    assert failed(results) == {"saved_model_raw", "saved_model_raw_safe"}, "the golden images are answered right"


def test_right_answers_pass(answers: Answers, reference: Reference) -> None:
    assert not failed(gates(answers, reference))


def test_each_wrong_answer_fails_its_gate(answers: Answers, reference: Reference) -> None:
    _, sound = beside_damaged(reference)
    wrong = {
        "saved_model_raw": [(RAW, LOGITS, answers[RAW][LOGITS] * 1.001)],
        "saved_model_raw_safe": [
            (RAW_SAFE, LOGITS, answers[RAW_SAFE][LOGITS] * 1.001),
            (RAW_SAFE, LOGITS, answers[RAW_SAFE][LOGITS] + 1.0 * ~sound[:, None]),
            (RAW_SAFE, STATUS, np.full(len(sound), b"", object)),
            (RAW_SAFE, STATUS, answers[RAW_SAFE][STATUS][::-1]),
        ],
        "saved_model_labels": [
            (LABELED, CLASSES, answers[LABELED][CLASSES][:, ::-1]),
            (CLASSIFIED, CLASSES, np.repeat(answers[LABELED][CLASSES][:, :1], len(LABELS), 1)),
            (CLASSIFIED, CLASSES, np.full_like(answers[LABELED][CLASSES], b"no label")),
            (LABELED, SCORES, answers[LABELED][SCORES] + 1e-3),
        ],
    }
    for gate, cases in wrong.items():
        for request, name, value in cases:
            found = gates({**answers, request: {**answers[request], name: value}}, reference)
            assert failed(found) == {gate}, (gate, request, name)


def test_a_request_that_was_not_answered_fails_its_gates_with_the_reason(
    answers: Answers, reference: Reference
) -> None:
    found = gates({**answers, RAW: "out of memory"}, reference)
    assert failed(found) == {"saved_model_raw", "saved_model_labels"}
    assert found[0].figures["error"] == "'samples' was not answered: out of memory"


def test_a_model_that_does_not_load_fails_all_gates(base: Path, reference: Reference, tmp_path: Path) -> None:
    results = server_gates(tmp_path / "nothing", reference)
    assert len(failed(results)) == len(results) == 4
