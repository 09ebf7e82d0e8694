"""int8 to a budget: calibrated, measured against float32 image by image, and refused where it does not pay.

Which nodes are computed on integers is decided on the validation split; the test split says once what came out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import platform
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from zoo import files
from zoo.artifact import Int8, Kept, Paired, Speed, Target
from zoo.contract import LOGITS
from zoo.data.dataset import Dataset, Images
from zoo.data.pipeline import pixel_batches
from zoo.errors import Refused, ZooError, did_you_mean
from zoo.export import gates
from zoo.export.int8 import calibration, latency_ratio, qdq
from zoo.export.int8.equalize import equalize, scalable
from zoo.export.int8.pools import averages_behind_convolutions
from zoo.export.int8.qdq import Range
from zoo.export.onnx import passes
from zoo.export.onnx.conversion import save
from zoo.export.onnx.first_convolution import pixels_as_integers
from zoo.export.onnx.graph_index import Index
from zoo.finite import finite
from zoo.intervals import paired_difference
from zoo.preprocess import Preprocessing, pixels_from_bytes
from zoo.processor import instruction_sets

MAX_DROP = 0.5
CALIBRATION_IMAGES = 512
PROBES = 64
"""Calibration images on which methods and nodes are compared by their logits."""

SEARCH_IMAGES = 5000
"""Validation images, at most, on which the drop is measured again and again."""

MOST_TRIED = 64
"""Groups of nodes that are tried one by one; neighbors are taken together where there are more nodes."""

BATCH = 32

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What is asked of an int8 file; `max_drop` is in points of accuracy."""

    target: Target
    max_drop: float = MAX_DROP
    calibration_images: int = CALIBRATION_IMAGES
    force: bool = False


def request(target: str | None, max_drop: float, calibration_images: int, force: bool) -> Request:
    """What a command line asks for, checked; without a target, this machine's processor.

    Raises:
        ZooError: the target is unknown or a number is out of range.
    """
    known: tuple[Target, ...] = get_args(Target)
    if target is not None and target not in known:
        raise ZooError(f"there is no target '{target}': {did_you_mean(target, known)}")
    if not 0 <= max_drop <= 100:
        raise ZooError(f"--max-drop {max_drop} are no points of accuracy: take 0 to 100, such as {MAX_DROP}")
    if calibration_images < 1:
        raise ZooError(f"--calibration-images {calibration_images} calibrate nothing: take at least 1")
    chosen = next((one for one in known if one == target), this_machine())
    return Request(chosen, max_drop, calibration_images, force)


def this_machine() -> Target:
    """The target that this machine's processor is."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return "arm64"
    known = set(instruction_sets())
    if known & {"avx512_vnni", "avx_vnni"}:
        return "x86-vnni"
    return "x86-avx2" if "avx2" in known else "portable"


def write_int8(
    float32: Path,
    int8: Path,
    asked: Request,
    *,
    preprocessing: Preprocessing,
    dataset: Dataset,
    cache: Path,
    say: Say,
) -> Int8:
    """Write the int8 file of a float32 one, and say how it was made and what it costs.

    Args:
        float32: the finished ONNX file.
        int8: where the other goes.
        asked: the target and the budget.
        preprocessing: of the network.
        dataset: its training images calibrate, its validation images decide, its test images measure.
        cache: the folder where calibrations are kept.
        say: told what is being done.

    Raises:
        Refused: the drop is above the budget whatever stays in float32, or int8 is not faster; both figures are in the
            message. Not with `asked.force`: then they are in `forced`.
    """
    import onnx

    pixels = _chosen(dataset.train, preprocessing, asked.calibration_images)
    model = onnx.load(float32)
    prepare(model, asked.target)
    scaled = _equalized(model, pixels[:PROBES])
    histograms = _calibrated(model, float32, pixels, cache, say)
    function = gates.onnx_function(float32)
    validation = _Held(_spread(dataset.validation, SEARCH_IMAGES), preprocessing, "validation", function)
    test = _Held(dataset.test, preprocessing, "test", function)
    probes = pixels[:PROBES]
    expected = _logits(function, probes)
    # Its weights are not to be in memory together with those of what is tried.
    del function
    decision = _decide(model, histograms, validation, probes, expected, asked, int8, say)
    del model
    measured = test.paired(gates.onnx_function(int8))
    raced = latency_ratio.race(float32, int8, pixels[:1]) if _runs_here(asked.target) else None
    reasons = _reasons(asked, decision.paired, measured, raced)
    if reasons and not asked.force:
        raise Refused(
            f"int8 is not worth it: {'; '.join(reasons)}; leave --int8 out, allow another --max-drop, or --force it"
        )
    return Int8(
        target=asked.target,
        max_drop=asked.max_drop,
        calibration_images=len(pixels),
        method=decision.method,
        nodes=decision.nodes,
        kept=tuple(Kept(name, cost) for name, cost in decision.kept.items()),
        scaled=scaled,
        validation=decision.paired,
        test=measured,
        speed=raced,
        forced=tuple(reasons),
    )


def prepare(model: Any, target: Target) -> None:
    """Arrange a float32 model, in place, as the integer kernels of a target like it."""
    passes.gates_once(model)
    averages_behind_convolutions(model)
    if qdq.TYPES[target].activation is np.uint8:
        pixels_as_integers(model)


def _chosen(images: Images, preprocessing: Preprocessing, count: int) -> np.ndarray:
    """uint8 [n, height, width, channels]: `count` images, or all where there are fewer, drawn with a fixed seed."""
    order = np.random.default_rng(0).permutation(len(images))[:count]
    return np.stack([pixels_from_bytes(images.read(int(number)), preprocessing) for number in order])


def _equalized(model: Any, pixels: np.ndarray) -> int:
    index = Index(model)
    axes = {it.tensor: it.axis for it in scalable(index)}
    return equalize(index, calibration.reach(model, axes, pixels)) if axes else 0


def _calibrated(
    model: Any, float32: Path, pixels: np.ndarray, cache: Path, say: Say
) -> dict[str, calibration.Histogram]:
    """The histograms of what may be in 8 bits, from the folder `cache` where the same were collected before."""
    wanted = qdq.to_calibrate(Index(model))
    recipe = f"{files.sha256(float32)} {hashlib.sha256(pixels.tobytes()).hexdigest()} {calibration.RECIPE}"
    path = cache / f"calibration-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.npz"
    known = calibration.read_cache(path, recipe, wanted)
    if known is not None:
        say(f"calibrated before: {path}")
        return known
    say(f"calibrating {len(wanted)} tensors on {len(pixels)} training images")
    histograms = calibration.collect(model, wanted, pixels)
    calibration.write_cache(path, recipe, histograms)
    return histograms


@dataclass(frozen=True)
class _Decision:
    """The method of the ranges, how many nodes can be kept, which stay in float32, and the drop on validation."""

    method: calibration.Method
    nodes: int
    kept: dict[str, float]
    paired: Paired


def _decide(
    model: Any,
    histograms: Mapping[str, calibration.Histogram],
    validation: _Held,
    probes: np.ndarray,
    expected: np.ndarray,
    asked: Request,
    int8: Path,
    say: Say,
) -> _Decision:
    """Choose the ranges by the logits of the probes and the nodes by validation, and write the file to `int8`."""

    choices = {method: {name: one.range(method) for name, one in histograms.items()} for method in calibration.METHODS}
    with tempfile.TemporaryDirectory() as scratch:
        attempts = _Attempts(model, asked.target, probes, expected, Path(scratch) / "attempt.onnx")
        method = min(calibration.METHODS, key=lambda one: attempts.error(choices[one]))
        kept, paired = _within_budget(attempts, choices[method], validation, asked.max_drop, say)
        save(attempts.model(choices[method], kept), int8)
    return _Decision(method, len(attempts.nodes) + len(attempts.curves), kept, paired)


class _Attempts:
    """int8 files that are tried: written to a scratch folder, run, and compared with float32 by their logits."""

    def __init__(self, model: Any, target: Target, probes: np.ndarray, expected: np.ndarray, path: Path) -> None:
        self._model, self._target, self._path = model, target, path
        self._probes, self._expected = probes, expected
        self.curves = tuple(qdq.curves(Index(model)))
        self.nodes = tuple(qdq.name_of(node) for node in qdq.weighted_nodes(Index(model)))

    def model(self, chosen: Mapping[str, Range], kept: Collection[str]) -> Any:
        """The model with all but the `kept` nodes in 8 bits."""
        return qdq.quantized(self._model, chosen, self._target, frozenset(kept))

    def function(self, chosen: Mapping[str, Range], kept: Collection[str] = ()) -> gates.Function:
        """What that model answers."""
        import onnx

        onnx.save(self.model(chosen, kept), self._path)
        return gates.onnx_function(self._path)

    def error(self, chosen: Mapping[str, Range], kept: Collection[str] = ()) -> float:
        """How far its logits are from those of float32, as a share of their standard deviation."""
        difference = _logits(self.function(chosen, kept), self._probes) - self._expected
        spread = float(self._expected.std()) or 1.0
        error = float(np.sqrt((difference**2).mean())) / spread
        return error if math.isfinite(error) else math.inf


def _logits(function: gates.Function, pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([function(pixels[start : start + BATCH])[LOGITS] for start in range(0, len(pixels), BATCH)])


class _Held:
    """Images that calibrated nothing, and on which of them float32 is right."""

    def __init__(self, images: Images, preprocessing: Preprocessing, split: str, float32: gates.Function) -> None:
        self._images, self._preprocessing, self._split = images, preprocessing, split
        self._float32 = self._right(float32)

    def paired(self, int8: gates.Function) -> Paired:
        """int8 against float32, image by image."""
        right, total = self._right(int8), len(self._images)
        lost, gained = int((self._float32 & ~right).sum()), int((right & ~self._float32).sum())
        drop, low, high = (100 * value for value in paired_difference(lost, gained, total))
        return Paired(
            self._split, total, float(self._float32.mean()), float(right.mean()), lost, gained, drop, low, high
        )

    def _right(self, function: gates.Function) -> np.ndarray:
        batches = pixel_batches(self._images, self._preprocessing, batch_size=BATCH)
        answers = ((function(pixels)[LOGITS], labels) for pixels, labels in batches)
        # An answer that is not finite is a wrong one, though its argmax is class 0.
        return np.concatenate([finite(logits) & (logits.argmax(-1) == labels) for logits, labels in answers])


def _spread(images: Images, most: int) -> Images:
    """At most so many images, evenly spread."""
    if len(images) <= most:
        return images
    chosen = np.linspace(0, len(images) - 1, most).astype(int)
    return dataclasses.replace(
        images,
        labels=images.labels[chosen],
        read=lambda number: images.read(int(chosen[number])),
        names=lambda number: images.names(int(chosen[number])),
    )


def _within_budget(
    attempts: _Attempts, chosen: Mapping[str, Range], held: _Held, max_drop: float, say: Say
) -> tuple[dict[str, float], Paired]:
    """The fewest nodes to keep in float32, the most harmful first, each with what it costs, and the drop that is left.

    Curves go first and together: on floats they cost the least time, and no other nodes lose as much on integers.

    Where nothing but float32 throughout would do, no node is kept, and the drop is what all in 8 bits cost.
    """
    whole = held.paired(attempts.function(chosen))
    say(f"int8 throughout: {whole.drop:.2f} points lost on {whole.images} validation images")
    if whole.drop <= max_drop:
        return {}, whole
    base: dict[str, float] = {}
    if attempts.curves:
        cost = max(0.0, attempts.error(chosen) - attempts.error(chosen, attempts.curves))
        base = dict.fromkeys(attempts.curves, cost)
        paired = held.paired(attempts.function(chosen, base))
        say(f"curves in float32: {paired.drop:.2f} points lost")
        if paired.drop <= max_drop:
            return base, paired
    say(f"that is above {max_drop}: looking for the nodes that do it")
    ranked = _ranked(attempts, chosen)

    def keeping(count: int) -> tuple[dict[str, float], Paired]:
        kept = base | {name: cost for group, cost in ranked[:count] for name in group}
        result = held.paired(attempts.function(chosen, kept))
        say(f"{len(kept) - len(base)} of {len(attempts.nodes)} nodes in float32: {result.drop:.2f} points lost")
        return kept, result

    # Doubled until the drop is within the budget, then halved between: a few measurements, not one for each node.
    below, above, best = 0, 1, None
    while above < len(ranked):
        found = keeping(above)
        if found[1].drop <= max_drop:
            best = found
            break
        below, above = above, 2 * above
    if best is None:
        return {}, whole
    while above - below > 1:
        middle = (above + below) // 2
        found = keeping(middle)
        if found[1].drop <= max_drop:
            above, best = middle, found
        else:
            below = middle
    return best


def _ranked(attempts: _Attempts, chosen: Mapping[str, Range]) -> list[tuple[tuple[str, ...], float]]:
    """Nodes, or groups of neighbors, by what they cost when they alone are in 8 bits; the most harmful first."""
    size = -(-len(attempts.nodes) // MOST_TRIED)
    groups = [attempts.nodes[start : start + size] for start in range(0, len(attempts.nodes), size)]
    others = {*attempts.nodes, *attempts.curves}
    costs = [attempts.error(chosen, others - set(group)) for group in groups]
    return sorted(zip(groups, costs, strict=True), key=lambda one: -one[1])


def _runs_here(target: Target) -> bool:
    """Whether this machine's latency says something of the target's."""
    return target == "portable" or (target == "arm64") == (this_machine() == "arm64")


def _reasons(asked: Request, decided: Paired, test: Paired, raced: Speed | None) -> list[str]:
    """Why the file is not to be shipped, each with its figures."""
    reasons = [
        f"it loses {_drop(one)}, and {asked.max_drop:g} are allowed"
        for one in (test, decided)
        if one.drop > asked.max_drop
    ]
    if raced is not None and raced.high >= 1:
        reasons.append(f"it is not faster for certain: {_latency(raced)}")
    return reasons


def _drop(paired: Paired) -> str:
    return (
        f"{paired.drop:.2f} points of accuracy ({paired.low:.2f} to {paired.high:.2f}) on {paired.images} "
        f"{paired.split} images, {paired.float32:.4f} to {paired.int8:.4f}"
    )


def _latency(raced: Speed) -> str:
    return (
        f"{raced.int8_ms:.3g} ms an image, float32 {raced.float32_ms:.3g} ms, "
        f"{raced.ratio:.2f} times ({raced.low:.2f} to {raced.high:.2f}) on one thread"
    )


def lines(made: Int8) -> list[str]:
    """What people are told of an int8 file."""
    told = [f"int8 for {made.target}: loses {_drop(made.test)}"]
    told.append(f"int8: {_latency(made.speed)}" if made.speed else "int8: no latency, the target is another processor")
    if made.kept:
        worst = ", ".join(f"{one.node} ({one.cost:.2f})" for one in made.kept[:5])
        more = f" and {len(made.kept) - 5} more" if len(made.kept) > 5 else ""
        told.append(f"int8: {len(made.kept)} of {made.nodes} nodes stay in float32: {worst}{more}")
    return told + [f"int8 is forced, although {reason}" for reason in made.forced]
