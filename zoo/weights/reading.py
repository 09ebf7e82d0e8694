"""The report on a file of weights that was read, and the adaptation of kernels to other channels, for all readers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

COLORS = 3
"""The channels that published weights are for."""


@dataclass(frozen=True)
class Reading:
    """A report on a file that was read: the tensors that no network uses, and what was adapted to this network.

    `remarks` are for the user, about the file and not about the network.
    """

    unused: tuple[str, ...]
    adapted: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def recoloring(channels: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that adapts a kernel for RGB to other channels as timm does it.

    For one channel it sums the three; for others it repeats them and scales them down.
    """

    def recolor(kernel: np.ndarray) -> np.ndarray:
        if channels == 1:
            return kernel.sum(2, keepdims=True)
        return np.take(kernel, np.arange(channels) % COLORS, 2) * np.float32(COLORS / channels)

    return recolor
