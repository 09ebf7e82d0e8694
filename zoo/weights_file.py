"""Variables of Keras models in safetensors files: nothing that is read can run code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.errors import ZooError


def weights(model: Any) -> dict[str, Any]:
    """The variables that make the network, by `layer/variable`."""
    return {f"{layer.name}/{variable.name}": variable for layer in model.layers for variable in layer.weights}


def variables(model: Any) -> dict[str, Any]:
    """The weights, and what else a layer keeps between steps (the state of dropout's random numbers)."""
    # variable.path would not do: Keras 3.15 numbers unnamed parts by process, so that a second model has other paths.
    return {f"{layer.name}/{variable.name}": variable for layer in model.layers for variable in layer.variables}


def save(path: Path, named: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write Keras variables (or arrays) and text to a safetensors file, whole or not at all."""
    from safetensors.numpy import save as serialise

    arrays = {
        name: np.asarray(value if isinstance(value, np.ndarray) else value.numpy(), order="C")
        for name, value in named.items()
    }
    with files.staged_file(path) as staging:
        staging.write_bytes(serialise(arrays, dict(metadata or {})))


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the text of a safetensors file.

    Raises:
        ZooError: the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ZooError(f"{path} is missing: train again, or restore it")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ZooError(f"{path} is damaged ({error}): restore it, or train again") from None


def check(named: Mapping[str, Any], arrays: Mapping[str, np.ndarray], source: str, advice: str) -> None:
    """See that every variable has an array of its shape.

    Raises:
        ZooError: an array is missing, left over, or of another shape; all are listed, and `advice` ends the message.
    """
    missing = sorted(named.keys() - arrays.keys())
    left_over = sorted(arrays.keys() - named.keys())
    shapes = [
        f"{name} is {list(arrays[name].shape)}, not {list(variable.shape)}"
        for name, variable in named.items()
        if name in arrays and tuple(arrays[name].shape) != tuple(variable.shape)
    ]
    wrong = [
        f"{what}: {', '.join(names)}"
        for what, names in (("missing", missing), ("left over", left_over), ("of another shape", shapes))
        if names
    ]
    if wrong:
        raise ZooError(f"{source} does not fit this network ({'; '.join(wrong)}): {advice}")


def assign(named: Mapping[str, Any], arrays: Mapping[str, np.ndarray], source: str) -> None:
    """Give every variable its array; nothing is assigned unless all fit.

    Raises:
        ZooError: an array is missing, left over, or of another shape; all of them are listed.
    """
    check(named, arrays, source, "name the run of the same family and size")
    for name, variable in named.items():
        variable.assign(arrays[name])
