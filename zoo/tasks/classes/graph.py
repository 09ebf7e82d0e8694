"""Classification in TensorFlow operations: logits, their probabilities, and the cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.contract import LOGITS, PROBABILITIES

if TYPE_CHECKING:
    from zoo.description import Model


def answers(logits: Any, model: Model) -> dict[str, Any]:
    """Return logits and probabilities, float32 [batch, classes], from the network's logits."""
    import tensorflow as tf

    return {LOGITS: tf.identity(logits), PROBABILITIES: tf.nn.softmax(logits)}


def losses(targets: Any, logits: Any, model: Model, smoothing: float = 0.0) -> Any:
    """Return the cross-entropy of each example, float32 [batch]; `smoothing` of the target is spread over all classes.

    `targets` are classes, int64 [batch], or shares of them, float32 [batch, classes]; `logits` are float32 [batch,
    classes].
    """
    import keras
    import tensorflow as tf

    targets = tf.convert_to_tensor(targets)
    probabilities = targets if targets.dtype.is_floating else tf.one_hot(targets, logits.shape[-1])
    return keras.losses.categorical_crossentropy(probabilities, logits, from_logits=True, label_smoothing=smoothing)


def distilled(answers: Any, logits: Any, model: Model, kind: str, temperature: float) -> Any:
    """Return each example's distance from a teacher's logits, float32 [batch].

    `soft` is the Kullback-Leibler divergence from the teacher's probabilities to the network's, both at a temperature,
    times the temperature squared, so that gradients keep their size (Hinton et al. 2015, arXiv:1503.02531). `hard` is
    the cross-entropy with the teacher's likeliest class (Touvron et al. 2021, arXiv:2012.12877).
    """
    import tensorflow as tf

    if kind == "hard":
        return losses(tf.argmax(answers, -1), logits, model)
    teacher, student = (tf.nn.log_softmax(tf.cast(values, logits.dtype) / temperature) for values in (answers, logits))
    return temperature**2 * tf.reduce_sum(tf.exp(teacher) * (teacher - student), -1)


def sums(targets: Any, logits: Any, model: Model, weights: Any = 1.0) -> dict[str, Any]:
    """Sum the cross-entropies, and count the examples whose largest logit is that of their class.

    If targets are shares of classes, an example's class is the one with the largest share.
    """
    import tensorflow as tf

    targets = tf.convert_to_tensor(targets)
    example_losses = losses(targets, logits, model)
    classes = tf.argmax(targets, -1) if targets.dtype.is_floating else targets
    hits = tf.cast(tf.argmax(logits, -1) == classes, tf.float32)
    return {
        "loss": tf.reduce_sum(tf.cast(weights, example_losses.dtype) * example_losses),
        "hits": tf.reduce_sum(weights * hits),
    }
