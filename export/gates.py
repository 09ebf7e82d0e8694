"""What an artifact must pass. Every gate returns its figures and prints nothing; none raises for a bad artifact."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import complexity
from zoo.artifact import Format, Gate
from zoo.contract import (
    BATCH,
    CLASSES,
    CLASSIFY,
    EXAMPLES,
    IMAGE,
    IMAGE_BYTES,
    LOGITS,
    OUTPUTS,
    PROBABILITIES,
    SCORES,
    SERVE,
    SERVE_BYTES,
    SERVE_BYTES_SAFE,
    SERVE_LABELS,
    STATUS,
    TOP,
)
from zoo.description import Model
from zoo.export.onnx import lint, skeleton
from zoo.export.reference import Reference
from zoo.export.tf_serving.top_labels import serialized_example
from zoo.onnx_file import DIGEST, graph_digest
from zoo.preprocess import pixels_from_bytes

TOLERANCE = 1e-4
"""The largest difference of logits that passes, as a share of the largest logit."""

LEVELS = {"bilinear": 1, "bicubic": 2}
"""How far the two renderings of an image may be apart.

Both scale bicubically in two steps and round in between, Pillow in fixed point: where a value lies halfway, they may
round apart, and the second step may make 2 of it. Seen in 1 of 9 million values of photographs, and in 11 of as many of
black and white noise.
"""

TOLERANCES: dict[Format, float] = {"onnx_fp16": 1e-2, "onnx_int8": 0.5}
"""The same for formats that compute with fewer bits. How good int8 is, is for the budget of accuracy to say: this only
refuses what has nothing in common with the network."""

INT8_REPEATED = 2e-2
"""How far int8 answers of one batch may be from those of another: floats between the integers may round otherwise."""

SCORES_TOLERANCE = 1e-5
"""How far the score of a label may be from its probability in another signature."""

BATCHES = (1, 2, 7)

RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")


Function = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From uint8 pixels [batch, height, width, channels] to the contract's outputs by name."""

Answers = list[tuple[np.ndarray, dict[str, np.ndarray]]]
"""Batch by batch: which images were asked about, and what was said."""


def onnx_gates(path: Path, reference: Reference, kind: Format = "onnx") -> list[Gate]:
    """The digest, the checker, the load, the operations, the batches and the agreement with Keras of one ONNX file.

    An int8 file is held to its own answers, image by image, for what it says in batches.
    """
    tolerance = TOLERANCES.get(kind, TOLERANCE)
    session = functools.cache(lambda: _session(path))
    answers = functools.cache(lambda: asked(_function(session()), reference))

    def same_in_batches() -> tuple[bool, dict[str, Any]]:
        if kind != "onnx_int8":
            return batches(answers(), reference, tolerance)
        alone = np.concatenate([_function(session())(image[None])[LOGITS] for image in reference.pixels])
        return batches(answers(), dataclasses.replace(reference, logits=alone), INT8_REPEATED)

    checks: dict[str, Callable[[], tuple[bool, dict[str, Any]]]] = {
        f"{kind}_digest": lambda: _digest(path),
        f"{kind}_checker": lambda: _checker(path),
        f"{kind}_operations": lambda: _operations(path),
        f"{kind}_contract": lambda: _contract(session(), reference),
        f"{kind}_batches": same_in_batches,
        f"{kind}_agreement": lambda: agreement(logits_of(answers(), reference), reference.logits, tolerance),
    }
    return [_gate(name, check) for name, check in checks.items()]


def network_gate(model: Any, description: Model) -> Gate:
    """The Keras network has the parameters and the multiply-adds that its description says."""

    def check() -> tuple[bool, dict[str, Any]]:
        problems = complexity.departures(model, description)
        figures = {"parameters": description.parameters, "multiply_adds": description.multiply_adds}
        return not problems, {**figures, "problems": problems}

    return _gate("network", check)


def lint_gate(path: Path, origin: lint.Origin) -> Gate:
    """Nothing is in an ONNX file that should not be, and what became of the network, see `zoo.export.onnx.lint`."""
    return _gate("onnx_lint", lambda: lint.report(path, origin))


def int8_lint_gate(path: Path, kept: Collection[str]) -> Gate:
    """Nothing between integers is computed on floats in an int8 file unless a node asks for it, `kept` among them."""
    return _gate("onnx_int8_lint", lambda: lint.int8_report(path, kept))


def saved_model_loads(version_folder: Path) -> tuple[Gate, Any]:
    """Whether a SavedModel loads, with its signature for pixels; and what was loaded."""
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(version_folder))
        _serving_function(loaded)
    except (OSError, ValueError, KeyError) as error:
        return Gate("saved_model_loads", False, {"error": " ".join(str(error).split())[:400]}), None
    return Gate("saved_model_loads", True, {}), loaded


def saved_model_gates(loaded: Any, reference: Reference) -> list[Gate]:
    """The batches, the agreement with Keras, and the agreement of uploads with the evaluation pipeline.

    For `serve_bytes_safe` an upload is asked about beside files that are none, which must not change what is said.
    """
    import tensorflow as tf

    function = _serving_function(loaded)

    def safe() -> tuple[bool, dict[str, Any]]:
        uploads = [reference.jpeg, b"no image", reference.jpeg, reference.jpeg[: len(reference.jpeg) // 2]]
        answer = _arrays(loaded.signatures[SERVE_BYTES_SAFE](**{IMAGE_BYTES: tf.constant(uploads)}))
        status = [text.decode() for text in answer[STATUS]]
        passed, figures = agreement(answer[LOGITS][::2], np.repeat(reference.jpeg_logits, 2, 0))
        refused = [not text for text in status] == [True, False, True, False] and not answer[LOGITS][1::2].any()
        return passed and refused, {**figures, "status": status}

    def jpeg() -> tuple[bool, dict[str, Any]]:
        answer = _arrays(loaded.signatures[SERVE_BYTES](**{IMAGE_BYTES: tf.constant([reference.jpeg] * 2)}))
        return agreement(answer[LOGITS], np.repeat(reference.jpeg_logits, 2, 0))

    answers = functools.cache(lambda: asked(function, reference))
    checks: dict[str, Callable[[], tuple[bool, dict[str, Any]]]] = {
        "saved_model_batches": lambda: batches(answers(), reference),
        "saved_model_agreement": lambda: agreement(logits_of(answers(), reference), reference.logits),
        "saved_model_bytes": jpeg,
        "saved_model_bytes_safe": safe,
    }
    return [_gate(name, check) for name, check in checks.items()]


def labels_gate(loaded: Any, reference: Reference, labels: Sequence[str]) -> Gate:
    """The signatures that answer with labels name the classes of `serve_bytes`' largest probabilities, in order."""
    import tensorflow as tf

    def check() -> tuple[bool, dict[str, Any]]:
        uploads = list(reference.uploads)
        asked_for = {
            SERVE_LABELS: {IMAGE_BYTES: tf.constant(uploads)},
            CLASSIFY: {EXAMPLES: tf.constant([serialized_example(upload) for upload in uploads])},
        }
        probabilities = _arrays(loaded.signatures[SERVE_BYTES](**{IMAGE_BYTES: tf.constant(uploads)}))[PROBABILITIES]
        largest = -np.sort(-probabilities, -1)[:, :TOP]
        differences, repeated = [], 0
        for name, inputs in asked_for.items():
            answer = _arrays(loaded.signatures[name](**inputs))
            named = np.array([[labels.index(label.decode()) for label in row] for row in answer[CLASSES]])
            repeated += sum(len(set(row)) < len(row) for row in named.tolist())
            # Of classes that are as likely as each other, either may come first.
            for wanted in (largest, np.take_along_axis(probabilities, named, -1)):
                differences.append(float(np.abs(answer[SCORES] - wanted).max()))
        figures = {"images": len(uploads), "largest_difference": max(differences), "limit": SCORES_TOLERANCE}
        return max(differences) <= SCORES_TOLERANCE and not repeated, figures | {"repeated": repeated}

    return _gate("saved_model_labels", check)


def client_gate(reference: Reference) -> Gate:
    """A client's rendering of the preprocessing agrees with the pipeline's.

    Pillow's pixels and TensorFlow's, to the levels that the interpolation allows.
    """
    limit = LEVELS[reference.preprocessing.interpolation]

    def check() -> tuple[bool, dict[str, Any]]:
        client = pixels_from_bytes(reference.jpeg, reference.preprocessing).astype(np.int16)
        difference = int(np.abs(client - reference.jpeg_pixels).max())
        return difference <= limit, {"largest_difference_in_levels": difference, "limit": limit}

    return _gate("client_pixels", check)


def agreement(logits: np.ndarray, expected: np.ndarray, tolerance: float = TOLERANCE) -> tuple[bool, dict[str, Any]]:
    """Logits within the tolerance, and the same answers.

    The same top-1 on every image, unless its two best are as close as the tolerance.
    """
    if logits.shape != expected.shape:
        return False, {"shape": list(logits.shape), "expected_shape": list(expected.shape)}
    largest = float(np.abs(expected).max())
    difference = float(np.abs(logits - expected).max()) if np.isfinite(logits).all() else float("inf")
    best = np.sort(expected, -1)
    tied = best[:, -1] - best[:, -2] <= tolerance * largest
    other = int(((logits.argmax(-1) != expected.argmax(-1)) & ~tied).sum())
    passed = bool(np.isfinite(difference) and difference <= tolerance * largest and other == 0)
    share = difference / largest if np.isfinite(difference) and largest > 0 else None
    return passed, {
        "images": len(logits),
        "largest_difference": share,
        "limit": tolerance,
        "other_top1": other,
        "ties": int(tied.sum()),
    }


def asked(function: Function, reference: Reference) -> Answers:
    """What a function says of every image of the reference: in a batch of each size, and the rest as memory allows."""
    order = np.arange(max(len(reference.pixels), sum(BATCHES))) % len(reference.pixels)
    rest = range(sum(BATCHES) + reference.at_once, len(order), reference.at_once)
    split = np.split(order, [*np.cumsum(BATCHES), *rest])
    return [(chosen, function(reference.pixels[chosen])) for chosen in split if len(chosen)]


def logits_of(answers: Answers, reference: Reference) -> np.ndarray:
    """float32 [n, classes] of the reference's images."""
    return np.concatenate([answer[LOGITS] for _, answer in answers])[: len(reference.pixels)]


def batches(answers: Answers, reference: Reference, tolerance: float = TOLERANCE) -> tuple[bool, dict[str, Any]]:
    """Batches of several sizes give as many answers.

    Each is as for the image alone in Keras, and the probabilities sum to 1.
    """
    worst, sums = 0.0, 0.0
    if not all(np.isfinite(answer[name]).all() for _, answer in answers for name in OUTPUTS):
        return False, {"problem": "answers that are not finite"}
    largest = float(np.abs(reference.logits).max())
    for chosen, answer in answers[: len(BATCHES)]:
        for name in OUTPUTS:
            if answer[name].shape != (len(chosen), reference.logits.shape[1]) or answer[name].dtype != np.float32:
                return False, {
                    "batch": len(chosen),
                    "output": name,
                    "shape": list(answer[name].shape),
                    "dtype": str(answer[name].dtype),
                }
        worst = max(worst, float(np.abs(answer[LOGITS] - reference.logits[chosen]).max()) / largest)
        sums = max(sums, float(np.abs(answer[PROBABILITIES].sum(-1) - 1).max()))
    passed = worst <= tolerance and sums <= 1e-5
    return passed, {
        "batches": list(BATCHES),
        "largest_difference": worst,
        "limit": tolerance,
        "sum_of_probabilities_off_by": sums,
    }


def onnx_function(path: Path) -> Function:
    """A function of pixels that runs an ONNX file."""
    return _function(_session(path))


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _function(session: Any) -> Function:
    return lambda pixels: dict(zip(OUTPUTS, session.run(list(OUTPUTS), {IMAGE: pixels}), strict=True))


def saved_model_function(version_folder: Path) -> Function:
    """A function of pixels that runs a SavedModel in this process."""
    import tensorflow as tf

    return _serving_function(tf.saved_model.load(str(version_folder)))


def _serving_function(loaded: Any) -> Function:
    import tensorflow as tf

    serve = loaded.signatures[SERVE]

    def function(pixels: np.ndarray) -> dict[str, np.ndarray]:
        # `loaded` owns the variables that the signature reads: it must live as long as this function.
        assert loaded is not None
        return _arrays(serve(**{IMAGE: tf.constant(pixels)}))

    return function


def _digest(path: Path) -> tuple[bool, dict[str, Any]]:
    """The graph is the one that the file was closed with."""
    kept = [entry.value for entry in skeleton.bare(path).metadata_props if entry.key == DIGEST]
    found = graph_digest(path)
    problems = [] if kept == [found] else [f"the graph's SHA-256 is {found}, and the file keeps {kept}"]
    return not problems, {"problems": problems}


def _checker(path: Path) -> tuple[bool, dict[str, Any]]:
    import onnx

    onnx.checker.check_model(str(path), full_check=True)
    return True, {"onnx": onnx.__version__}


def _operations(path: Path) -> tuple[bool, dict[str, Any]]:
    import onnx

    nodes = Counter((node.domain, node.op_type) for node in skeleton.bare(path).graph.node)
    foreign = sorted(f"{domain}:{kind}" for domain, kind in nodes if domain or not onnx.defs.has(kind, domain))
    random = sorted(kind for _, kind in nodes if kind in RANDOM)
    counted = {kind: count for (_, kind), count in sorted(nodes.items())}
    return not foreign and not random, {"nodes": counted, "foreign": foreign, "random": random}


def _contract(session: Any, reference: Reference) -> tuple[bool, dict[str, Any]]:
    classes = reference.logits.shape[1]
    found = {value.name: [value.type, *value.shape] for value in (*session.get_inputs(), *session.get_outputs())}
    wanted = {IMAGE: ["tensor(uint8)", BATCH, *reference.preprocessing.shape]}
    wanted |= {name: ["tensor(float)", BATCH, classes] for name in OUTPUTS}
    return found == wanted, {"found": found, "wanted": wanted}


def _arrays(answer: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in answer.items()}


def _gate(name: str, check: Callable[[], tuple[bool, dict[str, Any]]]) -> Gate:
    """Run a check; whatever it raises is what the artifact did wrong."""
    try:
        passed, figures = check()
    except Exception as error:  # the frameworks raise many kinds, and each is a no with its reason
        return Gate(name, False, {"error": " ".join(str(error).split())[:400]})
    return Gate(name, passed, figures)
