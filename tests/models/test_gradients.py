"""The operations of training and their gradients are those of the layers that are exported."""

from __future__ import annotations

from typing import Literal

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo import layers
from zoo.gradients import depthwise, gelu
from zoo.keras_settings import own_settings

Padding = Literal["SAME", "VALID"]


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "sides"),
    [
        (3, 1, "SAME", (6, 7)), (3, 2, "VALID", (9, 8)), (5, 1, "SAME", (8, 5)), (5, 2, "VALID", (11, 12)),
        (5, 2, "SAME", (8, 7)), (7, 1, "SAME", (4, 9)),
    ],
)  # fmt: skip
def test_depthwise_gradients_are_those_of_tensorflow(
    kernel: int, stride: int, padding: Padding, sides: tuple[int, int], dtype: str
) -> None:
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=(2, *sides, 16)), dtype)
    weights = tf.constant(random.normal(size=(kernel, kernel, 16, 1)), dtype)
    found = []
    for function in (
        lambda: depthwise(x, weights, stride, padding),
        lambda: tf.nn.depthwise_conv2d(x, weights, [1, stride, stride, 1], padding),
    ):
        with tf.GradientTape() as tape:
            tape.watch([x, weights])
            y = function()
        factors = tf.constant(np.random.default_rng(1).normal(size=y.shape), dtype)
        found.append([y, *tape.gradient(y, [x, weights], factors)])
    tolerance = {"float64": 1e-12, "float32": 1e-5, "bfloat16": 2e-2}[dtype]
    for ours, theirs in zip(*found, strict=True):
        ours, theirs = (tf.cast(one, tf.float64).numpy() for one in (ours, theirs))
        assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def test_a_depthwise_layer_computes_the_same_in_training() -> None:
    image = keras.Input((8, 8, 16))
    model = keras.Model(image, layers.depthwise(image, 5, bias=True, name="depthwise"))
    model.get_layer("depthwise").bias.assign(np.arange(16))
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 16)).astype(np.float32)
    np.testing.assert_allclose(model(x, training=True), model(x, training=False), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("name", ["gelu", "norm"])
def test_layers_compute_the_same_in_training(name: str, precision: str) -> None:
    with own_settings(precision):
        layer = layers.Gelu() if name == "gelu" else layers.LayerNormalization()
    dtype = layer.compute_dtype
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 5, 24)) * 2, dtype)
    layer.build(x.shape)
    for variable in layer.trainable_variables:
        variable.assign(np.random.default_rng(2).normal(size=variable.shape))

    @tf.function
    def both(x: tf.Tensor, training: bool) -> list[tf.Tensor]:
        watched = [x, *(variable.value for variable in layer.trainable_variables)]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
        return [y, *tape.gradient(y, watched, tf.cast(tf.reshape(tf.range(tf.size(y)) % 7 - 3, tf.shape(y)), dtype))]

    tolerance = {"float64": 1e-12, "float32": 1e-5, "bfloat16": 2e-2}[precision]
    for ours, theirs in zip(both(x, training=True), both(x, training=False), strict=True):
        ours, theirs = (tf.cast(one, tf.float64).numpy() for one in (ours, theirs))
        assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


def test_an_open_batch_is_not_compiled_for_each_size() -> None:
    counted = tf.function(gelu, input_signature=[tf.TensorSpec([None, 3])])
    operations = counted.get_concrete_function().graph.as_graph_def()
    assert "Erf" in {node.op for node in operations.node}
