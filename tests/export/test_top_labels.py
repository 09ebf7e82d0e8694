"""The most probable labels: the right ones in the right order, whatever their names."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from zoo.contract import CLASSES, SCORES, TOP
from zoo.export.tf_serving.top_labels import raw_of_examples, serialized_examples, top_labels
from zoo.signature import Tensor

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(labels=st.lists(texts, min_size=2, max_size=9, unique=True), images=st.integers(0, 3), seed=st.integers(0, 9))
def test_the_labels_of_the_largest_probabilities(labels: list[str], images: int, seed: int) -> None:
    probabilities = np.random.default_rng(seed).random((images, len(labels))).astype(np.float32)
    answer = top_labels(tf.constant(probabilities), labels)
    order = np.argsort(-probabilities, -1)[:, :TOP]
    assert answer[CLASSES].shape == answer[SCORES].shape == (images, min(TOP, len(labels)))
    assert [[label.decode() for label in row] for row in answer[CLASSES].numpy()] == [
        [labels[index] for index in row] for row in order
    ]
    np.testing.assert_array_equal(answer[SCORES], np.take_along_axis(probabilities, order, -1))


def test_of_equal_probabilities_the_first_class_comes_first() -> None:
    answer = top_labels(tf.constant([[0.25, 0.25, 0.5]]), ["a", "b", "c"])
    assert answer[CLASSES].numpy().tolist() == [[b"c", b"a", b"b"]]


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4))
def test_examples_hold_any_bytes(uploads: list[bytes]) -> None:
    examples = serialized_examples({"image_bytes": np.array(uploads, object)})
    (found,) = raw_of_examples(tf.constant(examples), {"image_bytes": Tensor("string", ("batch",))}).values()
    assert found.numpy().tolist() == uploads


def test_examples_hold_numbers_beside_texts() -> None:
    raw = {"size": np.array([1.5, np.nan], np.float32), "color": np.array([b"red", b""], object)}
    tensors = {"size": Tensor("float32", ("batch",)), "color": Tensor("string", ("batch",))}
    found = raw_of_examples(tf.constant(serialized_examples(raw)), tensors)
    np.testing.assert_array_equal(found["size"], raw["size"])
    assert found["color"].numpy().tolist() == [b"red", b""]
