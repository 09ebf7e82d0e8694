"""What a runtime says that a file takes and gives, in words that can be compared with the contract."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.contract import BATCH, IMAGE, OUTPUTS
from zoo.description import Model


@dataclass(frozen=True)
class Signature:
    """Tensors by name, each as text such as `uint8 [batch, 28, 28, 1]`."""

    inputs: dict[str, str]
    outputs: dict[str, str]


def tensor(dtype: str, shape: Iterable[int | str | None]) -> str:
    """A tensor's dtype and shape as text; a dimension without size or name is `?`."""
    return f"{dtype} [{', '.join('?' if size is None else str(size) for size in shape)}]"


def of_contract(model: Model) -> Signature:
    """What the contract asks of every format of this model."""
    answer = tensor("float32", [BATCH, len(model.labels)])
    return Signature({IMAGE: tensor("uint8", [BATCH, *model.preprocessing.shape])}, dict.fromkeys(OUTPUTS, answer))


def departures(found: Signature, model: Model) -> list[str]:
    """How a file departs from the contract, one phrase for each tensor; empty where it does not."""
    wanted = of_contract(model)
    return [
        *_compare("input", found.inputs, wanted.inputs),
        *_compare("output", found.outputs, wanted.outputs),
    ]


def _compare(kind: str, found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    missing = [f"there is no {kind} '{name}'" for name in wanted if name not in found]
    extra = [f"{kind} '{name}' is none of the contract's" for name in found if name not in wanted]
    other = [
        f"{kind} '{name}' is {found[name]}, not {wanted[name]}"
        for name in wanted
        if name in found and found[name] != wanted[name]
    ]
    return missing + extra + other
