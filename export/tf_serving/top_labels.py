"""The most probable labels of an image as TensorFlow operations, so that a client needs no list of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo.contract import CLASSES, EXAMPLES, IMAGE_BYTES, SCORES, TOP


def top_labels(probabilities: Any, labels: Sequence[str]) -> dict[str, Any]:
    """Return the k most probable labels of each image.

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


def images_of_examples(examples: Any) -> Any:
    """Return the feature `image_bytes`, string [batch], of serialized tf.Example protobufs, string [batch]."""
    import tensorflow as tf

    encoded = tf.ensure_shape(examples, [None])
    return tf.io.parse_example(encoded, {IMAGE_BYTES: tf.io.FixedLenFeature([], tf.string)}, name=EXAMPLES)[IMAGE_BYTES]


def serialized_example(encoded: bytes) -> bytes:
    """Serialize a JPEG or PNG file as the tf.Example that the signature for Classify requests takes."""
    import tensorflow as tf

    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    example = tf.train.Example(features=tf.train.Features(feature={IMAGE_BYTES: feature}))
    return bytes(example.SerializeToString())
