"""Gates: the checks that an export must pass.

Each function returns one or more `zoo.artifact.Gate`, with the figures that decided it, and prints nothing. A bad file
fails the gate; it does not raise an exception.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import complexity, contract
from zoo.artifact import Gate
from zoo.contract import (
    PROBABILITY_TOLERANCE,
    TOLERANCE,
)
from zoo.description import Model
from zoo.errors import one_line
from zoo.export.batches import forms, part, size
from zoo.export.int8 import float_islands
from zoo.export.onnx import lint, skeleton
from zoo.export.reference import Reference, decoded_by_graph
from zoo.formats import Compute, Format, Session
from zoo.input import Arrays, kind_of
from zoo.signature import departures
from zoo.task import Verdict, task_of

BATCHES = (1, 2, 7)
"""The batch sizes that a file is tried with."""

RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")
"""ONNX operators with random results."""

Batch = tuple[np.ndarray, Arrays]
"""The positions of some examples in the reference, and a file's outputs for them."""


def gate(name: str, check: Callable[[], Verdict]) -> Gate:
    """Run a check; an exception is a failed gate with the exception's message."""
    try:
        passed, figures = check()
    except Exception as error:  # the frameworks raise exceptions of many classes
        return Gate(name, False, {"error": one_line(error, 400)})
    return Gate(name, passed, figures)


def network_gate(model: Any, description: Model) -> Gate:
    """The gate `network`: the Keras model has the parameters and multiply-adds that its description states."""

    def check() -> Verdict:
        problems = complexity.departures(model, description)
        figures = {"parameters": description.parameters, "multiply_adds": description.multiply_adds}
        return not problems, {**figures, "problems": problems}

    return gate("network", check)


def client_gate(reference: Reference) -> Gate:
    """The gate `client_inputs`: a client's preprocessing gives the inputs that the graph makes of raw examples.

    They may differ by the tolerance of the kind of input. The gate compares the samples of the reference and its
    doubtful examples.
    """
    preprocessing = reference.description.preprocessing
    kind = kind_of(preprocessing)

    def check() -> Verdict:
        limit = kind.data.client_tolerance(preprocessing)
        compared = [(reference.samples, reference.decoded, reference.statuses)]
        if reference.doubtful:
            compared.append((reference.doubtful, *decoded_by_graph(reference.doubtful, preprocessing)))
        differences = []
        for examples, decoded, statuses in compared:
            by_client = kind.client.encode(examples, preprocessing)
            refused = [text for text in statuses if text]
            client, graph = forms(by_client), forms(decoded)
            if refused or client != graph:
                return False, {"refused": refused, "client": client, "graph": graph}
            differences += [largest_difference(array, decoded[name]) for name, array in by_client.items()]
        count = sum(len(examples) for examples, _, _ in compared)
        return max(differences) <= limit, {
            "examples": count,
            "largest_difference": max(differences),
            "limit": limit,
        }

    return gate("client_inputs", check)


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference of two arrays; NaN differs by 0 from NaN, and by infinity from all else."""
    first, second = one.astype(np.float64), other.astype(np.float64)
    apart = np.where(np.isnan(first) & np.isnan(second), 0, np.abs(first - second))
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0))


def format_gates(row: Format, path: Path, opened: Callable[[], Session], description: Model) -> list[Gate]:
    """The gates NAME_contract and NAME_CHECK for each check of the format's own, such as `onnx_digest`.

    NAME_contract: the inputs and outputs of the open file are those of the contract.
    """

    def check() -> Verdict:
        actual, wanted = opened().signature, contract.of_every_format(description)
        return not departures(actual, wanted), {"found": actual.described(), "wanted": wanted.described()}

    try:
        faults = row.checks(path, opened(), description)
    except Exception as error:  # reading the metadata of a damaged file raises the library's own classes
        faults = {"checks": [one_line(error, 400)]}
    return [
        gate(f"{row.name}_contract", check),
        *(Gate.of(f"{row.name}_{name}", problems) for name, problems in faults.items()),
    ]


def output_gates(row: Format, opened: Callable[[], Session], reference: Reference) -> list[Gate]:
    """The gates NAME_batches and NAME_agreement: batches of several sizes, and the answers against those of Keras.

    A format that rounds by the batch (`batch_tolerance`) is compared with its own answers for single examples.
    NAME_batches also compares single examples at their own size, such as texts that are not filled up.
    """
    computed = functools.cache(lambda: in_batches(opened().run, reference))
    task = task_of(reference.description)

    def same_in_batches() -> Verdict:
        if row.batch_tolerance is None:
            return batches(computed(), reference, reference.expected, row.tolerance)
        singles = (part(reference.inputs, slice(number, number + 1)) for number in range(size(reference.inputs)))
        alone = np.concatenate([reference.primary(opened().run(example)) for example in singles])
        return batches(computed(), reference, alone, row.batch_tolerance)

    def same_in_every_size() -> Verdict:
        passed, figures = same_in_batches()
        fits, further = at_own_size(opened().run, reference, row.tolerance)
        return passed and fits, {**figures, **further}

    return [
        gate(f"{row.name}_batches", same_in_every_size),
        gate(
            f"{row.name}_agreement",
            lambda: task.agreement(
                primary_outputs_of(computed(), reference), reference.expected, row.tolerance, reference.description
            ),
        ),
    ]


def in_batches(run: Compute, reference: Reference) -> list[Batch]:
    """Compute all examples of the reference: a batch of each size in `BATCHES`, then batches of `at_once`."""
    count = size(reference.inputs)
    order = np.arange(max(count, sum(BATCHES))) % count
    rest = range(sum(BATCHES) + reference.at_once, len(order), reference.at_once)
    split = np.split(order, [*np.cumsum(BATCHES), *rest])
    return [(positions, run(part(reference.inputs, positions))) for positions in split if len(positions)]


def primary_outputs_of(computed: Sequence[Batch], reference: Reference) -> np.ndarray:
    """Return the primary output for the reference's examples, from all batches."""
    return np.concatenate([reference.primary(outputs) for _, outputs in computed])[: size(reference.inputs)]


def batches(
    computed: Sequence[Batch], reference: Reference, expected: np.ndarray, tolerance: float = TOLERANCE
) -> Verdict:
    """Check the outputs of batches of several sizes: dtypes, shapes, the primary output, and mutual agreement."""
    description, worst, inconsistent = reference.description, 0.0, 0.0
    stated = contract.of_every_format(description).outputs
    if not all(np.isfinite(outputs[name]).all() for _, outputs in computed for name in stated):
        return False, {"problem": f"{' or '.join(stated)} that are not finite"}
    task = task_of(description)
    yardstick = task.yardstick(expected, description)
    for positions, outputs in computed[: len(BATCHES)]:
        for name, tensor in stated.items():
            if not tensor.sized({contract.BATCH: len(positions)}).fits(outputs[name]):
                return False, {
                    "batch": len(positions),
                    "output": name,
                    "shape": list(outputs[name].shape),
                    "dtype": str(outputs[name].dtype),
                }
        worst = max(worst, yardstick.largest(reference.primary(outputs), expected[positions]))
        inconsistent = max(inconsistent, task.consistency(outputs))
    return worst <= tolerance and inconsistent <= PROBABILITY_TOLERANCE, {
        "batches": list(BATCHES),
        "largest_difference": worst,
        "limit": tolerance,
        "outputs_inconsistent_by": inconsistent,
    }


def at_own_size(run: Compute, reference: Reference, tolerance: float) -> Verdict:
    """Compare a file's answers for single examples at their own size with those of Keras."""
    if not reference.alone:
        return True, {}
    yardstick, worst = task_of(reference.description).yardstick(reference.expected, reference.description), 0.0
    for inputs, outputs in reference.alone:
        answers, expected = reference.primary(run(inputs)), reference.primary(outputs)
        if answers.shape != expected.shape:
            return False, {"alone": forms(inputs), "shape": list(answers.shape), "expected": list(expected.shape)}
        worst = max(worst, yardstick.largest(answers, expected))
    return worst <= tolerance, {
        "alone": [forms(inputs) for inputs, _ in reference.alone],
        "largest_difference_alone": worst,
        "limit_alone": tolerance,
    }


def onnx_file_gates(row: Format, path: Path) -> list[Gate]:
    """The gates that read an ONNX file and do not load it: ONNX's checker, and its operators."""
    return [
        gate(f"{row.name}_checker", lambda: _checker(path)),
        gate(f"{row.name}_operations", lambda: _operations(path)),
    ]


def lint_gate(path: Path, record: lint.ConversionRecord) -> Gate:
    """The gate `onnx_lint`: the graph has no node that should not be there, see `zoo.export.onnx.lint`."""
    return gate("onnx_lint", lambda: lint.report(path, record))


def int8_lint_gate(path: Path, float32_nodes: Collection[str]) -> Gate:
    """The gate `onnx_int8_lint`: between integer nodes, float32 is computed only where a node needs it."""
    return gate("onnx_int8_lint", lambda: float_islands.report(path, float32_nodes))


def _checker(path: Path) -> Verdict:
    import onnx

    onnx.checker.check_model(str(path), full_check=True)
    return True, {"onnx": onnx.__version__}


def _operations(path: Path) -> Verdict:
    """All operations are ONNX's own, and none is random."""
    import onnx

    nodes = Counter((node.domain, node.op_type) for node in skeleton.load(path).graph.node)
    foreign = sorted(f"{domain}:{op_type}" for domain, op_type in nodes if domain or not onnx.defs.has(op_type, domain))
    random = sorted(op_type for _, op_type in nodes if op_type in RANDOM)
    counted = {op_type: count for (_, op_type), count in sorted(nodes.items())}
    return not foreign and not random, {"nodes": counted, "foreign": foreign, "random": random}


def loads_gate(opened: Callable[[], Session]) -> Gate:
    """The gate `saved_model_loads`: TensorFlow in Python opens the SavedModel."""

    def check() -> Verdict:
        opened()
        return True, {}

    return gate("saved_model_loads", check)
