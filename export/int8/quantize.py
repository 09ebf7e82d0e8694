"""The int8 file: calibrated on training examples, with the nodes in float32 that validation examples ask for.

The test split has no part in it, so that it measures the result.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.artifact import PairedAccuracy
from zoo.data.dataset import Dataset, Examples
from zoo.description import Model
from zoo.errors import ZooError, one_line
from zoo.export.batches import forms, joined, size
from zoo.export.int8 import calibration, qdq
from zoo.export.int8.equalization import equalizable, equalize
from zoo.export.int8.options import Int8Options
from zoo.export.int8.search import Attempts, Probes, Validation, primary_rows, within_budget
from zoo.export.int8.verdict import Int8Decision
from zoo.export.onnx import passes
from zoo.export.onnx.conversion import save
from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.integer_kernels import weighted_nodes
from zoo.formats.onnx import open_onnx
from zoo.input import Arrays, kind_of
from zoo.int8_defaults import Target
from zoo.text import Say

PROBES = 64
"""The number of calibration examples that choose the method of calibration and rank the nodes, by the primary
output."""

SEARCH_EXAMPLES = 5000
"""The most validation examples on which the drop is measured, once for each attempt."""


def write_int8(
    float32: Path,
    int8: Path,
    options: Int8Options,
    *,
    description: Model,
    dataset: Dataset,
    cache: Path,
    say: Say,
) -> Int8Decision:
    """Write the int8 version of a float32 file and return the decisions behind it.

    `zoo.export.int8.verdict` then decides whether the file is kept.

    Args:
        float32: the finished ONNX file.
        int8: the file to write.
        options: the target and the budget.
        description: the model.
        dataset: its training examples calibrate, its validation examples decide which nodes stay in float32.
        cache: the folder of cached calibrations.
        say: called with a line about each step.

    Raises:
        ZooError: no node of the network can be computed on integers.
    """
    import onnx

    examples = _chosen(dataset.train, description, options.calibration_examples)
    model = onnx.load(float32)
    prepare(model, options.target)
    if not any(weighted_nodes(GraphIndex(model))):
        raise ZooError(f"{description.family} has no weights that int8 could compute with: leave --int8 out")
    probes = _batched(itertools.islice(examples, PROBES))
    scaled = _equalized(model, probes)
    batches = [*probes, *_batched(examples)]
    histograms = _calibrated(model, batches, cache, say)
    session = open_onnx(float32)
    validation = Validation(_spread(dataset.validation, SEARCH_EXAMPLES), description, session.run)
    compared = Probes(probes, description, primary_rows(session.run, probes, description))
    # Free the weights of this session before those of the attempts are loaded.
    del session
    method, nodes, float32_nodes, paired = _decide(model, histograms, validation, compared, options, int8, say)
    return Int8Decision(method, nodes, float32_nodes, scaled, sum(map(size, batches)), paired)


def prepare(model: Any, target: Target) -> None:
    """Run the passes that prepare a float32 model for the integer kernels of a target, in place."""
    passes.apply(model, "int8")
    if qdq.TYPES[target].activation is np.uint8:
        passes.apply(model, "int8_from_uint8")


def _chosen(examples: Examples, description: Model, count: int) -> Iterator[Arrays]:
    """Draw `count` examples with a fixed seed, or all if there are fewer, and encode each as a batch of its own."""
    order = np.random.default_rng(0).permutation(len(examples))[:count]
    encode = kind_of(description.preprocessing).client.encode
    return (encode([examples.read(int(number))], description.preprocessing) for number in order)


def _batched(examples: Iterable[Arrays]) -> list[Arrays]:
    """Join examples of the same length into batches: padding would count among the values of the tensors.

    A batch has at most as many examples as one run of the calibration, so that few are in memory twice.
    """
    batches: list[Arrays] = []
    waiting: dict[str, list[Arrays]] = {}
    for example in examples:
        group = waiting.setdefault(str(forms(example)), [])
        group.append(example)
        if len(group) == calibration.MOST_EXAMPLES:
            batches.append(joined(group))
            group.clear()
    return batches + [joined(group) for group in waiting.values() if group]


def _spread(examples: Examples, most: int) -> Examples:
    """Choose at most `most` examples, evenly spread over the split."""
    if len(examples) <= most:
        return examples
    return examples.only(np.linspace(0, len(examples) - 1, most).astype(int))


def _equalized(model: Any, probes: Sequence[Arrays]) -> int:
    """Equalize a model in place and return the number of activations that were scaled."""
    index = GraphIndex(model)
    axes = {activation.tensor: activation.axis for activation in equalizable(index)}
    return equalize(index, calibration.channel_maxima(model, axes, probes)) if axes else 0


def _calibrated(model: Any, batches: Sequence[Arrays], cache: Path, say: Say) -> dict[str, calibration.Histogram]:
    """Return the histograms of the tensors that may be quantized, from the cache if it has them.

    The key of the cache is a digest of the examples and of the prepared model, whose tensors are measured.
    """
    wanted = qdq.to_calibrate(GraphIndex(model))
    content = hashlib.sha256()
    for values in (values for batch in batches for values in batch.values()):
        content.update(np.ascontiguousarray(values).data)
    for node in model.graph.node:
        content.update(node.SerializeToString())
    for tensor in model.graph.initializer:
        content.update(tensor.raw_data or tensor.SerializeToString())
    key = f"{content.hexdigest()} {calibration.SETTINGS}"
    path = cache / f"calibration-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    cached = calibration.read_cache(path, key, wanted)
    if cached is not None:
        say(f"calibrated before: {path}")
        return cached
    say(f"calibrating {len(wanted)} tensors on {sum(map(size, batches))} training examples")
    histograms = calibration.collect(model, wanted, batches)
    try:
        calibration.write_cache(path, key, histograms)
    except (OSError, ZooError) as error:
        say(f"the calibration is not kept for the next export: {one_line(error)}")
    return histograms


def _decide(
    model: Any,
    histograms: Mapping[str, calibration.Histogram],
    validation: Validation,
    probes: Probes,
    options: Int8Options,
    int8: Path,
    say: Say,
) -> tuple[calibration.Method, int, dict[str, float], PairedAccuracy]:
    """Choose the method of calibration by the probes' answers and the nodes by validation, and write the int8 file.

    Returns:
        The method of calibration, the number of nodes that can be computed on integers, those of them that stay in
        float32 with the cost of each, and the accuracy on validation.
    """
    choices = {
        method: {name: histogram.range(method) for name, histogram in histograms.items()}
        for method in calibration.METHODS
    }
    with tempfile.TemporaryDirectory() as scratch:
        attempts = Attempts(model, options.target, probes, Path(scratch) / "attempt.onnx")
        method = min(calibration.METHODS, key=lambda candidate: attempts.error(choices[candidate]))
        float32_nodes, paired = within_budget(attempts, choices[method], validation, options.max_drop, say)
        save(attempts.model(choices[method], float32_nodes), int8)
    return method, len(attempts.nodes) + len(attempts.activations), float32_nodes, paired
