"""The forms of a target: the number of a class, values, a text, or, of several targets, the number or value of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

CLASS, TEXT, VALUE = np.dtype(np.int64), np.dtype(object), np.dtype(np.float32)
"""The dtypes of arrays of targets: numbers of classes, texts, and everything else."""

KEPT_APART = 0.9
"""The share of different values that should stay different in float32."""


def is_class(target: Any) -> TypeGuard[int]:
    """Return whether a target is the number of a class."""
    return isinstance(target, (int, np.integer))


def array_of(targets: Sequence[Any]) -> np.ndarray:
    """Return the targets of examples, which all have one form, as an array.

    Returns:
        Classes, int64 [examples]; texts, object [examples]; values, float32 [examples, values]; or, of several targets,
        the number or value of each, float32 [examples, targets].
    """
    first = targets[0] if targets else 0
    dtype = CLASS if is_class(first) else TEXT if isinstance(first, str) else VALUE
    return np.array(targets, dtype)


def classes_of(targets: np.ndarray) -> np.ndarray | None:
    """Return an array of targets if they are classes, and None if they are not."""
    return targets if targets.dtype == CLASS and targets.ndim == 1 else None


def merged(values: np.ndarray) -> tuple[int, int] | None:
    """Return the numbers of different values, without NaN, before and after they become float32, if many become equal.

    Args:
        values: float64, targets or features.

    Returns:
        Both numbers; None if at least `KEPT_APART` of the values stay different.
    """
    present = values[~np.isnan(values)]
    before, after = len(np.unique(present)), len(np.unique(present.astype(np.float32)))
    return (before, after) if after < KEPT_APART * before else None


def bytes_of(target: Any) -> bytes:
    """Return the bytes that stand for a target in a fingerprint."""
    if is_class(target):
        return int(target).to_bytes(8, "little")
    if isinstance(target, str):
        return target.encode()
    return np.asarray(target, "<f8").tobytes()
