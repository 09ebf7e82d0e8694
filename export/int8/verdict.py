"""The verdict on a finished int8 file: its loss of accuracy and its latency, compared with the float32 file's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.artifact import Float32Node, Int8, LatencyRatio, PairedAccuracy
from zoo.errors import Refused
from zoo.export import accuracy
from zoo.export.int8 import calibration, latency_ratio
from zoo.export.int8.options import Int8Options, runs_here
from zoo.input import Arrays


@dataclass(frozen=True)
class Int8Decision:
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


def verdict(
    decision: Int8Decision,
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
    speed = latency_ratio.compare(*files, example) if runs_here(options.target) else None
    reasons = reasons_against(options, decision.validation, test, speed)
    if reasons and not options.force:
        raise Refused(
            f"int8 is not worth it: {'; '.join(reasons)}; leave --int8 out, raise --max-drop, or write the file with "
            "--force"
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


def reasons_against(
    options: Int8Options, decided: PairedAccuracy, test: PairedAccuracy, speed: LatencyRatio | None
) -> list[str]:
    """List the reasons against the int8 file, each with its figures."""
    reasons = [
        f"it loses {_drop(paired)}, and {options.max_drop:g} are allowed"
        for paired in (test, decided)
        if paired.drop > options.max_drop
    ]
    if speed is not None and speed.high >= 1:
        reasons.append(f"it is not significantly faster: {_latency(speed)}")
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
    texts = [f"int8 for {made.target}: loses {_drop(made.test)}"]
    texts.append(
        f"int8: {_latency(made.speed)}" if made.speed else "int8: no latency measured, the target is another processor"
    )
    if made.kept:
        worst = ", ".join(f"{kept_node.node} ({kept_node.cost:.2f})" for kept_node in made.kept[:5])
        more = f" and {len(made.kept) - 5} more" if len(made.kept) > 5 else ""
        texts.append(f"int8: {len(made.kept)} of {made.nodes} nodes stay in float32: {worst}{more}")
    return texts + [f"int8 is forced, although {reason}" for reason in made.forced]
