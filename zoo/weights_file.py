"""Variables of Keras models in safetensors files, which cannot run code; every array that is read is checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.errors import ZooError, listed

FLOATS = ("F64", "F32", "F16", "BF16")
"""The dtypes of weights that can be read, as safetensors calls them."""

VARIANCES = ("moving_variance", "running_var")
"""The endings of the names of running variances, in Keras and in PyTorch."""


def weights(model: Any) -> dict[str, Any]:
    """Return the weights of a model by `layer/variable`.

    Raises:
        ZooError: a layer has several weights with the same name.
    """
    return _by_name((layer, layer.weights) for layer in model.layers)


def variables(model: Any) -> dict[str, Any]:
    """Return the weights and the other state that layers keep between steps, such as dropout's random generators.

    Raises:
        ZooError: a layer has several variables with the same name.
    """
    return _by_name((layer, layer.variables) for layer in model.layers)


def _by_name(layers: Iterable[tuple[Any, Iterable[Any]]]) -> dict[str, Any]:
    # Not by variable.path: Keras 3.15 numbers unnamed layers across the process, so a second model has other paths.
    named: dict[str, Any] = {}
    for layer, members in layers:
        for variable in members:
            name = f"{layer.name}/{variable.name}"
            if named.setdefault(name, variable) is not variable:
                raise ZooError(
                    f"the layer '{layer.name}' has several variables called '{variable.name}', and a file of weights "
                    "keeps one of each name: build the network from its inner layers instead"
                )
    return named


def save(path: Path, named: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Write Keras variables (or arrays) and `metadata` to a safetensors file, whole or not at all."""
    from safetensors.numpy import save as serialize

    with files.staged_file(path) as staging:
        # With empty metadata and no arrays, safetensors 0.8 writes a header that it cannot read.
        staging.write_bytes(serialize(values(named), dict(metadata) if metadata else None))


def values(named: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return arrays as they are, in C order, and the values of Keras variables, which later updates do not change."""
    return {
        name: np.asarray(value if isinstance(value, np.ndarray) else value.numpy(), order="C")
        for name, value in named.items()
    }


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read the arrays and the metadata of a safetensors file.

    Raises:
        ZooError: the file is missing or damaged, or holds an array that `unsound` refuses.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ZooError(f"{path} is missing: train again, or restore it")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays, text = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    # safetensors 0.8 raises TypeError and AttributeError for dtypes that numpy lacks.
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise ZooError(f"{path} is damaged ({error}): restore it, or train again") from None
    refuse_unsound(filter(None, (unsound(name, array) for name, array in arrays.items())), str(path))
    return arrays, text


def in_float32(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays with float32 in place of float64, which a training in float64 writes."""
    return {name: array.astype(np.float32) if array.dtype == np.float64 else array for name, array in arrays.items()}


def floats(file: Any, name: str) -> np.ndarray:
    """Read a tensor of an open safetensors file as float32.

    Raises:
        ZooError: its dtype is not one of `FLOATS`.
    """
    import ml_dtypes  # noqa: F401  (its import adds bfloat16 to numpy)

    dtype = file.get_slice(name).get_dtype()
    if dtype not in FLOATS:
        raise ZooError(f"{name:.100} has the data type {dtype}: save the weights as float32, float16 or bfloat16")
    with np.errstate(over="ignore"):  # `unsound` finds numbers that become infinite
        tensor: np.ndarray = file.get_tensor(name).astype(np.float32)
    return tensor


def unsound(name: str, array: np.ndarray) -> str | None:
    """Say why an array cannot be a network's weight: not finite, or a variance below 0; None where it can."""
    if array.dtype.kind != "f" or not array.size:
        return None
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        return f"{name} has {bad:,} of {array.size:,} numbers that are not finite"
    if name.endswith(VARIANCES) and array.min() < 0:
        return f"{name} is a variance and has {int((array < 0).sum()):,} of {array.size:,} numbers below 0"
    return None


def refuse_unsound(problems: Iterable[str], source: str) -> None:
    """Raise ZooError if there are problems, which `unsound` found."""
    faults = list(problems)
    if faults:
        raise ZooError(f"{source} cannot be used: {listed(faults)}: restore it, or name another")


def misfit(missing: Iterable[str], left_over: Iterable[str], misshapen: Iterable[str]) -> str:
    """Say in one line why weights do not fit a network, with ten names of each kind; empty where they fit."""
    problems = {"missing": list(missing), "left over": list(left_over), "of another shape": list(misshapen)}
    return "; ".join(f"{problem}: {listed(names)}" for problem, names in problems.items() if names)


def check(named: Mapping[str, Any], arrays: Mapping[str, np.ndarray], source: str, advice: str) -> None:
    """Check that every variable has an array of its shape and dtype.

    Raises:
        ZooError: an array is missing, left over, or of another shape or dtype. The message lists them and ends with
            `advice`.
    """
    misshapen = []
    for name, variable in named.items():
        if name in arrays and tuple(arrays[name].shape) != tuple(variable.shape):
            misshapen.append(f"{name} is {list(arrays[name].shape)}, not {list(variable.shape)}")
        elif name in arrays and arrays[name].dtype.name != variable.dtype:
            misshapen.append(f"{name} is of {arrays[name].dtype}, not {variable.dtype}")
    wrong = misfit(sorted(named.keys() - arrays.keys()), sorted(arrays.keys() - named.keys()), misshapen)
    if wrong:
        raise ZooError(f"{source} does not fit this network ({wrong}): {advice}")


def assign(named: Mapping[str, Any], arrays: Mapping[str, np.ndarray], source: str) -> None:
    """Assign to every variable its array, or nothing at all when one does not fit.

    Raises:
        ZooError: an array is missing, left over, or of another shape or dtype. The message lists them.
    """
    check(named, arrays, source, "name the run of the same family and size")
    for name, variable in named.items():
        variable.assign(arrays[name])
