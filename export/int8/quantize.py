"""The int8 file: calibrated, compared with float32 on each example, and refused if it loses too much or is no faster.

The validation split decides which nodes are computed on integers; the test split only measures the result.
"""

from __future__ import annotations

import hashlib
import math
import platform
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np

from zoo.artifact import Float32Node, Int8, LatencyRatio, PairedAccuracy, Target
from zoo.data.dataset import Dataset, Examples
from zoo.description import Model
from zoo.errors import Refused, ZooError, did_you_mean, one_line
from zoo.export import accuracy
from zoo.export.accuracy import Run
from zoo.export.batches import forms, joined, parts, size
from zoo.export.int8 import calibration, latency_ratio, qdq
from zoo.export.int8.equalization import equalizable, equalize
from zoo.export.int8.qdq import Range
from zoo.export.onnx import passes
from zoo.export.onnx.conversion import save
from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.integer_kernels import node_name, weighted_nodes
from zoo.formats.onnx import INT8, open_onnx
from zoo.input import Arrays, kind_of
from zoo.processor import instruction_sets
from zoo.registry import resolve
from zoo.task import task_of
from zoo.text import Say

Found = TypeVar("Found")

MAX_DROP = 0.5
CALIBRATION_EXAMPLES = 512
PROBES = 64
"""The number of calibration examples that choose the method of calibration and rank the nodes, by the primary
output."""

APART = 0.8 * INT8.tolerance
"""The most by which the primary output of a probe may differ from float32, as a share of the largest number.

It is less than the gate allows, because the gate compares other examples.
"""

SEARCH_EXAMPLES = 5000
"""The most validation examples on which the drop is measured, once for each attempt."""

MOST_TRIED = 64
"""The most groups of nodes that are tried one by one; with more nodes, neighbors form a group."""

BATCH = 32


@dataclass(frozen=True)
class Int8Options:
    """The options of an int8 file.

    Attributes:
        target: the processor that it is for.
        max_drop: the points of accuracy that it may lose.
        calibration_examples: the training examples that calibrate it.
        force: whether it is written even if it loses more or is not faster.
    """

    target: Target
    max_drop: float = MAX_DROP
    calibration_examples: int = CALIBRATION_EXAMPLES
    force: bool = False


@dataclass(frozen=True)
class Decision:
    """The decisions behind an int8 file.

    Attributes:
        method: the method of calibration.
        nodes: the number of nodes that can be computed on integers.
        float32_nodes: those of them that stay in float32, with the cost of each, see `zoo.artifact.Float32Node`.
        scaled: the number of activations that were equalized.
        calibration_examples: the number of examples that calibrated it.
        validation: the accuracy on the validation examples that decided `float32_nodes`.
    """

    method: calibration.Method
    nodes: int
    float32_nodes: dict[str, float]
    scaled: int
    calibration_examples: int
    validation: PairedAccuracy


def int8_options(target: str | None, max_drop: float, calibration_examples: int, force: bool) -> Int8Options:
    """Check the options of a command line; without a target, take this machine's processor.

    Raises:
        ZooError: the target is unknown or a number is out of range.
    """
    known: tuple[Target, ...] = get_args(Target)
    if target is not None and target not in known:
        raise ZooError(f"there is no target '{target}': {did_you_mean(target, known)}")
    if not 0 <= max_drop <= 100:
        raise ZooError(
            f"--max-drop {max_drop} is out of range: give points of accuracy from 0 to 100, such as {MAX_DROP}"
        )
    if calibration_examples < 1:
        raise ZooError(f"--calibration-examples {calibration_examples} calibrate nothing: take at least 1")
    chosen = next((one for one in known if one == target), this_machine())
    return Int8Options(chosen, max_drop, calibration_examples, force)


def refuse_useless(description: Model, options: Int8Options) -> None:
    """Refuse int8 for a family for which it is not worth it, unless it is forced.

    Raises:
        ZooError: int8 is not worth it; the message has the reason from the family's record.
    """
    family, _ = resolve(description.family, description.size)
    if family.no_int8 and not options.force:
        raise ZooError(f"int8 is not worth it for {family.name}: {family.no_int8}; leave --int8 out, or --force it")


def this_machine() -> Target:
    """Return the target of this machine's processor."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return "arm64"
    known = set(instruction_sets())
    if known & {"avx512_vnni", "avx_vnni"}:
        return "x86-vnni"
    return "x86-avx2" if "avx2" in known else "portable"


def write_int8(
    float32: Path,
    int8: Path,
    options: Int8Options,
    *,
    description: Model,
    dataset: Dataset,
    cache: Path,
    say: Say,
) -> Decision:
    """Write the int8 version of a float32 file and return the decisions behind it.

    `weigh` then decides whether the file is kept.

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
    probes = _batched(examples[:PROBES])
    scaled = _equalized(model, probes)
    histograms = _calibrated(model, _batched(examples), cache, say)
    session = open_onnx(float32)
    validation = _Validation(_spread(dataset.validation, SEARCH_EXAMPLES), description, session.run)
    compared = _Probes(probes, description, _answers(session.run, probes, description))
    # Free the weights of this session before those of the attempts are loaded.
    del session
    method, nodes, float32_nodes, paired = _decide(model, histograms, validation, compared, options, int8, say)
    return Decision(method, nodes, float32_nodes, scaled, len(examples), paired)


def weigh(
    decision: Decision,
    options: Int8Options,
    float32: np.ndarray,
    int8: np.ndarray,
    *,
    files: tuple[Path, Path],
    example: Arrays,
) -> Int8:
    """Compare a finished int8 file with float32 in accuracy and latency, and return all its figures.

    Args:
        decision: how the file was made.
        options: the target and the budget.
        float32: bool [examples], whether the float32 file answers each test example right.
        int8: bool [examples], the same for the int8 file.
        files: the float32 and the int8 file.
        example: the batch of one example that latency is measured on.

    Raises:
        Refused: int8 loses more than the budget on either split, or is not faster; the figures are in the message.
            With `options.force`, the reasons are in `forced` instead.
    """
    test = accuracy.paired("test", float32, int8)
    speed = latency_ratio.compare(*files, example) if _runs_here(options.target) else None
    reasons = _reasons(options, decision.validation, test, speed)
    if reasons and not options.force:
        raise Refused(
            f"int8 is not worth it: {'; '.join(reasons)}; leave --int8 out, allow another --max-drop, or --force it"
        )
    return Int8(
        target=options.target,
        max_drop=options.max_drop,
        calibration_examples=decision.calibration_examples,
        method=decision.method,
        nodes=decision.nodes,
        kept=tuple(Float32Node(name, cost) for name, cost in decision.float32_nodes.items()),
        scaled=decision.scaled,
        validation=decision.validation,
        test=test,
        speed=speed,
        forced=tuple(reasons),
    )


def prepare(model: Any, target: Target) -> None:
    """Run the passes that prepare a float32 model for the integer kernels of a target, in place."""
    passes.apply(model, "int8")
    if qdq.TYPES[target].activation is np.uint8:
        passes.apply(model, "int8_from_uint8")


def _chosen(examples: Examples, description: Model, count: int) -> list[Arrays]:
    """Draw `count` examples with a fixed seed, or all if there are fewer, and encode each as a batch of its own."""
    order = np.random.default_rng(0).permutation(len(examples))[:count]
    encode = kind_of(description.preprocessing).client.encode
    return [encode([examples.read(int(number))], description.preprocessing) for number in order]


def _batched(examples: Sequence[Arrays]) -> list[Arrays]:
    """Join examples of the same length into batches: padding would count among the values of the tensors."""
    same: dict[str, list[Arrays]] = {}
    for one in examples:
        same.setdefault(str(forms(one)), []).append(one)
    return [joined(batch) for batch in same.values()]


def _equalized(model: Any, probes: Sequence[Arrays]) -> int:
    """Equalize a model in place and return the number of activations that were scaled."""
    index = GraphIndex(model)
    axes = {it.tensor: it.axis for it in equalizable(index)}
    return equalize(index, calibration.channel_maxima(model, axes, probes)) if axes else 0


def _calibrated(model: Any, batches: Sequence[Arrays], cache: Path, say: Say) -> dict[str, calibration.Histogram]:
    """Return the histograms of the tensors that may be quantized, from the cache if it has them.

    The key of the cache is a digest of the examples and of the prepared model, whose tensors are measured.
    """
    wanted = qdq.to_calibrate(GraphIndex(model))
    content = hashlib.sha256()
    for values in (values for batch in batches for values in batch.values()):
        content.update(np.ascontiguousarray(values).tobytes())
    for node in model.graph.node:
        content.update(node.SerializeToString())
    for tensor in model.graph.initializer:
        content.update(tensor.raw_data or tensor.SerializeToString())
    recipe = f"{content.hexdigest()} {calibration.RECIPE}"
    path = cache / f"calibration-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.npz"
    known = calibration.read_cache(path, recipe, wanted)
    if known is not None:
        say(f"calibrated before: {path}")
        return known
    say(f"calibrating {len(wanted)} tensors on {sum(map(size, batches))} training examples")
    histograms = calibration.collect(model, wanted, batches)
    try:
        calibration.write_cache(path, recipe, histograms)
    except (OSError, ZooError) as error:
        say(f"the calibration is not kept for the next export: {one_line(error)}")
    return histograms


@dataclass(frozen=True)
class _Probes:
    """Batches of examples, the model, and the primary output that the float32 file gives for them."""

    batches: Sequence[Arrays]
    description: Model
    expected: np.ndarray


def _decide(
    model: Any,
    histograms: Mapping[str, calibration.Histogram],
    validation: _Validation,
    probes: _Probes,
    options: Int8Options,
    int8: Path,
    say: Say,
) -> tuple[calibration.Method, int, dict[str, float], PairedAccuracy]:
    """Choose the method of calibration by the probes' answers and the nodes by validation, and write the int8 file.

    Returns:
        The method of calibration, the number of nodes that can be computed on integers, those of them that stay in
        float32 with the cost of each, and the accuracy on validation.
    """
    choices = {method: {name: one.range(method) for name, one in histograms.items()} for method in calibration.METHODS}
    with tempfile.TemporaryDirectory() as scratch:
        attempts = _Attempts(model, options.target, probes, Path(scratch) / "attempt.onnx")
        method = min(calibration.METHODS, key=lambda one: attempts.error(choices[one]))
        float32_nodes, paired = _within_budget(attempts, choices[method], validation, options.max_drop, say)
        save(attempts.model(choices[method], float32_nodes), int8)
    return method, len(attempts.nodes) + len(attempts.activations), float32_nodes, paired


class _Attempts:
    """Attempts at an int8 file: each is written to one scratch file, run, and compared with float32 by its answers."""

    def __init__(self, model: Any, target: Target, probes: _Probes, path: Path) -> None:
        self._model, self._target, self._probes, self._path = model, target, probes, path
        self.activations = tuple(qdq.integer_activations(GraphIndex(model)))
        self.nodes = tuple(node_name(node) for node in weighted_nodes(GraphIndex(model)))

    def model(self, chosen: Mapping[str, Range], float32_nodes: Collection[str]) -> Any:
        """Return the model with all nodes in 8 bits except `float32_nodes`."""
        return qdq.quantized(self._model, chosen, self._target, frozenset(float32_nodes))

    def run(self, chosen: Mapping[str, Range], float32_nodes: Collection[str] = ()) -> Run:
        """Write and open that model, and return the function that answers with it."""
        import onnx

        onnx.save(self.model(chosen, float32_nodes), self._path)
        return open_onnx(self._path).run

    def error(self, chosen: Mapping[str, Range], float32_nodes: Collection[str] = ()) -> float:
        """Return the root mean square error of the primary output, as a share of the std of the float32 output."""
        spread = float(self._probes.expected.std()) or 1.0
        error = float(np.sqrt((self._difference(self.run(chosen, float32_nodes)) ** 2).mean())) / spread
        return error if math.isfinite(error) else math.inf

    def apart(self, run: Run) -> float:
        """Return the largest difference of the primary output, as a share of the largest float32 value."""
        largest = float(np.abs(self._probes.expected).max()) or 1.0
        apart = float(np.abs(self._difference(run)).max()) / largest
        return apart if math.isfinite(apart) else math.inf

    def _difference(self, run: Run) -> np.ndarray:
        return _answers(run, self._probes.batches, self._probes.description) - self._probes.expected


def _answers(run: Run, batches: Sequence[Arrays], description: Model) -> np.ndarray:
    """Return all numbers of the primary output, float32 [n]."""
    primary = task_of(description).primary
    return np.concatenate(
        [primary(run(few), description).reshape(-1) for batch in batches for few in parts(batch, BATCH)]
    )


class _Validation:
    """Validation examples, and which of them the float32 file answers right."""

    def __init__(self, examples: Examples, description: Model, float32: Run) -> None:
        self._examples, self._description = examples, description
        self._float32 = self._right(float32)

    def paired(self, int8: Run) -> PairedAccuracy:
        """Compare an int8 file with the float32 file example by example."""
        return accuracy.paired("validation", self._float32, self._right(int8))

    def _right(self, run: Run) -> np.ndarray:
        found = accuracy.answers(run, self._examples, self._description, BATCH)
        return accuracy.right(found, self._examples, self._description)


def _spread(examples: Examples, most: int) -> Examples:
    """Choose at most `most` examples, evenly spread over the split."""
    if len(examples) <= most:
        return examples
    return examples.only(np.linspace(0, len(examples) - 1, most).astype(int))


def _within_budget(
    attempts: _Attempts, chosen: Mapping[str, Range], validation: _Validation, max_drop: float, say: Say
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
        paired, apart = validation.paired(run), attempts.apart(run)
        say(
            f"{title}: {paired.drop:.2f} points lost on {paired.examples} validation examples, "
            f"answers differ by up to {apart:.2f} of the largest"
        )
        return paired, paired.drop <= max_drop and apart <= APART

    whole, fits = measured((), "int8 throughout")
    if fits:
        return {}, whole
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

    return fewest(len(ranked) - 1, keeping) or ({}, whole)


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
        found = attempt(middle)
        if found is None:
            below = middle
        else:
            above, best = middle, found
    return best


def _ranked(attempts: _Attempts, chosen: Mapping[str, Range]) -> list[tuple[tuple[str, ...], float]]:
    """Rank nodes, or groups of neighbors, by the error when they alone are in 8 bits; the most harmful first."""
    size = -(-len(attempts.nodes) // MOST_TRIED)
    groups = [attempts.nodes[start : start + size] for start in range(0, len(attempts.nodes), size)]
    others = {*attempts.nodes, *attempts.activations}
    costs = [attempts.error(chosen, others - set(group)) for group in groups]
    return sorted(zip(groups, costs, strict=True), key=lambda one: -one[1])


def _runs_here(target: Target) -> bool:
    """Return whether latency on this machine is representative of the target.

    Files for AVX2 take as long with VNNI, but files for VNNI take longer without it.
    """
    here = this_machine()
    return target in ("portable", here) or (target, here) == ("x86-avx2", "x86-vnni")


def _reasons(
    options: Int8Options, decided: PairedAccuracy, test: PairedAccuracy, speed: LatencyRatio | None
) -> list[str]:
    """List the reasons against the int8 file, each with its figures."""
    reasons = [
        f"it loses {_drop(one)}, and {options.max_drop:g} are allowed"
        for one in (test, decided)
        if one.drop > options.max_drop
    ]
    if speed is not None and speed.high >= 1:
        reasons.append(f"it is not certainly faster: {_latency(speed)}")
    return reasons


def _drop(paired: PairedAccuracy) -> str:
    return (
        f"{paired.drop:.2f} points of accuracy ({paired.low:.2f} to {paired.high:.2f}) on {paired.examples} "
        f"{paired.split} examples, {paired.float32:.4f} to {paired.int8:.4f}"
    )


def _latency(speed: LatencyRatio) -> str:
    return (
        f"{speed.int8_ms:.3g} ms an example, float32 {speed.float32_ms:.3g} ms, "
        f"{speed.ratio:.2f} times ({speed.low:.2f} to {speed.high:.2f}) on one thread"
    )


def lines(made: Int8) -> list[str]:
    """Return lines for the terminal that describe an int8 file."""
    told = [f"int8 for {made.target}: loses {_drop(made.test)}"]
    told.append(
        f"int8: {_latency(made.speed)}" if made.speed else "int8: no latency measured, the target is another processor"
    )
    if made.kept:
        worst = ", ".join(f"{one.node} ({one.cost:.2f})" for one in made.kept[:5])
        more = f" and {len(made.kept) - 5} more" if len(made.kept) > 5 else ""
        told.append(f"int8: {len(made.kept)} of {made.nodes} nodes stay in float32: {worst}{more}")
    return told + [f"int8 is forced, although {reason}" for reason in made.forced]
