"""The gates that detect a change in a finished ONNX file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.described import described
from zoo import layers
from zoo.export import gates
from zoo.export.graph import trace
from zoo.export.onnx.conversion import write_onnx
from zoo.export.reference import Reference, of_noise
from zoo.formats.onnx import ONNX, open_onnx
from zoo.inputs.image.preprocessing import Preprocessing

PIXELS = Preprocessing(8, 8, 3, (0.5,) * 3, (0.25,) * 3)
WIDTH = 8

Finished = tuple[onnx.ModelProto, Reference]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A file with a convolution, a norm, attention and dense layers, and Keras' answers to two images."""
    image = keras.Input(PIXELS.shape, name="image")
    x = layers.convolution(image, WIDTH, 2, stride=2, bias=True, padding="none", name="patches")
    x = layers.LayerNormalization(name="norm")(layers.Tokens(name="tokens")(x))
    x = layers.Attention(2, name="attention")(layers.Dense(3 * WIDTH, name="queries_keys_values")(x))
    model = keras.Model(image, layers.logits(layers.Flatten(name="flatten")(x), 5))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape, scale=0.5))
    path = tmp_path_factory.mktemp("finished") / "model.onnx"
    keras_network = trace(model, described(PIXELS, "abcde"))
    write_onnx(keras_network, path)
    reference = of_noise(keras_network)
    assert _failed(path, reference) == set()
    return onnx.load(path), reference


def _failed(path: Path, reference: Reference) -> set[str]:
    opened = functools.cache(lambda: open_onnx(path))
    found = [
        *gates.onnx_file_gates(ONNX, path),
        *gates.format_gates(ONNX, path, opened, reference.description),
        *gates.output_gates(ONNX, opened, reference),
    ]
    return {gate.name for gate in found if not gate.passed}


def failed(finished: Finished, folder: Path, change: Callable[[Any], None]) -> set[str]:
    """The gates that a changed copy of the file does not pass."""
    proto = onnx.ModelProto()
    proto.CopyFrom(finished[0])
    change(proto.graph)
    onnx.save(proto, folder / "model.onnx")
    return _failed(folder / "model.onnx", finished[1])


def scaled(name: str, by: np.ndarray | float) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        tensor = next(tensor for tensor in graph.initializer if tensor.name == name)
        tensor.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(tensor) * by).astype(np.float32), name))

    return change


def test_any_weight_by_one_per_cent_is_refused(finished: Finished, tmp_path: Path) -> None:
    floats = [tensor for tensor in finished[0].graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    assert len(floats) >= 10
    for tensor in floats:
        if not np.any(numpy_helper.to_array(tensor)):
            continue
        found = failed(finished, tmp_path, scaled(tensor.name, 1.01))
        assert found == {"onnx_digest", "onnx_batches", "onnx_agreement"}, tensor.name


def test_a_bias_of_keys_moves_no_answer_and_is_refused(finished: Finished, tmp_path: Path) -> None:
    (name,) = (t.name for t in finished[0].graph.initializer if list(t.dims) == [3 * WIDTH])
    keys = np.repeat([1, 1.01, 1], WIDTH)
    assert failed(finished, tmp_path, scaled(name, keys)) == {"onnx_digest"}


@pytest.mark.parametrize("kind", ["Conv", "Gemm"])
def test_a_node_without_its_bias_is_refused(kind: str, finished: Finished, tmp_path: Path) -> None:
    def change(graph: Any) -> None:
        del next(node for node in graph.node if node.op_type == kind).input[2]

    assert failed(finished, tmp_path, change) >= {"onnx_digest", "onnx_agreement"}


def test_a_sum_without_its_bias_is_refused(finished: Finished, tmp_path: Path) -> None:
    def change(graph: Any) -> None:
        product = next(node for node in graph.node if node.op_type == "MatMul")
        add = next(node for node in graph.node if product.output[0] in node.input)
        product.output[0] = add.output[0]
        graph.node.remove(add)

    assert failed(finished, tmp_path, change) >= {"onnx_digest", "onnx_agreement"}
