"""Gates: the checks that an export must pass. Each returns its figures, prints nothing, and raises for no bad file."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import complexity, contract
from zoo.agreement import relative_difference
from zoo.artifact import Gate
from zoo.contract import (
    CLASSES,
    CLASSIFY,
    EXAMPLES,
    IMAGE_BYTES,
    LOGITS,
    OUTPUTS,
    PROBABILITIES,
    PROBABILITY_TOLERANCE,
    SCORES,
    SERVE_BYTES,
    SERVE_BYTES_SAFE,
    SERVE_LABELS,
    STATUS,
    TOLERANCE,
    TOP,
)
from zoo.description import Model
from zoo.export.accuracy import Run
from zoo.export.int8 import float_islands
from zoo.export.onnx import lint, skeleton
from zoo.export.reference import Reference
from zoo.export.tf_serving.top_labels import serialized_example
from zoo.formats import Format, Session
from zoo.inputs.image.preprocessing import pixels_from_bytes
from zoo.onnx_file import DIGEST, graph_digest
from zoo.signature import departures

LEVELS = {"bilinear": 1, "bicubic": 2}
"""The largest difference between Pillow's pixels and TensorFlow's that passes, in levels of 0–255, by interpolation.

Both scale bicubically in two steps and round in between, Pillow in fixed point: where a value lies halfway, they may
round apart, and the second step may make 2 of it. Seen in 1 of 9 million values of photographs, and in 11 of as many of
black and white noise.
"""

BATCHES = (1, 2, 7)
"""The batch sizes that a file is tried with."""

CUT = 20
"""Bytes that a damaged JPEG lacks at its end. Of one cut in its header, libjpeg writes a line to standard error."""

RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")
"""ONNX operations that give another result each time."""

Batch = tuple[np.ndarray, dict[str, np.ndarray]]
"""The places of some images in the reference, and a file's outputs for them."""

Verdict = tuple[bool, dict[str, Any]]
"""The outcome of a check (passed or not) and its figures."""


def gate(name: str, check: Callable[[], Verdict]) -> Gate:
    """Run a check; an exception is a failed gate with the exception's message."""
    try:
        passed, figures = check()
    except Exception as error:  # the frameworks raise many kinds, and each is a no with its reason
        return Gate(name, False, {"error": " ".join(str(error).split())[:400]})
    return Gate(name, passed, figures)


def network_gate(model: Any, description: Model) -> Gate:
    """The gate `network`: the Keras model has the parameters and multiply-adds that its description says."""

    def check() -> Verdict:
        problems = complexity.departures(model, description)
        figures = {"parameters": description.parameters, "multiply_adds": description.multiply_adds}
        return not problems, {**figures, "problems": problems}

    return gate("network", check)


def client_gate(reference: Reference) -> Gate:
    """The gate `client_pixels`: a client's preprocessing by Pillow gives the pixels of TensorFlow's, see `LEVELS`."""
    limit = LEVELS[reference.preprocessing.interpolation]

    def check() -> Verdict:
        client = pixels_from_bytes(reference.jpeg, reference.preprocessing).astype(np.int16)
        difference = int(np.abs(client - reference.jpeg_pixels).max())
        return difference <= limit, {"largest_difference_in_levels": difference, "limit": limit}

    return gate("client_pixels", check)


def contract_gate(row: Format, opened: Callable[[], Session], description: Model) -> Gate:
    """The gate NAME_contract: the inputs and outputs of an open file are those of the contract."""

    def check() -> Verdict:
        found, wanted = opened().signature, contract.of_every_format(description)
        return not departures(found, wanted), {"found": found.described(), "wanted": wanted.described()}

    return gate(f"{row.name}_contract", check)


def output_gates(row: Format, opened: Callable[[], Session], reference: Reference) -> list[Gate]:
    """The gates NAME_batches and NAME_agreement: batches of several sizes, and the logits against those of Keras.

    A format that rounds by the batch (`batch_tolerance`) is compared with its own logits of single images in batches.
    """
    computed = functools.cache(lambda: in_batches(opened().run, reference))

    def same_in_batches() -> Verdict:
        if row.batch_tolerance is None:
            return batches(computed(), reference, row.tolerance)
        alone = np.concatenate([opened().run(image[None])[LOGITS] for image in reference.pixels])
        return batches(computed(), dataclasses.replace(reference, logits=alone), row.batch_tolerance)

    return [
        gate(f"{row.name}_batches", same_in_batches),
        gate(
            f"{row.name}_agreement",
            lambda: agreement(logits_of(computed(), reference), reference.logits, row.tolerance),
        ),
    ]


def in_batches(run: Run, reference: Reference) -> list[Batch]:
    """The outputs for all images of the reference: a batch of each size in `BATCHES`, then batches of `at_once`."""
    order = np.arange(max(len(reference.pixels), sum(BATCHES))) % len(reference.pixels)
    rest = range(sum(BATCHES) + reference.at_once, len(order), reference.at_once)
    split = np.split(order, [*np.cumsum(BATCHES), *rest])
    return [(places, run(reference.pixels[places])) for places in split if len(places)]


def logits_of(computed: Sequence[Batch], reference: Reference) -> np.ndarray:
    """float32 logits [n, classes] of the reference's images, from all batches."""
    return np.concatenate([outputs[LOGITS] for _, outputs in computed])[: len(reference.pixels)]


def agreement(logits: np.ndarray, expected: np.ndarray, tolerance: float = TOLERANCE) -> Verdict:
    """Compare logits: none differs by more than the tolerance, and the likeliest class of every image is the same.

    The class may be another where the two largest logits are as close as the tolerance.
    """
    if logits.shape != expected.shape:
        return False, {"shape": list(logits.shape), "expected_shape": list(expected.shape)}
    difference = relative_difference(logits, expected)
    best = np.sort(expected, -1)
    tied = best[:, -1] - best[:, -2] <= tolerance * float(np.abs(expected).max())
    other = int(((logits.argmax(-1) != expected.argmax(-1)) & ~tied).sum())
    return difference <= tolerance and other == 0, {
        "images": len(logits),
        "largest_difference": difference if np.isfinite(difference) else None,
        "limit": tolerance,
        "other_top1": other,
        "ties": int(tied.sum()),
    }


def batches(computed: Sequence[Batch], reference: Reference, tolerance: float = TOLERANCE) -> Verdict:
    """Check the outputs of batches of several sizes: dtype, shape, logits and the sum of the probabilities."""
    worst, sums = 0.0, 0.0
    if not all(np.isfinite(outputs[name]).all() for _, outputs in computed for name in OUTPUTS):
        return False, {"problem": "logits or probabilities that are not finite"}
    largest = float(np.abs(reference.logits).max())
    for places, outputs in computed[: len(BATCHES)]:
        for name in OUTPUTS:
            if outputs[name].shape != (len(places), reference.logits.shape[1]) or outputs[name].dtype != np.float32:
                return False, {
                    "batch": len(places),
                    "output": name,
                    "shape": list(outputs[name].shape),
                    "dtype": str(outputs[name].dtype),
                }
        worst = max(worst, float(np.abs(outputs[LOGITS] - reference.logits[places]).max()) / largest)
        sums = max(sums, float(np.abs(outputs[PROBABILITIES].sum(-1) - 1).max()))
    return worst <= tolerance and sums <= PROBABILITY_TOLERANCE, {
        "batches": list(BATCHES),
        "largest_difference": worst,
        "limit": tolerance,
        "sum_of_probabilities_off_by": sums,
    }


def onnx_file_gates(row: Format, path: Path) -> list[Gate]:
    """The gates on an ONNX file that is not opened: its digest, ONNX' checker, and its operations."""
    return [
        gate(f"{row.name}_digest", lambda: _digest(path)),
        gate(f"{row.name}_checker", lambda: _checker(path)),
        gate(f"{row.name}_operations", lambda: _operations(path)),
    ]


def lint_gate(path: Path, record: lint.ConversionRecord) -> Gate:
    """The gate `onnx_lint`: the graph has no node that should not be there, see `zoo.export.onnx.lint`."""
    return gate("onnx_lint", lambda: lint.report(path, record))


def int8_lint_gate(path: Path, float32_nodes: Collection[str]) -> Gate:
    """The gate `onnx_int8_lint`: between integer nodes, float32 is computed only where a node needs it."""
    return gate("onnx_int8_lint", lambda: float_islands.report(path, float32_nodes))


def _digest(path: Path) -> Verdict:
    """The graph is the one that the file was finished with."""
    kept = [entry.value for entry in skeleton.load(path).metadata_props if entry.key == DIGEST]
    found = graph_digest(path)
    problems = [] if kept == [found] else [f"the graph's SHA-256 is {found}, and the file keeps {kept}"]
    return not problems, {"problems": problems}


def _checker(path: Path) -> Verdict:
    import onnx

    onnx.checker.check_model(str(path), full_check=True)
    return True, {"onnx": onnx.__version__}


def _operations(path: Path) -> Verdict:
    """All operations are ONNX' own, and none is random."""
    import onnx

    nodes = Counter((node.domain, node.op_type) for node in skeleton.load(path).graph.node)
    foreign = sorted(f"{domain}:{kind}" for domain, kind in nodes if domain or not onnx.defs.has(kind, domain))
    random = sorted(kind for _, kind in nodes if kind in RANDOM)
    counted = {kind: count for (_, kind), count in sorted(nodes.items())}
    return not foreign and not random, {"nodes": counted, "foreign": foreign, "random": random}


def saved_model_gates(opened: Callable[[], Session], reference: Reference, labels: Sequence[str]) -> list[Gate]:
    """The gates on a SavedModel's signatures for uploaded files: against the evaluation pipeline, and each other."""
    import tensorflow as tf

    upload = reference.jpeg
    expected = np.repeat(reference.jpeg_logits, 2, 0)

    def call(signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        given = {name: tf.constant(value) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in opened().native.signatures[signature](**given).items()}

    def loads() -> Verdict:
        opened()
        return True, {}

    def uploaded() -> Verdict:
        outputs = call(SERVE_BYTES, **{IMAGE_BYTES: [upload] * 2})
        return agreement(outputs[LOGITS], expected)

    def beside_files_that_are_refused() -> Verdict:
        outputs = call(SERVE_BYTES_SAFE, **{IMAGE_BYTES: [upload, b"no image", upload, upload[:-CUT]]})
        status = [text.decode() for text in outputs[STATUS]]
        passed, figures = agreement(outputs[LOGITS][::2], expected)
        refused = [not text for text in status] == [True, False, True, False] and not outputs[LOGITS][1::2].any()
        return passed and refused, {**figures, "status": status}

    def labeled() -> Verdict:
        uploads = list(reference.uploads)
        requests = {
            SERVE_LABELS: {IMAGE_BYTES: uploads},
            CLASSIFY: {EXAMPLES: [serialized_example(one) for one in uploads]},
        }
        probabilities = call(SERVE_BYTES, **{IMAGE_BYTES: uploads})[PROBABILITIES]
        largest = -np.sort(-probabilities, -1)[:, :TOP]
        differences, repeated = [], 0
        for signature, inputs in requests.items():
            outputs = call(signature, **inputs)
            named = np.array([[labels.index(label.decode()) for label in row] for row in outputs[CLASSES]])
            repeated += sum(len(set(row)) < len(row) for row in named.tolist())
            # Of classes that are as likely as each other, either may come first.
            for wanted in (largest, np.take_along_axis(probabilities, named, -1)):
                differences.append(float(np.abs(outputs[SCORES] - wanted).max()))
        figures = {"images": len(uploads), "largest_difference": max(differences), "limit": PROBABILITY_TOLERANCE}
        return max(differences) <= PROBABILITY_TOLERANCE and not repeated, figures | {"repeated": repeated}

    checks = {
        "saved_model_loads": loads,
        "saved_model_bytes": uploaded,
        "saved_model_bytes_safe": beside_files_that_are_refused,
        "saved_model_labels": labeled,
    }
    return [gate(name, check) for name, check in checks.items()]
