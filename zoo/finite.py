"""Refuse answers that are not finite before a figure is made of them: the argmax of NaN is class 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.errors import Refused, listed


def finite(logits: np.ndarray) -> np.ndarray:
    """Tell for each image whether all of its logits are finite: bool [images] of float [images, classes]."""
    return np.isfinite(logits).all(-1)


def refuse_not_finite(finite: np.ndarray, name: Callable[[int], str], source: str) -> None:
    """Refuse answers unless all of them are finite.

    Args:
        finite: bool [images], as the function of that name returns it.
        name: returns the name of an image by its index.
        source: what gave the answers, for the message.

    Raises:
        Refused: some are not; the message counts the images and names the first three.
    """
    wrong = np.flatnonzero(~finite)
    if len(wrong):
        few = listed((name(int(number)) for number in wrong), most=3)
        raise Refused(
            f"{source} answers {len(wrong):,} of {len(finite):,} images with numbers that are not finite ({few}): "
            "its weights or these images are damaged, and no figure is made of them"
        )
