"""The likeliest labels of images, as TensorFlow operations: answers that need no list of labels beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo.contract import CLASSES, EXAMPLES, IMAGE_BYTES, SCORES, TOP


def top_labels(probabilities: Any, labels: Sequence[str]) -> dict[str, Any]:
    """`classes`, string [batch, k] in UTF-8, and `scores`, float32 [batch, k], of float32 [batch, classes].

    k is `TOP`, or the number of labels where there are fewer. Of equal probabilities the class that comes first wins.
    """
    import tensorflow as tf

    scores, indices = tf.math.top_k(probabilities, min(TOP, len(labels)))
    names = tf.constant([label.encode() for label in labels], tf.string)
    return {CLASSES: tf.gather(names, indices), SCORES: scores}


def images_of_examples(examples: Any) -> Any:
    """string [batch]: the feature `image_bytes` of serialized tf.Example protobufs, string [batch]."""
    import tensorflow as tf

    encoded = tf.ensure_shape(examples, [None])
    return tf.io.parse_example(encoded, {IMAGE_BYTES: tf.io.FixedLenFeature([], tf.string)}, name=EXAMPLES)[IMAGE_BYTES]


def serialized_example(encoded: bytes) -> bytes:
    """A serialized tf.Example of a JPEG or PNG file, as the signature for Classify requests takes it."""
    import tensorflow as tf

    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    example = tf.train.Example(features=tf.train.Features(feature={IMAGE_BYTES: feature}))
    return bytes(example.SerializeToString())
