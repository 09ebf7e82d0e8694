"""Weights with values that are not finite, unusual types or other names: read correctly, or refused in one line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import zoo
from tests.weights.test_timm_reader import TABLE, shapes
from zoo import weights_file
from zoo.errors import ZooError, listed
from zoo.weights.reading import common_prefix
from zoo.weights.timm_reader import read_timm
from zoo.weights_file import misfit, weights

PEER = "mobilenetv3_small_100"
SIZES = {"F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1, "I32": 4, "BOOL": 1, "C64": 8, "F8_E8M0": 1}


@pytest.fixture(scope="module")
def model() -> Any:
    return zoo.create("mobilenet", size="small")


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.random(shape, np.float32) for name, shape in shapes(PEER).items()}


def refused(path: Path, model: Any, arrays: dict[str, np.ndarray]) -> str:
    """Return the error of one line, and check that the network stays as it was."""
    save_file(arrays, path)
    before = {name: variable.numpy() for name, variable in weights(model).items()}
    with pytest.raises(ZooError) as said:
        read_timm(path, model, "mobilenet", "small")
    assert all((before[name] == variable.numpy()).all() for name, variable in weights(model).items())
    assert "\n" not in str(said.value)
    return str(said.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["conv_stem.weight", "bn1.running_mean", "classifier.bias"])
def test_one_number_that_is_not_finite_is_refused(
    name: str, value: float, tmp_path: Path, model: Any, stored: dict[str, np.ndarray]
) -> None:
    array = stored[name].copy()
    array.flat[-1] = value
    line = refused(tmp_path / "x.safetensors", model, {**stored, name: array})
    assert f"{name} has 1 of {array.size:,} numbers that are not finite" in line


def test_what_float32_cannot_hold_is_refused(tmp_path: Path, model: Any, stored: dict[str, np.ndarray]) -> None:
    array = stored["classifier.bias"].astype(np.float64) + 1e300
    assert "classifier.bias has 1,000 of 1,000" in refused(
        tmp_path / "x.safetensors", model, {**stored, "classifier.bias": array}
    )


def test_a_negative_variance_is_refused(tmp_path: Path, model: Any, stored: dict[str, np.ndarray]) -> None:
    variance = stored["bn1.running_var"].copy()
    variance[3] = -1e-3
    line = refused(tmp_path / "x.safetensors", model, {**stored, "bn1.running_var": variance})
    assert "bn1.running_var is a variance and has 1 of 16 numbers below 0" in line


def test_many_tensors_are_counted(tmp_path: Path, model: Any, stored: dict[str, np.ndarray]) -> None:
    damaged = {name: np.full(array.shape, np.nan, np.float32) for name, array in stored.items()}
    line = refused(tmp_path / "x.safetensors", model, damaged)
    weighing = [name for name in stored if not name.endswith("num_batches_tracked")]
    assert f"and {len(weighing) - 10} more" in line
    assert len(line) < 1500


@pytest.mark.parametrize(
    "name", ["conv/kernel", "bn/moving_variance", "model/bn/moving_variance", "optimizer/3"], ids=lambda name: name
)
def test_a_runs_own_files_are_looked_at(name: str, tmp_path: Path) -> None:
    array = np.ones((3, 4), np.float32)
    array[1, 2] = np.nan
    weights_file.save(tmp_path / "w.safetensors", {name: array, "whole": np.arange(3)})
    with pytest.raises(ZooError, match=rf"{name} has 1 of 12 numbers that are not finite"):
        weights_file.read(tmp_path / "w.safetensors")


def test_a_runs_own_negative_variance_is_refused(tmp_path: Path) -> None:
    weights_file.save(tmp_path / "w.safetensors", {"bn/moving_variance": np.array([1, -1], np.float32)})
    with pytest.raises(ZooError, match="is a variance"):
        weights_file.read(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "model.", "state_dict_ema.", "module._orig_mod.", "state_dict_ema.model.module."],
)
def test_wrappers_prefixes_are_left_out_with_a_remark(
    prefix: str, tmp_path: Path, model: Any, stored: dict[str, np.ndarray]
) -> None:
    wrapped = {f"{prefix}{name}": array for name, array in stored.items()}
    counted = {"n_averaged": np.array(3), f"{prefix}bn1.num_batches_tracked": np.array(9)}
    save_file({**wrapped, **counted}, tmp_path / "x.safetensors")
    reading = read_timm(tmp_path / "x.safetensors", model, "mobilenet", "small")
    assert reading.remarks == (f"all names in x.safetensors begin with '{prefix}', which is left out",)
    assert not reading.adapted
    np.testing.assert_array_equal(weights(model)["logits/kernel"], stored["classifier.weight"].T)


def test_a_wrapped_file_that_does_not_fit_names_the_network_that_would(tmp_path: Path, model: Any) -> None:
    arrays = {f"module.{name}": np.zeros(shape, np.float32) for name, shape in shapes("resnet18").items()}
    line = refused(tmp_path / "x.safetensors", model, arrays)
    assert "it fits resnet small" in line
    assert len(line) < 3000


def test_no_network_of_the_peers_has_a_prefix_of_its_own() -> None:
    assert not any(common_prefix(shapes(peer)) for peer in TABLE)


@pytest.mark.parametrize("kind", [np.float16, np.float64, ml_dtypes.bfloat16])
def test_other_floats_are_read(kind: Any, tmp_path: Path, model: Any, stored: dict[str, np.ndarray]) -> None:
    file = tmp_path / "x.safetensors"
    if kind is ml_dtypes.bfloat16:  # safetensors 0.8 writes none from numpy
        write_raw(file, {name: ("BF16", array.shape, array.astype(kind).tobytes()) for name, array in stored.items()})
    else:
        save_file({name: array.astype(kind) for name, array in stored.items()}, file)
    read_timm(file, model, "mobilenet", "small")
    expected = stored["classifier.bias"].astype(kind).astype(np.float32)
    np.testing.assert_array_equal(weights(model)["logits/bias"], expected)


def write_raw(path: Path, tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> None:
    header, end = {}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header).encode()
    data = b"".join(data for _, _, data in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize("kind", SIZES)
def test_types_that_are_no_weights_are_refused(
    kind: str, tmp_path: Path, model: Any, stored: dict[str, np.ndarray]
) -> None:
    tensors = {name: ("F32", array.shape, array.tobytes()) for name, array in stored.items()}
    tensors["classifier.bias"] = (kind, (1000,), bytes(1000 * SIZES[kind]))
    write_raw(tmp_path / "x.safetensors", tensors)
    with pytest.raises(ZooError, match=f"classifier.bias has the data type {kind}: save the weights as"):
        read_timm(tmp_path / "x.safetensors", model, "mobilenet", "small")


@pytest.mark.parametrize("kind", SIZES)
def test_a_runs_own_file_of_a_type_that_is_no_weight_is_refused(kind: str, tmp_path: Path, model: Any) -> None:
    own = {name: variable.numpy() for name, variable in weights(model).items()}
    tensors = {name: ("F32", array.shape, array.tobytes()) for name, array in own.items()}
    tensors["logits/bias"] = (kind, (1000,), bytes(1000 * SIZES[kind]))
    write_raw(tmp_path / "x.safetensors", tensors)
    with pytest.raises(ZooError, match=r"logits/bias is of \w+, not float32|x.safetensors is damaged"):
        arrays, _ = weights_file.read(tmp_path / "x.safetensors")
        weights_file.assign(weights(model), arrays, "x.safetensors")
    for name, variable in weights(model).items():
        np.testing.assert_array_equal(variable, own[name])


def test_a_runs_weights_of_another_type_are_refused() -> None:
    class Variable:
        shape, dtype = (2,), "float32"

    with pytest.raises(ZooError, match="kernel is of int8, not float32"):
        weights_file.check({"kernel": Variable()}, {"kernel": np.zeros(2, np.int8)}, "x", "fix it")


@given(st.lists(st.text(max_size=300), max_size=40), st.lists(st.text(max_size=300), max_size=40))
def test_a_list_of_what_does_not_fit_is_short(missing: list[str], left_over: list[str]) -> None:
    line = misfit(missing, left_over, [])
    assert len(line) < 2 * (10 * 103 + 40)
    assert bool(line) == bool(missing or left_over)
    for kind, names in (("missing", missing), ("left over", left_over)):
        if names:
            assert f"{kind}: " in line
        if len(names) > 10:
            assert f"and {len(names) - 10} more" in line


def test_a_list_names_what_there_is() -> None:
    assert listed("abc") == "a, b, c"
    assert listed("abcdef", most=2) == "a, b and 4 more"
    assert listed(["x" * 200]) == "x" * 100 + "…"
