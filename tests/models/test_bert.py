"""BERT in a small size: its answers compared with an implementation in numpy, and the counts of its sizes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from zoo import complexity
from zoo.description import Model
from zoo.errors import ZooError
from zoo.export.graph import trace
from zoo.export.onnx.conversion import write_onnx
from zoo.export.onnx.lint import node_counts, report
from zoo.formats.onnx import open_onnx
from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.models.bert import FAMILY
from zoo.models.bert.network import EPSILON, build
from zoo.weights_file import weights

SMALL: dict[str, Any] = {"width": 16, "depth": 2, "heads": 4, "longest": 12}
RNG = np.random.default_rng(0)

IDS = RNG.integers(0, 40, (3, 7))
MASK = np.array([[1] * 7, [1] * 4 + [0] * 3, [1] * 2 + [0] * 5])


def network(count: int = 3, vocabulary: int = 40, max_length: int = 12, **options: Any) -> keras.Model:
    tokens = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(str, range(vocabulary - 4)))
    ids, mask = (keras.Input((None,), dtype="int64", name=name) for name in ("input_ids", "attention_mask"))
    outputs = build(ids, mask, count, TextPreprocessing(tokens, max_length), **options)
    return keras.Model([ids, mask], outputs.logits)


def randomized(pooling: str) -> keras.Model:
    """A small network without weights that are 0 or 1."""
    model = network(**SMALL, pooling=pooling)
    for variable in weights(model).values():
        variable.assign(RNG.normal(size=variable.shape, scale=0.3))
    return model


def in_numpy(model: keras.Model, ids: np.ndarray, mask: np.ndarray, pooling: str) -> np.ndarray:
    """The network of Devlin et al. in numpy and float64, for one text at a time, without padding."""
    held = {name: variable.numpy().astype(np.float64) for name, variable in weights(model).items()}

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ held[f"{name}/kernel"] + held[f"{name}/bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + EPSILON)
        return x * held[f"{name}/gamma"] + held[f"{name}/beta"]

    def one(tokens: np.ndarray) -> np.ndarray:
        x = held["embeddings/words"][tokens] + held["embeddings/positions"][: len(tokens)] + held["embeddings/types"][0]
        x = norm(x, "embeddings_norm")
        for number in range(1, SMALL["depth"] + 1):
            block = f"block{number}"
            heads = np.split(dense(x, f"{block}_queries_keys_values"), 3 * SMALL["heads"], -1)
            found = []
            for head in range(SMALL["heads"]):
                queries, keys, values = heads[head :: SMALL["heads"]]
                scores = np.exp(queries @ keys.T / math.sqrt(queries.shape[1]))
                found.append(scores / scores.sum(-1, keepdims=True) @ values)
            x = norm(x + dense(np.concatenate(found, -1), f"{block}_attended"), f"{block}_attention_norm")
            y = dense(x, f"{block}_widen")
            y = y * 0.5 * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
            x = norm(x + dense(y, f"{block}_narrow"), f"{block}_norm")
        return dense(np.tanh(dense(x[0], "pooler")) if pooling == "first" else x.mean(0), "logits")

    return np.array([one(row[: part.sum()]) for row, part in zip(ids, mask, strict=True)])


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_answers_are_those_of_the_paper(pooling: str) -> None:
    model = randomized(pooling)
    found = model([IDS, MASK], training=False).numpy()
    np.testing.assert_allclose(found, in_numpy(model, IDS, MASK, pooling), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_padding_changes_nothing(pooling: str) -> None:
    model = randomized(pooling)
    alone = model([IDS[1:2, :4], MASK[1:2, :4]], training=False).numpy()
    padded = model([np.pad(IDS[1:2, :4], ((0, 0), (0, 8)), constant_values=7), np.pad(MASK[1:2, :4], ((0, 0), (0, 8)))])
    np.testing.assert_allclose(padded.numpy(), alone, rtol=1e-5, atol=1e-6)


def test_everything_learns() -> None:
    model = randomized("first")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model([IDS, MASK], training=True) ** 2)
    slopes = tape.gradient(loss, model.trainable_variables)
    still = [variable.path for variable, slope in zip(model.trainable_variables, slopes, strict=True) if slope is None]
    assert not still


def test_training_drops() -> None:
    model = randomized("mean")
    answers = [model([IDS, MASK], training=True).numpy() for _ in range(2)]
    assert np.abs(answers[0] - answers[1]).max() > 1e-3


def test_keras_saves_and_loads_it() -> None:
    model = randomized("first")
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again([IDS, MASK]).numpy(), model([IDS, MASK]).numpy())


def test_texts_longer_than_the_positions_are_refused() -> None:
    with pytest.raises(ZooError, match="texts of 13 tokens cannot be taken: there are 12 positions"):
        network(**SMALL, pooling="mean", max_length=13)


def multiply_adds(width: int, depth: int, pooling: str, tokens: int, classes: int) -> int:
    """Count products: four of attention and two of eight times the width by token, and those between tokens."""
    block = tokens * 12 * width**2 + 2 * tokens**2 * width
    last = tokens * 3 * width**2 + 9 * width**2 + 2 * tokens * width if pooling == "first" else block
    return (depth - 1) * block + last + (width**2 if pooling == "first" else 0) + classes * width


@pytest.mark.parametrize("size", FAMILY.sizes, ids=lambda size: size.name)
def test_multiply_adds_are_those_of_the_formula(size: Any) -> None:
    width, depth, pooling = (size.options[name] for name in ("width", "depth", "pooling"))
    assert size.multiply_adds == multiply_adds(width, depth, pooling, complexity.COUNTED_LENGTH, size.classes)


@pytest.mark.parametrize("size", FAMILY.sizes, ids=lambda size: size.name)
def test_parameters_are_those_of_transformers(size: Any) -> None:
    """Those of BertModel with its pooler, as its publishers state them, and the head."""
    published = {"small": 22_713_216, "mini": 28_763_648, "base": 109_482_240, "large": 335_141_888}
    width = size.options["width"]
    pooler = width * (width + 1)
    unpooled = size.options["pooling"] == "mean"
    assert size.parameters == published[size.name] - pooler * unpooled + size.classes * (width + 1)


@pytest.mark.parametrize("name", ["small", "mini"])
def test_figures_are_counted(name: str) -> None:
    size = FAMILY.size(name)
    model = network(size.classes, 30_522, 512, **size.options)
    assert (complexity.parameters(model), complexity.multiply_adds(model)) == (size.parameters, size.multiply_adds)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_the_onnx_file_is_open_and_has_no_idle_node(pooling: str, tmp_path: Path) -> None:
    model = randomized(pooling)
    vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(str, range(36)))
    labels = ("a", "b", "c")
    description = Model("bert", "small", labels, TextPreprocessing(vocabulary, SMALL["longest"]), 0, 0)
    path = tmp_path / "bert.onnx"
    record = write_onnx(trace(model, description), path)

    session = open_onnx(path, threads=1)
    shapes = {name: tensor.shape for name, tensor in session.signature.inputs.items()}
    assert shapes == dict.fromkeys(("input_ids", "attention_mask"), ("batch", "length"))
    for ids, mask in ((IDS, MASK), (IDS[:1, :2], MASK[:1, :2])):
        found = session.run({"input_ids": ids, "attention_mask": mask})["logits"]
        np.testing.assert_allclose(found, model([ids, mask], training=False).numpy(), rtol=1e-4, atol=1e-5)
    counts = node_counts(onnx.load(path))
    assert counts["LayerNormalization"] == 1 + 2 * SMALL["depth"]
    assert counts["Gelu"] == SMALL["depth"]
    assert counts["Transpose"] == record.expected_transposes
    # One for the positions. Reshapes keep open lengths by constants, so that nothing is computed from shapes.
    assert counts["Shape"] == 1
    assert "Concat" not in counts
    passed, figures = report(path, record)
    assert passed, figures
