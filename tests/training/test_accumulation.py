"""Gradient accumulation: the update from a batch in parts equals that from the whole batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.training.test_training import train
from zoo import recipe as recipes
from zoo.data.load import load
from zoo.description import Model
from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.recipe import Recipe, Split
from zoo.training.accumulation import in_parts
from zoo.training.batches import evaluation_batches
from zoo.training.optimizer import optimizer
from zoo.training.steps import clipped, training_step


def updated(accumulate: int) -> tuple[dict[str, float], list[np.ndarray]]:
    """The sums of a step, and the weights after two."""
    keras.utils.set_random_seed(0)
    images = tf.random.stateless_uniform((12, 16, 16, 3), (0, 0))
    labels = tf.constant([0, 1, 2] * 4, tf.int64)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    preprocessing = Preprocessing(16, 16, 3, (0.5,) * 3, (0.5,) * 3)
    description = Model("cnn", "small", ("a", "b", "c"), preprocessing, 0, 0)
    model = zoo.create("cnn", classes=3, input_shape=(16, 16, 3), precision="float64")
    # A frozen network drops nothing; penalties, clipping, smoothing and class weights are of the whole batch.
    settings = ["freeze=true", "batch_size=12", "optimizer.l2=0.01", "optimizer.clip_norm=0.1", "label_smoothing=0.1"]
    recipe = recipes.override(Recipe(), [*settings, f"accumulate={accumulate}"])
    made = optimizer(recipe, model, 10, {})
    step = training_step(model, description, made, strategy, recipe, np.array([0.5, 1.0, 2.0], np.float32))
    sums = {name: float(value) for name, value in step({"image": images}, labels).items()}
    step({"image": images}, labels)
    assert int(made.iterations) == 2, "an update is counted once"
    return sums, [variable.numpy() for variable in model.weights]


def test_an_update_in_parts_is_that_of_the_batch() -> None:
    (sums, weights), (sums_of_parts, weights_of_parts) = updated(1), updated(4)
    assert sums_of_parts == pytest.approx(sums)
    for one, other in zip(weights, weights_of_parts, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


def test_no_part_begins_before_the_one_before_it_is_done() -> None:
    begun: list[int] = []

    def function(values: Any, names: dict[str, Any]) -> tuple[list[Any], Any]:
        def note(first: Any) -> Any:
            begun.append(int(first))
            return first

        noted = tf.numpy_function(note, [values[0]], tf.int64)
        return [tf.cast(noted, tf.float32) + tf.reduce_sum(names["a"]), None], tf.reduce_sum(values)

    @tf.function
    def step() -> Any:
        return in_parts(function, (tf.range(8, dtype=tf.int64), {"a": tf.ones((8, 2))}), 4)

    (first, nothing), total = step()
    assert (float(first), nothing, int(total)) == (0 + 2 + 4 + 6 + 16, None, 28)
    assert begun == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (["batch_size=50", "accumulate=4"], "a batch of 50 cannot be computed in 4 equal parts by each of 1 replicas"),
        (["accumulate=0"], "accumulate should be greater than or equal to 1"),
    ],
)
def test_parts_that_cannot_be_made_are_refused(settings: list[str], line: str, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=line):
        train(tmp_path / "run", *settings)
    assert not [*tmp_path.iterdir()]


def test_an_evaluation_computes_as_much_at_once_as_a_part_of_a_step() -> None:
    dataset = load("digits", "image", split=Split())
    this = Model("cnn", "small", dataset.labels, Preprocessing(8, 8, 1, (0.5,), (0.5,)), 0, 0)
    recipe = recipes.override(Recipe(), ["batch_size=64", "accumulate=4"])
    sizes = [len(targets) for _, targets, _ in evaluation_batches(dataset.validation, this, recipe)]
    assert max(sizes) == 16


def test_the_norm_of_a_gradient_adds_up_the_slices_of_a_word() -> None:
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    table = tf.Variable(tf.zeros((3, 2)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(table, [1, 1, 2]) * [[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    gradient = tape.gradient(loss, table)
    (found,) = strategy.run(lambda: clipped([gradient], 1.0))
    np.testing.assert_allclose(found.numpy(), np.array([[0, 0], [0.6, 0.8], [0, 0]]), rtol=1e-6)
