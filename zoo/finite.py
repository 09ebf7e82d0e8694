"""Answers that are numbers: of others no figure is made, for the argmax of a NaN is class 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.errors import Refused, listed


def finite(logits: np.ndarray) -> np.ndarray:
    """bool [n]: all logits of an image, float [n, classes], are finite."""
    return np.isfinite(logits).all(-1)


def refuse_unanswered(answered: np.ndarray, name: Callable[[int], str], source: str) -> None:
    """Raise Refused unless every image is answered with finite numbers; the others are counted and the first named.

    Args:
        answered: bool [n], as `finite` gives it.
        name: the name of an image by its number.
        source: what answers, for the message.
    """
    wrong = np.flatnonzero(~answered)
    if len(wrong):
        few = listed((name(int(number)) for number in wrong), most=3)
        raise Refused(
            f"{source} answers {len(wrong):,} of {len(answered):,} images with numbers that are not finite ({few}): "
            "its weights or these images are damaged, and no figure is made of them"
        )
