"""The most probable labels of an example as TensorFlow operations, so that a client needs no list of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.contract import CLASSES, EXAMPLES, SCORES, TOP
from zoo.signature import Tensor


def top_labels(probabilities: Any, labels: Sequence[str]) -> dict[str, Any]:
    """Return the k most probable labels of each example.

    k is `TOP`, or the number of labels if there are fewer. Among equal probabilities the lower class index comes first.

    Args:
        probabilities: float32 [batch, classes].
        labels: the names of the classes.

    Returns:
        `classes`, string [batch, k] in UTF-8, and `scores`, float32 [batch, k], the highest first.
    """
    import tensorflow as tf

    scores, indices = tf.math.top_k(probabilities, min(TOP, len(labels)))
    names = tf.constant([label.encode() for label in labels], tf.string)
    return {CLASSES: tf.gather(names, indices), SCORES: scores}


def raw_of_examples(examples: Any, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Parse serialized tf.Example protobufs, string [batch], into the inputs of the raw signature.

    `tensors` are these inputs; each is a feature that every Example must have.
    """
    import tensorflow as tf

    features = {name: tf.io.FixedLenFeature(tensor.shape[1:], tensor.dtype) for name, tensor in tensors.items()}
    parsed: dict[str, Any] = tf.io.parse_example(tf.ensure_shape(examples, [None]), features, name=EXAMPLES)
    return parsed


def serialized_examples(raw: Mapping[str, np.ndarray]) -> np.ndarray:
    """Serialize inputs of the raw signature as tf.Examples for Classify requests, an object array of bytes."""
    import tensorflow as tf

    def feature(values: np.ndarray) -> Any:
        if values.dtype == object:
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if values.dtype == np.int64:
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    count = len(next(iter(raw.values())))
    examples = np.empty(count, object)
    for number in range(count):
        features = {name: feature(values[number : number + 1].reshape(-1)) for name, values in raw.items()}
        examples[number] = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    return examples
