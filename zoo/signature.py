"""Signatures: the inputs and outputs of a model by name, each with its dtype and shape. No framework is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.differences import differences

if TYPE_CHECKING:
    import numpy as np


UNNAMED = "?"
"""The name of an open dimension in formats that do not name dimensions: it matches any name."""


@dataclass(frozen=True)
class Tensor:
    """The dtype and shape of an input or output.

    `dtype` is numpy's name, or `string`. Each dimension of `shape` is a size, the name of an open dimension, or None if
    a file states neither.
    """

    dtype: str
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join('?' if size is None else str(size) for size in self.shape)}]"

    def fits(self, array: np.ndarray) -> bool:
        """Return whether an array has this dtype (object for `string`) and shape; open dimensions may have any size."""
        dtype = "object" if self.dtype == "string" else self.dtype
        sizes = zip(self.shape, array.shape, strict=False)
        return (
            bool(array.dtype == dtype)
            and array.ndim == len(self.shape)
            and all(size == wanted for wanted, size in sizes if isinstance(wanted, int))
        )

    def sized(self, sizes: Mapping[str, int]) -> Tensor:
        """Return the tensor with sizes in place of the named dimensions that `sizes` has."""
        shape = (sizes.get(size, size) if isinstance(size, str) else size for size in self.shape)
        return Tensor(self.dtype, tuple(shape))


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model or of one of its functions, by name."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    def sized(self, sizes: Mapping[str, int]) -> Signature:
        """Return the signature with sizes in place of the named dimensions that `sizes` has."""
        return Signature(
            {name: tensor.sized(sizes) for name, tensor in self.inputs.items()},
            {name: tensor.sized(sizes) for name, tensor in self.outputs.items()},
        )

    def described(self) -> dict[str, str]:
        """Return each input and output as text, such as `uint8 [batch, 28, 28, 1]`."""
        return {name: str(tensor) for name, tensor in {**self.inputs, **self.outputs}.items()}


def _with_names(actual: Tensor, wanted: Tensor) -> Tensor:
    """Return the tensor with the names of the wanted one in place of `UNNAMED`."""
    if len(actual.shape) != len(wanted.shape):
        return actual
    pairs = zip(actual.shape, wanted.shape, strict=True)
    return Tensor(
        actual.dtype, tuple(name if size == UNNAMED and isinstance(name, str) else size for size, name in pairs)
    )


def departures(found: Signature, wanted: Signature) -> list[str]:
    """List the differences of a file's signature from the wanted one, a phrase for each tensor."""

    def compare(role: str, here: dict[str, Tensor], there: dict[str, Tensor]) -> list[str]:
        return differences(
            {name: _with_names(tensor, there[name]) if name in there else tensor for name, tensor in here.items()},
            there,
            changed=lambda name, actual, expected: f"{role} '{name}' is {actual}, not {expected}",
            missing=f"there is no {role} '{{}}'",
            extra=f"the contract has no {role} '{{}}'",
        )

    return compare("input", found.inputs, wanted.inputs) + compare("output", found.outputs, wanted.outputs)
