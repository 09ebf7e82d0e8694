"""The optimizers' fused kernels give the same updates as Keras' operations, and XLA the same as TensorFlow."""

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
from zoo.training.optimizer import LAMB, SGD, AdamW

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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lamb_is_that_of_keras_where_nothing_is_decayed(dtype: str) -> None:
    random, results = np.random.default_rng(0), []
    start = [random.normal(size=(5, 3)), np.zeros((4, 2)), random.normal(size=(3,))]
    gradients = [[random.normal(size=values.shape) for values in start] for _ in range(6)]
    gradients[0][0][:] = 0
    for kind in (LAMB, keras.optimizers.Lamb):
        made = kind(0.125, **BETAS, epsilon=0.0009765625)
        variables = [keras.Variable(values, dtype=dtype) for values in start]
        made.shares = [1.0] * 3
        made.build(variables)
        for each in gradients:
            made.apply([tf.constant(gradient, dtype) for gradient in each], variables)
        results.append([variable.numpy() for variable in variables])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5 if dtype == "float32" else 1e-9)


@pytest.mark.parametrize("graph", [False, True])
def test_lamb_follows_its_paper(graph: bool) -> None:
    """Algorithm 2 of You et al. 2019, with a share of the rate, and a weight that is not decayed."""
    random, lr, decay, epsilon = np.random.default_rng(0), 0.125, 0.25, 0.0009765625
    weights = [random.normal(size=(5, 3)), random.normal(size=(5, 3)), random.normal(size=(5, 3))]
    shares, decayed = [1.0, 0.5, 1.0], [True, True, False]
    made = LAMB(lr, **BETAS, epsilon=epsilon, weight_decay=decay)
    variables = [keras.Variable(values, dtype="float64") for values in weights]
    made.exclude_from_weight_decay(var_list=variables[2:])
    made.shares = shares
    made.build(variables)

    def apply(*gradients: Any) -> None:
        made.apply([*gradients], variables)

    update_all = tf.function(apply) if graph else apply
    first, second = np.zeros((3, 5, 3)), np.zeros((3, 5, 3))
    for step in range(1, 7):
        gradients = random.normal(size=(3, 5, 3))
        update_all(*map(tf.constant, gradients))
        for number, gradient in enumerate(gradients):
            first[number] = 0.75 * first[number] + 0.25 * gradient
            second[number] = 0.96875 * second[number] + 0.03125 * gradient**2
            moments = first[number] / (1 - 0.75**step), second[number] / (1 - 0.96875**step)
            update = moments[0] / (np.sqrt(moments[1]) + epsilon)
            ratio: Any = 1.0
            if decayed[number]:
                update += decay * weights[number]
                ratio = np.linalg.norm(weights[number]) / np.linalg.norm(update)
            weights[number] = weights[number] - lr * shares[number] * ratio * update
    for variable, expected in zip(variables, weights, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("settings", [[], ["optimizer.name=lamb", "optimizer.weight_decay=0.02"]], ids=["sgd", "lamb"])
def test_a_recipe_makes_its_updates_in_a_step(settings: list[str]) -> None:
    model, made, step = parts(recipes.override(Recipe(), [*settings, "batch_size=6"]))
    before = [variable.numpy() for variable in model.trainable_variables]
    assert np.isfinite(step(*batch())["loss"])
    assert int(made.iterations) == 1
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.isfinite(variable.numpy()).all()
        if variable.name == "kernel":
            moved = np.linalg.norm(variable.numpy() - value) / np.linalg.norm(value)
            assert moved > 0
            # The trust ratio: a weight moves by the rate of the first step, in units of its own norm.
            assert not settings or moved == pytest.approx(0.05 / 10, rel=1e-4)


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
