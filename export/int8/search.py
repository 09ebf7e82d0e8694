"""The search for the nodes that must stay in float32, so that an int8 file loses no more than its budget allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from zoo.artifact import PairedAccuracy
from zoo.data.dataset import Examples
from zoo.description import Model
from zoo.export import accuracy
from zoo.export.batches import parts
from zoo.export.int8 import qdq
from zoo.export.int8.qdq import Range
from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.integer_kernels import node_name, weighted_nodes
from zoo.formats import Compute
from zoo.formats.onnx import INT8, open_onnx
from zoo.input import Arrays
from zoo.int8_defaults import Target
from zoo.task import task_of
from zoo.text import Say

Found = TypeVar("Found")

APART = 0.8 * INT8.tolerance
"""The most by which the primary output may differ from float32, in units of the task's yardstick.

It is less than the gate allows, because the gate compares other examples.
"""

MOST_TRIED = 64
"""The most groups of nodes that are tried one by one; with more nodes, neighbors form a group."""

BATCH = 32


@dataclass(frozen=True)
class Probes:
    """Batches of examples, the model, and the `primary_rows` that the float32 file gives for them."""

    batches: Sequence[Arrays]
    description: Model
    expected: np.ndarray


class Attempts:
    """Attempts at an int8 file: each is written to one scratch file, run, and compared with float32 by its answers."""

    def __init__(self, model: Any, target: Target, probes: Probes, path: Path) -> None:
        self._model, self._target, self._probes, self._path = model, target, probes, path
        self.activations = tuple(qdq.integer_activations(GraphIndex(model)))
        self.nodes = tuple(node_name(node) for node in weighted_nodes(GraphIndex(model)))

    def model(self, chosen: Mapping[str, Range], float32_nodes: Collection[str]) -> Any:
        """Return the model with all nodes in 8 bits except `float32_nodes`."""
        return qdq.quantized(self._model, chosen, self._target, frozenset(float32_nodes))

    def run(self, chosen: Mapping[str, Range], float32_nodes: Collection[str] = ()) -> Compute:
        """Write and open that model, and return the function that answers with it."""
        import onnx

        onnx.save(self.model(chosen, float32_nodes), self._path)
        return open_onnx(self._path).run

    def error(self, chosen: Mapping[str, Range], float32_nodes: Collection[str] = ()) -> float:
        """Return the `rms_error` of the answers to the probes."""
        run = self.run(chosen, float32_nodes)
        return rms_error(self._rows(run), self._probes.expected, self._probes.description)

    def apart(self, run: Compute) -> float:
        """Return the `largest_difference` of the answers to the probes."""
        return largest_difference(self._rows(run), self._probes.expected, self._probes.description)

    def _rows(self, run: Compute) -> np.ndarray:
        return primary_rows(run, self._probes.batches, self._probes.description)


def primary_rows(run: Compute, batches: Sequence[Arrays], description: Model) -> np.ndarray:
    """Return the primary outputs of all examples and frames, [n, labels]."""
    task = task_of(description)
    outputs = [task.primary(run(small_batch), description) for batch in batches for small_batch in parts(batch, BATCH)]
    return np.concatenate([array.reshape(-1, array.shape[-1]) for array in outputs])


def rms_error(found: np.ndarray, expected: np.ndarray, description: Model) -> float:
    """Return the root mean square error as a share of the std of the expected numbers, of the worst target."""
    by_target, errors = task_of(description).by_target, []
    for actual, wanted in zip(by_target(found), by_target(expected), strict=True):
        # In float64, because the squares of values may exceed float32.
        error = np.sqrt(((actual.astype(np.float64) - wanted) ** 2).mean())
        errors.append(error / (wanted.std(dtype=np.float64) or 1.0))
    worst = float(np.max(errors))
    return worst if math.isfinite(worst) else math.inf


def largest_difference(found: np.ndarray, expected: np.ndarray, description: Model) -> float:
    """Return the largest difference in units of the task's yardstick; infinite where `found` is not finite."""
    return task_of(description).yardstick(expected, description).largest(found, expected)


class Validation:
    """Validation examples, and which of them the float32 file answers right."""

    def __init__(self, examples: Examples, description: Model, float32: Compute) -> None:
        self._examples, self._description = examples, description
        self._float32 = self._right(float32)

    def paired(self, int8: Compute) -> PairedAccuracy:
        """Compare an int8 file with the float32 file example by example."""
        return accuracy.paired("validation", self._float32, self._right(int8))

    def _right(self, run: Compute) -> np.ndarray:
        outputs = accuracy.primary_outputs(run, self._examples, self._description, BATCH)
        return accuracy.right(outputs, self._examples, self._description)


def within_budget(
    attempts: Attempts, chosen: Mapping[str, Range], validation: Validation, max_drop: float, say: Say
) -> tuple[dict[str, float], PairedAccuracy]:
    """Find the fewest nodes that have to stay in float32, the most harmful first.

    Hard activations and sigmoids go first and together: in float32 they cost the least time, and no other nodes lose as
    much accuracy on integers.

    Returns:
        The nodes with the cost of each, and the drop on validation that remains. If no search step stays within the
        budget, no nodes, and the drop with all nodes in 8 bits.
    """

    def measured(float32_nodes: Collection[str], title: str) -> tuple[PairedAccuracy, bool]:
        """Return the drop with these nodes in float32, and whether the answers are close enough."""
        run = attempts.run(chosen, float32_nodes)
        paired, difference = validation.paired(run), attempts.apart(run)
        say(
            f"{title}: {paired.drop:.2f} points lost on {paired.examples} validation examples, "
            f"answers differ by up to {difference:.2f} of the largest (of values: by distance from the mean)"
        )
        return paired, paired.drop <= max_drop and difference <= APART

    all_int8, fits = measured((), "int8 throughout")
    if fits:
        return {}, all_int8
    base: dict[str, float] = {}
    if attempts.activations:
        cost = max(0.0, attempts.error(chosen) - attempts.error(chosen, attempts.activations))
        base = dict.fromkeys(attempts.activations, cost)
        paired, fits = measured(base, "hard activations and sigmoids in float32")
        if fits:
            return base, paired
    say(f"{max_drop:g} points and {APART:g} are allowed: looking for the nodes that lose the most")
    ranked = _ranked(attempts, chosen)

    def keeping(count: int) -> tuple[dict[str, float], PairedAccuracy] | None:
        """Measure with the `count` most harmful groups in float32; return None where that is not enough."""
        float32_nodes = base | {name: cost for group, cost in ranked[:count] for name in group}
        kept = len(float32_nodes) - len(base)
        paired, fits = measured(float32_nodes, f"{kept} of {len(attempts.nodes)} nodes in float32")
        return (float32_nodes, paired) if fits else None

    return fewest(len(ranked) - 1, keeping) or ({}, all_int8)


def fewest(most: int, attempt: Callable[[int], Found | None]) -> Found | None:
    """Return the outcome of the smallest count, from 1 to `most`, whose attempt succeeds; None if none does.

    The count is doubled until an attempt succeeds, then found by bisection, so that attempts are few. If an attempt
    succeeds, one with a larger count should as well.
    """
    below, above, best = 0, 1, None
    while best is None and below < most:
        above = min(above, most)
        best = attempt(above)
        if best is None:
            below, above = above, 2 * above
    while best is not None and above - below > 1:
        middle = (above + below) // 2
        outcome = attempt(middle)
        if outcome is None:
            below = middle
        else:
            above, best = middle, outcome
    return best


def _ranked(attempts: Attempts, chosen: Mapping[str, Range]) -> list[tuple[tuple[str, ...], float]]:
    """Rank nodes, or groups of neighbors, by the error when they alone are in 8 bits; the most harmful first."""
    size = -(-len(attempts.nodes) // MOST_TRIED)
    groups = [attempts.nodes[start : start + size] for start in range(0, len(attempts.nodes), size)]
    others = {*attempts.nodes, *attempts.activations}
    costs = [attempts.error(chosen, others - set(group)) for group in groups]
    return sorted(zip(groups, costs, strict=True), key=lambda group_and_cost: -group_and_cost[1])
