"""The options of an int8 file, and the requests for one that are refused before work starts."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import get_args

from zoo import processor
from zoo.description import Model
from zoo.errors import ZooError, did_you_mean
from zoo.int8_defaults import CALIBRATION_EXAMPLES, MAX_DROP, Target
from zoo.registry import resolve
from zoo.whole_numbers import check_whole


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


def int8_options(
    target: str | None, max_drop: float | None, calibration_examples: int | None, force: bool
) -> Int8Options:
    """Check the options of a command line; None stands for the default, which for the target is this machine's.

    Raises:
        ZooError: the target is unknown or a number is out of range.
    """
    targets: tuple[Target, ...] = get_args(Target)
    if target is not None and target not in targets:
        raise ZooError(f"there is no target '{target}': {did_you_mean(target, targets)}")
    max_drop = MAX_DROP if max_drop is None else max_drop
    calibration_examples = CALIBRATION_EXAMPLES if calibration_examples is None else calibration_examples
    if not 0 <= max_drop <= 100:
        raise ZooError(
            f"--max-drop {max_drop} is out of range: give points of accuracy from 0 to 100, such as {MAX_DROP}"
        )
    check_whole("calibration_examples", calibration_examples, CALIBRATION_EXAMPLES)
    if calibration_examples < 1:
        raise ZooError(f"--calibration-examples {calibration_examples}: at least 1 is needed")
    chosen = next((candidate for candidate in targets if candidate == target), this_machine())
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
    if processor.has_vnni():
        return "x86-vnni"
    return "x86-avx2" if "avx2" in processor.instruction_sets() else "portable"


def runs_here(target: Target) -> bool:
    """Return whether latency on this machine is representative of the target.

    Files for AVX2 take as long with VNNI, but files for VNNI take longer without it.
    """
    this_target = this_machine()
    return target in ("portable", this_target) or (target, this_target) == ("x86-avx2", "x86-vnni")
