"""Batch normalization by the fused kernel against Keras' own operations: answers, gradients, statistics."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.layers import BatchNormalization

SHAPE = (6, 5, 7, 4)


def trained(layer: Any, dtype: str) -> tuple[dict[str, np.ndarray], set[str]]:
    """Two steps of a layer on the same maps: what it computed, and the operations of its graph."""
    maps = np.random.default_rng(0).normal(3, 2, (2, *SHAPE)).astype(np.float32)
    layer.build((None, *SHAPE[1:]))
    layer.gamma.assign(np.linspace(0.5, 2, SHAPE[-1]))
    layer.beta.assign(np.linspace(-1, 1, SHAPE[-1]))

    @tf.function
    def step(batch: Any) -> tuple[Any, ...]:
        with tf.GradientTape() as tape:
            tape.watch(batch)
            answer = layer(batch, training=True)
            loss = tf.reduce_sum(tf.cast(answer, tf.float32) ** 3)
        return answer, *tape.gradient(loss, [batch, layer.gamma.value, layer.beta.value])

    found = {}
    for number, batch in enumerate(maps):
        given = tf.cast(batch, dtype)
        for name, value in zip(("answer", "map", "gamma", "beta"), step(given), strict=True):
            found[f"{name} {number}"] = tf.cast(value, tf.float64).numpy()
    found |= {variable.name: variable.numpy().astype(np.float64) for variable in layer.non_trainable_variables}
    return found, {operation.type for operation in step.get_concrete_function(given).graph.get_operations()}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("bfloat16", 3e-2)])
def test_it_computes_what_keras_does(dtype: str, tolerance: float) -> None:
    policy = "float32" if dtype == "float32" else "mixed_bfloat16"
    arguments: dict[str, Any] = {"momentum": 0.9, "epsilon": 1e-5, "dtype": policy}
    expected, slow = trained(keras.layers.BatchNormalization(**arguments), dtype)
    found, operations = trained(BatchNormalization(**arguments), dtype)
    assert "FusedBatchNormV3" in operations
    assert "FusedBatchNormV3" not in slow
    for name, value in expected.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(found[name] / scale, value / scale, atol=tolerance, err_msg=name)


def test_in_evaluation_frozen_and_in_float64_it_is_keras_own() -> None:
    layer = BatchNormalization(momentum=0.9, epsilon=1e-5, dtype="float64")
    _, operations = trained(layer, "float64")
    assert "FusedBatchNormV3" not in operations
    layer = BatchNormalization()
    batch = tf.random.stateless_normal(SHAPE, (0, 0))
    layer(batch, training=True)
    before = layer.moving_mean.numpy()
    layer(batch, training=False)
    layer.trainable = False
    layer(batch, training=True)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), before)


def test_the_variance_of_one_value_is_finite() -> None:
    layer = BatchNormalization()
    layer(tf.ones((1, 1, 1, 3)), training=True)
    assert np.isfinite(layer.moving_variance.numpy()).all()
