"""The loss of masked language modeling in TensorFlow operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.description import Model

NOT_ASKED = -1
"""The target of a token that is not hidden."""


def losses(targets: Any, logits: Any, model: Model, smoothing: float = 0.0) -> Any:
    """Return the mean cross-entropy of the hidden tokens of each text, float32 [batch]; 0 where there are none.

    `targets` are the ids of the hidden tokens, int64 [batch, length], and `NOT_ASKED` elsewhere; `logits` are
    [batch, length, tokens of the vocabulary].
    """
    import tensorflow as tf

    token_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(targets, 0), tf.cast(logits, tf.float32))
    return _mean_of_hidden(token_losses, targets)


def sums(targets: Any, logits: Any, model: Model, weights: Any = 1.0) -> dict[str, Any]:
    """Sum the losses, and the shares of hidden tokens that the network finds."""
    import tensorflow as tf

    hits = tf.cast(tf.argmax(logits, -1) == targets, tf.float32)
    return {
        "loss": tf.reduce_sum(weights * losses(targets, logits, model)),
        "found": tf.reduce_sum(weights * _mean_of_hidden(hits, targets)),
    }


def _mean_of_hidden(values: Any, targets: Any) -> Any:
    import tensorflow as tf

    hidden = tf.cast(tf.not_equal(targets, NOT_ASKED), tf.float32)
    return tf.reduce_sum(hidden * values, -1) / tf.maximum(tf.reduce_sum(hidden, -1), 1)
