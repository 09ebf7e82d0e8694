"""int8 files compute nothing on floats between integers, unless a node asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.export.test_quantize import (
    TARGETS,
    WIDE,
    calibrated,
    chain,
    convolution,
    error,
    fused,
    graph,
    kernel,
    logits,
    normalized_convolution,
    normalized_product,
    random_images,
    residual,
    same_draws,
)
from zoo.artifact import Target
from zoo.export import gates
from zoo.export.int8 import qdq
from zoo.export.int8.islands import idle_islands
from zoo.export.onnx import lint
from zoo.export.onnx.graph_index import Index

__all__ = ["same_draws"]


def before_and_behind(kind: str) -> onnx.ModelProto:
    """A clamp at zero of a convolution that a shortcut reads, too."""
    options = ["least", "most"] if kind == "Clip" else []
    nodes = [
        convolution("x", "first"),
        helper.make_node(kind, ["first", *options], ["active"]),
        convolution("active", "second"),
        helper.make_node("Add", ["second", "first"], ["y"]),
    ]
    weights = {"first_kernel": kernel(WIDE, 1, 3, 3), "first_bias": kernel(WIDE)}
    weights |= {"least": np.array(0, np.float32), "most": np.array(0.5, np.float32)}
    return graph(nodes, weights | {"second_kernel": kernel(WIDE, WIDE, 3, 3), "second_bias": kernel(WIDE)}, WIDE)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", ["Relu", "Clip"])
def test_a_clamp_that_does_not_stand_alone_is_computed_on_integers(kind: str, target: Target, tmp_path: Path) -> None:
    model, images = before_and_behind(kind), random_images()
    made = qdq.quantized(model, calibrated(model, images), target)
    assert error(logits(made, images, tmp_path / "fused.onnx"), logits(model, images)) < 0.15
    assert not list(idle_islands(Index(made), ()))
    nodes = fused(tmp_path / "fused.onnx")
    if target != "arm64":  # whose kernels are another processor's
        assert nodes["QLinearLeakyRelu"] == nodes["QLinearAdd"] == 1, nodes
        assert not nodes["DequantizeLinear"], nodes


def test_a_clamp_keeps_its_own_range_among_negative_maps() -> None:
    model, images = before_and_behind("Relu"), random_images()
    del model.graph.node[5:7]
    model.graph.node.insert(5, helper.make_node("Concat", ["active", "first"], ["y"], axis=1))
    last = next(tensor for tensor in model.graph.initializer if tensor.name == "last")
    last.CopyFrom(onnx.numpy_helper.from_array(kernel(2 * WIDE, 3), "last"))
    made = qdq.quantized(model, calibrated(model, images), "portable")
    assert "LeakyRelu" in {node.op_type for node in made.graph.node}
    assert error(logits(made, images), logits(model, images)) < 0.15


def broken(kind: str, **options: Any) -> onnx.ModelProto:
    """A residual block whose chain of integers a node breaks that has no integer kernel here."""
    lengths = ["lengths"] if kind == "Pad" else []
    nodes = [
        convolution("x", "first"),
        helper.make_node(kind, ["first", *lengths], ["between"], name="between", **options),
        helper.make_node("MaxPool", ["between"], ["pooled"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        convolution("pooled", "second"),
        helper.make_node("Add", ["second", "pooled"], ["y"]),
    ]
    weights = {"first_kernel": kernel(WIDE, 1, 3, 3), "first_bias": kernel(WIDE)}
    weights |= {"lengths": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    return graph(nodes, weights | {"second_kernel": kernel(WIDE, WIDE, 3, 3), "second_bias": kernel(WIDE)}, WIDE)


def int8_problems(model: onnx.ModelProto, path: Path, kept: frozenset[str] = frozenset()) -> list[str]:
    made = qdq.quantized(model, calibrated(model, random_images()), "portable", kept)
    onnx.save(made, path)
    passed, figures = lint.int8_report(path, kept)
    assert passed is not bool(figures.get("problems"))
    return list(figures.get("problems", []))


def test_floats_between_integers_are_refused_unless_a_node_asks_for_them(tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    (problem,) = int8_problems(broken("Pad"), path)
    assert "Pad between" in problem
    assert "MaxPool pooled" in problem
    assert "Add y" in problem
    # A kind that has no integer kernel.
    assert not int8_problems(broken("Tanh"), path)
    # A product in float32 beside it, and a curve that is kept.
    assert not int8_problems(broken("Pad"), path, frozenset({"first"}))
    assert not int8_problems(broken("Sigmoid"), path, frozenset({"between"}))
    assert not int8_problems(broken("Sigmoid"), path)
    for sound in (residual(), chain(), normalized_product(), normalized_convolution()):
        assert not int8_problems(sound, path)


def test_the_export_of_an_int8_file_with_floats_between_integers_fails(tmp_path: Path) -> None:
    made = qdq.quantized(broken("Pad"), calibrated(broken("Pad"), random_images()), "portable")
    onnx.save(made, tmp_path / "int8.onnx")
    gate = gates.int8_lint_gate(tmp_path / "int8.onnx", ())
    assert (gate.name, gate.passed) == ("onnx_int8_lint", False)
