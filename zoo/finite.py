"""Refuse answers that are not finite before a figure is computed from them: the argmax of NaN is class 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.errors import Refused, listed


def finite(answers: np.ndarray) -> np.ndarray:
    """Tell for each example whether all of its answers are finite: bool [examples] of float [examples, …]."""
    all_finite: np.ndarray = np.isfinite(answers).reshape(len(answers), -1).all(-1)
    return all_finite


def refuse_not_finite(finite: np.ndarray, name: Callable[[int], str], source: str) -> None:
    """Refuse answers unless all of them are finite.

    Args:
        finite: bool [examples], as the function `finite` returns it.
        name: returns the name of an example by its index.
        source: what gave the answers, for the message.

    Raises:
        Refused: some are not; the message counts the examples and names the first three.
    """
    wrong = np.flatnonzero(~finite)
    if len(wrong):
        few = listed((name(int(number)) for number in wrong), most=3)
        raise Refused(
            f"{source} answers {len(wrong):,} of {len(finite):,} examples with numbers that are not finite ({few}): "
            "its weights or these examples are damaged, and no figure is computed from them"
        )
