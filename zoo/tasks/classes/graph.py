"""Classification in TensorFlow operations: logits, their probabilities, and the cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.contract import LOGITS, PROBABILITIES

if TYPE_CHECKING:
    from zoo.description import Model


def answers(found: Any, model: Model) -> dict[str, Any]:
    """Return logits and probabilities, float32 [batch, classes], of the network's logits."""
    import tensorflow as tf

    return {LOGITS: tf.identity(found), PROBABILITIES: tf.nn.softmax(found)}


def losses(targets: Any, found: Any, model: Model, smoothing: float = 0.0) -> Any:
    """Return the cross-entropy of each example, float32 [batch]; `smoothing` of the target is spread over all classes.

    `targets` are classes, int64 [batch], or shares of them, float32 [batch, classes]; `found` is float32 [batch,
    classes].
    """
    import keras
    import tensorflow as tf

    targets = tf.convert_to_tensor(targets)
    wanted = targets if targets.dtype.is_floating else tf.one_hot(targets, found.shape[-1])
    return keras.losses.categorical_crossentropy(wanted, found, from_logits=True, label_smoothing=smoothing)


def sums(targets: Any, found: Any, model: Model, weights: Any = 1.0) -> dict[str, Any]:
    """Sum the cross-entropies, and count the examples whose largest logit is that of their class, or largest share."""
    import tensorflow as tf

    targets = tf.convert_to_tensor(targets)
    each = losses(targets, found, model)
    classes = tf.argmax(targets, -1) if targets.dtype.is_floating else targets
    hits = tf.cast(tf.argmax(found, -1) == classes, tf.float32)
    return {"loss": tf.reduce_sum(tf.cast(weights, each.dtype) * each), "hits": tf.reduce_sum(weights * hits)}
