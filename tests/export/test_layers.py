"""The ONNX graphs of zoo's own layers and of the Keras layers that they replace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from tests.described import described
from zoo import blocks, layers
from zoo.export.graph import trace
from zoo.export.onnx.conversion import write_onnx
from zoo.inputs.image.decoding import normalized
from zoo.inputs.image.preprocessing import Preprocessing

PIXELS = Preprocessing(8, 8, 3, (0.5,) * 3, (0.25,) * 3)
RNG = np.random.default_rng(0)


def exported(path: Path, layer: Callable[[Any], Any], *, sequence: bool = False) -> tuple[Counter[str], Counter[str]]:
    """Export a network around `layer`, compare it with Keras, and count the nodes in the file and after fusion."""
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(12, 3, padding="same", bias_initializer="normal")(image)
    if sequence:
        x = layers.Tokens()(x)
    x = layer(x)
    if len(x.shape) == 4:
        x = keras.layers.Conv2D(8, 3)(x)
    x = layers.Flatten()(x)
    model = keras.Model(image, layers.logits(x, 5))
    for variable in model.trainable_variables:
        variable.assign(RNG.normal(size=variable.shape, scale=0.3))
    write_onnx(trace(model, described(PIXELS, "abcde")), path / "model.onnx")
    options = onnxruntime.SessionOptions()
    # The next level would change layouts for this processor.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path / "fused.onnx")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path / "model.onnx"), options, providers=["CPUExecutionProvider"])
    pixels = RNG.integers(0, 256, (2, 8, 8, 3), np.uint8)
    (got,) = session.run(["logits"], {"image": pixels})
    np.testing.assert_allclose(got, model(normalized(pixels, PIXELS), training=False), rtol=1e-4, atol=1e-4)
    file, fused = (
        Counter(node.op_type for node in onnx.load(path / name).graph.node) for name in ("model.onnx", "fused.onnx")
    )
    return file, fused


@pytest.mark.parametrize("sequence", [False, True])
def test_layer_normalization_is_one_node(sequence: bool, tmp_path: Path) -> None:
    file, _ = exported(tmp_path, layers.LayerNormalization(), sequence=sequence)
    assert file["LayerNormalization"] == 1
    assert file["ReduceMean"] == 0


def test_keras_layer_normalization_is_not_fused(tmp_path: Path) -> None:
    _, fused = exported(tmp_path, keras.layers.LayerNormalization(epsilon=1e-6))
    assert fused["LayerNormalization"] == 0


def test_gelu_is_fused(tmp_path: Path) -> None:
    _, fused = exported(tmp_path, layers.Gelu())
    assert fused["Gelu"] + fused["BiasGelu"] == 1
    assert fused["Erf"] == 0


def test_keras_gelu_makes_a_graph_that_onnx_does_not_know(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # The version converter of onnx 1.20 raises IndexError and does not name the operation, that of 1.23 RuntimeError.
    with pytest.raises((RuntimeError, IndexError)):
        exported(tmp_path, keras.layers.Activation("gelu"))
    assert "Unsupported ops: Counter({'Erfc': 1})" in caplog.text


def test_flattening_needs_no_shape(tmp_path: Path) -> None:
    ours, _ = exported(tmp_path, lambda x: x)
    keras_own, _ = exported(tmp_path, keras.layers.Flatten())
    assert "Shape" not in ours
    # A pass gives Keras' own a constant shape, see `zoo.export.onnx.passes.reshapes`.
    assert "Shape" not in keras_own


@pytest.mark.parametrize("sequence", [False, True])
def test_dense_over_a_sequence_is_one_product(sequence: bool, tmp_path: Path) -> None:
    file, _ = exported(tmp_path, layers.Dense(7), sequence=sequence)
    assert file["MatMul"] == 1
    assert not {"Shape", "Gather", "Concat"} & file.keys()


def test_keras_dense_over_a_sequence_needs_shapes(tmp_path: Path) -> None:
    file, _ = exported(tmp_path, keras.layers.Dense(7), sequence=True)
    assert {"Shape", "Gather", "Concat"} & file.keys()


def test_dense_is_the_same_in_training_and_has_the_same_gradient() -> None:
    import tensorflow as tf

    layer, x = layers.Dense(4), tf.constant(RNG.normal(size=(2, 5, 3)).astype(np.float32))
    found = []
    for training in (False, True):
        with tf.GradientTape() as tape:
            y = layer(x, training=training)
        found.append((y, tape.gradient(y, layer.kernel.value)))
    for inference, training in zip(*found, strict=True):
        np.testing.assert_allclose(inference, training, atol=1e-5)


def test_a_depthwise_convolution_is_one_convolution_with_groups(tmp_path: Path) -> None:
    file, _ = exported(tmp_path, lambda x: layers.depthwise(x, 3, stride=2, name="depthwise"))
    assert file["Conv"] == 3
    assert file["Transpose"] <= 2


def test_hard_swish_is_fused_into_the_convolution(tmp_path: Path) -> None:
    file, _ = exported(tmp_path, lambda x: layers.activation(x, "hard_swish", name="act"))
    assert file["HardSwish"] == 1
    assert file["Clip"] == 0


def test_squeeze_and_excite_moves_no_data(tmp_path: Path) -> None:
    file, _ = exported(
        tmp_path, lambda x: blocks.squeeze_excite(x, blocks.Excitation(4, "relu", "hard_sigmoid"), name="se")
    )
    assert file["GlobalAveragePool"] == file["HardSigmoid"] == 1
    # One before the last map is flattened.
    assert file["Transpose"] <= 1
    # One of the image, one of the last map.
    assert file["Reshape"] <= 2


def test_tokens_need_no_shape(tmp_path: Path) -> None:
    file, _ = exported(tmp_path, layers.Scale(0.5), sequence=True)
    assert file["Pad"] == 1
    assert not {"Shape", "Expand", "Tile"} & file.keys()


def test_attention_needs_no_shape(tmp_path: Path) -> None:
    file, _ = exported(tmp_path, lambda x: layers.Attention(2)(layers.Dense(24)(x)), sequence=True)
    assert not {"Shape", "Gather", "Einsum"} & file.keys()
    assert file["Softmax"] == 2  # its own, and the probabilities


def test_layers_are_rebuilt_from_their_configuration() -> None:
    image = keras.Input((4, 4, 8))
    x = layers.Tokens()(image)
    x = layers.Attention(2)(layers.Dense(24)(layers.LayerNormalization(1e-5)(x)))
    model = keras.Model(image, layers.Scale(0.5)(layers.Gelu()(x)))
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    image = RNG.normal(size=(2, 4, 4, 8)).astype(np.float32)
    np.testing.assert_array_equal(again(image), model(image))


def test_layer_normalization_keeps_its_precision_in_bfloat16() -> None:
    x = RNG.normal(loc=100, size=(2, 5, 64)).astype(np.float32)
    mixed = layers.LayerNormalization(dtype="mixed_bfloat16")(keras.ops.cast(x, "bfloat16"))
    full = layers.LayerNormalization()(keras.ops.cast(keras.ops.cast(x, "bfloat16"), "float32"))
    assert mixed.dtype == "bfloat16"
    np.testing.assert_allclose(keras.ops.cast(mixed, "float32"), full, atol=0.02)
