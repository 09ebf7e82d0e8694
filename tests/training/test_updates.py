"""The optimizers' own kernels make the updates that Keras' operations make, and XLA those of TensorFlow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.tiny import CLASSES, parts
from zoo import recipe as recipes
from zoo.errors import ZooError
from zoo.recipe import Recipe
from zoo.training.devices import check_devices
from zoo.training.optimizer import SGD, AdamW

# In numbers that float32 holds, to which Keras rounds them.
SHARED = {"learning_rate": 0.125, "weight_decay": 0.25}
MOMENTUM, BETAS = {"momentum": 0.75, "nesterov": True}, {"beta_1": 0.75, "beta_2": 0.96875}
PAIRS: dict[str, tuple[Any, Any]] = {
    "sgd": (SGD(**SHARED, **MOMENTUM), keras.optimizers.SGD(**SHARED, **MOMENTUM)),
    "plain sgd": (SGD(**SHARED), keras.optimizers.SGD(**SHARED)),
    "adamw": (AdamW(**SHARED, **BETAS), keras.optimizers.AdamW(**SHARED, **BETAS)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sgd", "plain sgd", "adamw"])
def test_an_update_is_that_of_keras(name: str, dtype: str) -> None:
    random = np.random.default_rng(0)
    start, results = random.normal(size=(5, 3)), []
    for made in PAIRS[name]:
        one = type(made).from_config(made.get_config())
        kernel, spared = (keras.Variable(start, dtype=dtype) for _ in range(2))
        one.exclude_from_weight_decay(var_list=[spared])
        one.shares = [1.0, 1.0]
        one.build([kernel, spared])
        gradients = np.random.default_rng(1).normal(size=(6, 2, 5, 3))
        for both in gradients:
            one.apply([tf.constant(gradient, dtype) for gradient in both], [kernel, spared])
        results.append((kernel.numpy(), spared.numpy()))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5 if dtype == "float32" else 1e-9)


def batch() -> tuple[dict[str, Any], Any]:
    images = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)
    return {"image": tf.constant(images)}, tf.constant(np.arange(6) % CLASSES)


def test_xla_makes_the_same_steps() -> None:
    weights = []
    for choice in ("false", "true"):
        model, _, step = parts(recipes.override(Recipe(), [f"xla={choice}", "batch_size=6"]))
        for _ in range(2):
            step(*batch())
        weights.append([variable.numpy() for variable in model.weights])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_xla_is_refused_with_replicas() -> None:
    with pytest.raises(ZooError, match="xla=true compiles a step of one device"):
        check_devices(recipes.override(Recipe(), ["xla=true"]), SimpleNamespace(num_replicas_in_sync=2))
