"""The parts that readers of weights share: the report on a file, names without prefixes, kernels of other channels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

COLORS = 3
"""The number of channels of the images that published weights are for."""

AVERAGED = "n_averaged"
"""PyTorch's count of the models in an average of models (`AveragedModel`), the only name there without a prefix."""


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


@dataclass(frozen=True)
class Unwrapped:
    """The names of a file's tensors without the `prefix` that wrappers put before all of them; it may be empty."""

    prefix: str
    names: tuple[str, ...]

    def remarks(self, path: Path) -> tuple[str, ...]:
        """Say that the prefix is left out, if there is one."""
        return (f"all names in {path.name} begin with '{self.prefix}', which is left out",) if self.prefix else ()


def unwrapped(names: Iterable[str], is_known: Callable[[str], bool]) -> Unwrapped:
    """Return the names of a file without the prefix that wrappers of PyTorch put before them, such as `module.`.

    A prefix stays if a name is known with it. PyTorch's count of averaged models is left out.
    """
    kept_names = [name for name in names if _last(name) != AVERAGED]
    prefix = "" if any(map(is_known, kept_names)) else common_prefix(kept_names)
    return Unwrapped(prefix, tuple(name.removeprefix(prefix) for name in kept_names))


def common_prefix(names: Iterable[str]) -> str:
    """Return the parts that all names begin with, such as `module._orig_mod.`."""
    parts = [name.split(".")[:-1] for name in names]
    shared = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    return "".join(f"{level[0]}." for level in shared) if len(parts) > 1 else ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]
