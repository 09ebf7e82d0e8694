"""fp16 files of networks whose inputs or values exceed the range of float16."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import zoo
from zoo.description import Model
from zoo.export.graph import trace
from zoo.export.onnx.conversion import write_onnx
from zoo.export.onnx.fp16 import write_fp16
from zoo.formats.onnx import open_onnx
from zoo.inputs.table.columns import Column
from zoo.inputs.table.preprocessing import TablePreprocessing

MEAN, STD = np.array([2e6, -1.0], np.float32), np.array([1e5, 0.5], np.float32)


def regression(mean: float, std: float) -> Any:
    """A network of standardized columns, 0 where missing, whose one value has a mean and a std.

    With a std of 1 there is no product with it, as in an exported graph.
    """
    generator = np.random.default_rng(0)
    constants = {
        "mean": MEAN,
        "scale": 1 / STD,
        "zero": np.float32(0),
        "kernel": generator.normal(size=(2, 4)).astype(np.float32),
        "last": generator.normal(size=(4, 1)).astype(np.float32),
        "bias": np.array([0.25], np.float32),
        "value_mean": np.array([mean], np.float32),
        **({"value_std": np.array([std], np.float32)} if std != 1 else {}),
    }
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centered"]),
        helper.make_node("Mul", ["centered", "scale"], ["scaled"]),
        helper.make_node("IsNaN", ["scaled"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "scaled"], ["standardized"]),
        helper.make_node("MatMul", ["standardized", "kernel"], ["hidden"]),
        helper.make_node("Max", ["hidden", "zero"], ["positive"]),
        helper.make_node("MatMul", ["positive", "last"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["found"]),
        *([helper.make_node("Mul", ["found", "value_std"], ["spread"])] if std != 1 else []),
        helper.make_node("Add", ["spread" if std != 1 else "found", "value_mean"], ["values"]),
    ]
    graph = helper.make_graph(
        nodes,
        "regression",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def test_values_and_columns_may_be_beyond_65504(tmp_path: Path) -> None:
    features = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32) * STD + MEAN
    features[3, 0] = np.nan
    for mean, std in ((3e6, 2e5), (60_000.0, 5000.0), (0.5, 0.1), (2000.0, 1.0), (70_000.0, 1.0)):
        onnx.save(regression(mean, std), tmp_path / "whole.onnx")
        write_fp16(tmp_path / "whole.onnx", tmp_path / "half.onnx")
        made = onnx.load(tmp_path / "half.onnx")
        onnx.checker.check_model(made, full_check=True)
        answers = [
            onnxruntime.InferenceSession(tmp_path / f"{name}.onnx").run(None, {"features": features})[0]
            for name in ("whole", "half")
        ]
        assert np.isfinite(answers[1]).all()
        np.testing.assert_allclose(answers[1], answers[0], atol=5e-3 * std)
        kinds = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
        assert {kinds[name] for name in ("kernel", "last", "bias", "zero_half")} == {TensorProto.FLOAT16}
        # On the CPU, onnxruntime (1.32) computes float16 nodes in float32, so that answers do not show what is rounded.
        in_full = kinds.keys() & {"mean", "zero", "value_std", "value_mean"}
        assert {kinds[name] for name in in_full} == {TensorProto.FLOAT}


@pytest.mark.parametrize("size", ["small", "base", "large"])
def test_an_outlier_of_a_table_has_a_finite_answer(size: str, tmp_path: Path) -> None:
    knots = (6.0, 9.0, 11.0, 14.0)
    columns = tuple(Column(f"column {number}", "number", mean=10.0, std=2.0, knots=knots) for number in range(10))
    preprocessing = TablePreprocessing(columns)
    model = zoo.create("mlp", size=size, classes=3, preprocessing=preprocessing)
    write_onnx(trace(model, Model("mlp", size, ("a", "b", "c"), preprocessing, 0, 0)), tmp_path / "whole.onnx")
    write_fp16(tmp_path / "whole.onnx", tmp_path / "half.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "half.onnx"), full_check=True)
    features = np.random.default_rng(0).normal(10, 2, (40, 10)).astype(np.float32)
    features[np.arange(20), np.arange(20) % 10] = 10 + 2 * np.repeat([1e6, -1e9], 10)
    features[20, 3] = np.nan
    # onnxruntime (1.32) computes float16 in float32 on CPUs, where nothing overflows. onnx' own evaluator rounds.
    computed: Any = ReferenceEvaluator(str(tmp_path / "half.onnx")).run(["logits"], {"features": features})
    whole = open_onnx(tmp_path / "whole.onnx").run({"features": features})["logits"]
    half = computed[0]
    assert np.isfinite(half).all()
    np.testing.assert_allclose(half[20:], whole[20:], atol=2e-2)


def test_squares_of_columns_are_not_cut_off(tmp_path: Path) -> None:
    columns = tuple(Column(f"column {number}", "number", mean=10.0, std=2.0) for number in range(3))
    preprocessing = TablePreprocessing(columns)
    model = zoo.create("linear", size="base", classes=2, preprocessing=preprocessing)
    for variable in model.weights:
        variable.assign(np.random.default_rng(0).uniform(-0.1, 0.1, variable.shape))
    write_onnx(trace(model, Model("linear", "base", ("a", "b"), preprocessing, 0, 0)), tmp_path / "whole.onnx")
    write_fp16(tmp_path / "whole.onnx", tmp_path / "half.onnx")
    features = np.array([[10 + 2 * 40, 9, 11], [10 - 2 * 150, 12, 10], [10 + 2 * 1e6, 10, 10]], np.float32)
    computed: Any = ReferenceEvaluator(str(tmp_path / "half.onnx")).run(["logits"], {"features": features})
    whole = open_onnx(tmp_path / "whole.onnx").run({"features": features})["logits"]
    np.testing.assert_allclose(computed[0][:2], whole[:2], rtol=5e-3, atol=0.5)
    assert np.isfinite(computed[0]).all()


def spectrum() -> Any:
    """The logarithm of the power in the bands of a window, and a product that answers with it."""
    generator = np.random.default_rng(0)
    angles = 2 * np.pi * np.outer(np.arange(256), np.arange(64)) / 256
    constants = {
        "waves": np.sin(angles).astype(np.float32),
        "bands": np.abs(generator.normal(size=(64, 8))).astype(np.float32),
        "least": np.float32(1e-6),
        "kernel": (generator.normal(size=(8, 3)) / 8).astype(np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["waveform", "waves"], ["amplitude"]),
        helper.make_node("Mul", ["amplitude", "amplitude"], ["power"]),
        helper.make_node("MatMul", ["power", "bands"], ["band"]),
        helper.make_node("Add", ["band", "least"], ["above"]),
        helper.make_node("Log", ["above"], ["logarithm"]),
        helper.make_node("MatMul", ["logarithm", "kernel"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "spectrum",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", 256])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_quiet_and_loud_sound_is_precise(tmp_path: Path) -> None:
    onnx.save(spectrum(), tmp_path / "whole.onnx")
    write_fp16(tmp_path / "whole.onnx", tmp_path / "half.onnx")
    made = onnx.load(tmp_path / "half.onnx")
    onnx.checker.check_model(made, full_check=True)
    time = np.arange(256) / 256
    clips = np.stack([scale * np.sin(2 * np.pi * 5 * time) for scale in (1e-4, 1.0, 100.0)]).astype(np.float32)
    whole, half = (
        onnxruntime.InferenceSession(tmp_path / f"{name}.onnx").run(None, {"waveform": clips})[0]
        for name in ("whole", "half")
    )
    np.testing.assert_allclose(half, whole, atol=1e-2 * np.abs(whole).max())
    kinds = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert kinds["bands"] == TensorProto.FLOAT
    assert kinds["kernel"] == TensorProto.FLOAT16
