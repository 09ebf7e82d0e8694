"""The LSTM family's network: padding, both implementations, and multiply-adds."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.export.text_networks import CLASSES, SIZES, VOCABULARY, network, texts
from zoo import complexity
from zoo.models.lstm.network import Embedding, Lstm

every_size = pytest.mark.parametrize("size", SIZES)


@every_size
def test_padding_changes_no_answer(size: str) -> None:
    model, lengths = network(**SIZES[size]), (5, 1, 9)
    ids, mask = texts(*lengths, longest=12)
    together = model([ids, mask], training=False).numpy()
    assert together.shape == (len(lengths), CLASSES)
    for row, length in enumerate(lengths):
        alone = model([ids[row : row + 1, :length], mask[row : row + 1, :length]], training=False).numpy()
        np.testing.assert_allclose(alone[0], together[row], rtol=0, atol=1e-6)
    ids[mask == 0] = 7
    np.testing.assert_allclose(model([ids, mask], training=False).numpy(), together, rtol=0, atol=1e-6)


@every_size
@pytest.mark.parametrize("lengths", [(6, 6), (5, 1, 9), (0, 3)], ids=str)
def test_training_and_inference_compute_the_same(size: str, lengths: tuple[int, ...]) -> None:
    model = network(**SIZES[size], dropout=0.0)
    given = texts(*lengths)
    trained, inferred = (model(list(given), training=training).numpy() for training in (True, False))
    np.testing.assert_allclose(inferred, trained, rtol=0, atol=1e-5)


def test_a_text_without_tokens_counts_as_one_of_padding() -> None:
    model = network(**SIZES["large"])
    ids, mask = texts(0, 1, longest=4)
    ids[:] = 0
    first, second = model([ids, mask], training=False).numpy()
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)


def test_training_uses_no_operation_with_a_wrong_gradient() -> None:
    model = network(**SIZES["large"])
    text = [tf.TensorSpec([None, None], tf.int64)] * 2

    def operations(training: bool) -> set[str]:
        traced = tf.function(lambda *given: model(list(given), training=training)).get_concrete_function(*text)
        definition = traced.graph.as_graph_def()
        every = [definition.node, *(one.node_def for one in definition.library.function)]
        return {node.op for nodes in every for node in nodes}

    assert "BlockLSTMV2" in operations(training=False)
    assert "BlockLSTMV2" not in operations(training=True)


def test_the_gradient_is_that_of_the_answer() -> None:
    model = network(**SIZES["base"], dropout=0.0)
    given = list(map(tf.constant, texts(3, 1)))
    variables = [variable for variable in model.trainable_variables if variable.path.startswith("lstm1")]

    @tf.function
    def total() -> Any:
        return tf.reduce_sum(tf.sin(model(given, training=True)))

    with tf.GradientTape() as tape:
        answer = total()
    for variable, gradient in zip(variables, tape.gradient(answer, [one.value for one in variables]), strict=True):
        direction, before = np.sign(gradient.numpy()) * 1e-3, variable.numpy()
        totals = []
        for sign in (1, -1):
            variable.assign(before + sign * direction)
            totals.append(float(total()))
        variable.assign(before)
        expected = 2 * float((gradient.numpy() * direction).sum())
        assert totals[0] - totals[1] == pytest.approx(expected, rel=0.02), variable.path


def test_layers_have_fixed_names() -> None:
    keras.layers.Dense(1)  # Keras numbers unnamed layers through the process
    names = [layer.name for layer in network(**SIZES["large"]).layers if layer.weights]
    assert names == ["embedding", "lstm1_forward", "lstm1_backward", "lstm2_forward", "lstm2_backward", "logits"]
    weights = [f"{layer.name}/{weight.name}" for layer in network(**SIZES["large"]).layers for weight in layer.weights]
    assert len(set(weights)) == len(weights)


def test_multiply_adds_are_those_of_the_gates() -> None:
    logits = 2 * 6 * CLASSES
    layers = [2 * (8 + 6) * 4 * 6, 2 * (2 * 6 + 6) * 4 * 6]
    assert complexity.multiply_adds(network(11, **SIZES["large"])) == 11 * sum(layers) + logits
    assert complexity.multiply_adds(network(**SIZES["large"])) == 128 * sum(layers) + logits


def test_layers_are_made_again_from_their_configuration() -> None:
    for layer in (Embedding(VOCABULARY, 8, name="embedding"), Lstm(6, backwards=True, sequences=True, name="lstm1")):
        again = type(layer).from_config(layer.get_config())
        assert again.get_config() == layer.get_config()


def test_inference_in_bfloat16_gives_the_same_answer_but_for_rounding() -> None:
    policy = keras.config.dtype_policy()
    given = list(texts(5, 1, 9))
    exact = network(**SIZES["base"])(given, training=False).numpy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network(**SIZES["base"])
    finally:
        keras.config.set_dtype_policy(policy)
    rounded = model(given, training=False).numpy()
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, exact, atol=0.05)
