"""The gates on the answers to raw examples: requests for the server check, and what its answers have to be.

The process of the server check answers them, because TensorFlow optimizes every signature again in each process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact import Gate
from zoo.contract import (
    CLASSES,
    CLASSIFY,
    EXAMPLES,
    PROBABILITIES,
    PROBABILITY_TOLERANCE,
    SCORES,
    SERVE_LABELS,
    STATUS,
    TOLERANCE,
    TOP,
)
from zoo.errors import ZooError
from zoo.export.gates import gate
from zoo.export.reference import Reference
from zoo.export.tf_serving import server_check
from zoo.export.tf_serving.server_check import Request
from zoo.export.tf_serving.top_labels import serialized_examples
from zoo.input import Arrays, kind_of
from zoo.task import Verdict, task_of

RAW, RAW_SAFE, LABELED, CLASSIFIED = "samples", "samples beside damaged ones", "samples, labeled", "samples, classified"
"""The names of the requests."""


def server_gates(base: Path, reference: Reference) -> list[Gate]:
    """Run the server check on a SavedModel, and return the gates `server`, `saved_model_raw` and so on.

    Args:
        base: the folder of BASE/VERSION/saved_model.pb.
        reference: the samples, and what Keras computes for them.
    """
    checked = server_check.check(
        base, reference.golden(), reference.description, reference.samples[0], requests(reference)
    )
    return [checked.gate, *gates(checked.answers, reference)]


def requests(reference: Reference) -> list[Request]:
    """List requests of the samples, for each signature that takes raw examples."""
    preprocessing, samples = reference.description.preprocessing, reference.samples
    kind = kind_of(preprocessing)
    mixed, sound = beside_damaged(reference)

    def raw(examples: Sequence[Any]) -> Arrays:
        return kind.client.raw_arrays(list(examples), preprocessing)

    raw_requests = [
        Request(RAW, kind.raw, raw(samples)),
        Request(RAW_SAFE, kind.raw_safe, raw(mixed), refused=tuple(map(int, np.flatnonzero(~sound)))),
    ]
    if PROBABILITIES in task_of(reference.description).outputs:
        raw_requests += [
            Request(LABELED, SERVE_LABELS, raw(samples)),
            Request(CLASSIFIED, CLASSIFY, {EXAMPLES: serialized_examples(raw(samples))}),
        ]
    return raw_requests


def beside_damaged(reference: Reference) -> tuple[list[Any], np.ndarray]:
    """Return the first sample before each damaged form of it, then all samples; and bool [n]: those not damaged."""
    samples, preprocessing = reference.samples, reference.description.preprocessing
    damaged = list(kind_of(preprocessing).data.damaged(samples[0], preprocessing).values())
    mixed = [example for pair in zip([samples[0]] * len(damaged), damaged, strict=True) for example in pair]
    return [*mixed, *samples], np.array([True, False] * len(damaged) + [True] * len(samples))


def gates(answers: Mapping[str, Arrays | str], reference: Reference) -> list[Gate]:
    """Compare the answers to the `requests` with what Keras computes, and with each other.

    Args:
        answers: for each request by name its outputs, or the reason why there are none.
        reference: the samples, and what Keras computes for them.
    """
    description = reference.description
    task, labels = task_of(description), description.labels
    expected = reference.primary(reference.answers)

    def answered(name: str) -> Arrays:
        answer = answers[name]
        if isinstance(answer, str):
            raise ZooError(f"'{name}' was not answered: {answer}")
        return answer

    def raw() -> Verdict:
        return task.agreement(reference.primary(answered(RAW)), expected, TOLERANCE, description)

    def beside_refused() -> Verdict:
        _, sound = beside_damaged(reference)
        outputs = answered(RAW_SAFE)
        status = [text.decode() for text in outputs[STATUS]]
        wanted = np.concatenate([np.repeat(expected[:1], np.sum(~sound), 0), expected])
        primary = reference.primary(outputs)
        passed, figures = task.agreement(primary[sound], wanted, TOLERANCE, description)
        refused = [not text for text in status] == sound.tolist() and not primary[~sound].any()
        return passed and refused, {**figures, "status": status}

    def labeled() -> Verdict:
        probabilities = answered(RAW)[PROBABILITIES]
        largest = -np.sort(-probabilities, -1)[:, :TOP]
        differences, repeated = [], 0
        for name in (LABELED, CLASSIFIED):
            outputs = answered(name)
            named = np.array([[labels.index(label.decode()) for label in row] for row in outputs[CLASSES]])
            repeated += sum(len(set(row)) < len(row) for row in named.tolist())
            # Equally likely classes may come in any order.
            for wanted in (largest, np.take_along_axis(probabilities, named, -1)):
                differences.append(float(np.abs(outputs[SCORES] - wanted).max()))
        figures = {
            "examples": len(probabilities),
            "largest_difference": max(differences),
            "limit": PROBABILITY_TOLERANCE,
        }
        return max(differences) <= PROBABILITY_TOLERANCE and not repeated, figures | {"repeated": repeated}

    checks = {"saved_model_raw": raw, "saved_model_raw_safe": beside_refused}
    if PROBABILITIES in task.outputs:
        checks["saved_model_labels"] = labeled
    return [gate(name, check) for name, check in checks.items()]
