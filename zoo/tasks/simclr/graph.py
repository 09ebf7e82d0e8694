"""NT-Xent, the loss of SimCLR, in TensorFlow operations (Chen et al. 2020, equation 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.description import Model

LEFT_OUT = -1e9
"""The similarity of two views that are not compared."""


def losses(targets: Any, found: Any, model: Model, smoothing: float = 0.0) -> Any:
    """Return the mean loss of both views of each image, float32 [batch].

    `found` [batch, 2, values] are such that the product of two views is their similarity divided by the temperature.
    Each view is compared with all others of the batch, those of other replicas among them.
    """
    return compared(found)[0]


def sums(targets: Any, found: Any, model: Model, weights: Any = 1.0) -> dict[str, Any]:
    """Sum the losses and the matches; images of weight 0 are compared with none."""
    import tensorflow as tf

    weights = tf.broadcast_to(tf.cast(weights, tf.float32), tf.shape(found)[:1])
    each, matches = compared(found, weights)
    return {"loss": tf.reduce_sum(weights * each), "matches": tf.reduce_sum(weights * matches)}


def compared(found: Any, weights: Any = None) -> tuple[Any, Any]:
    """Return the loss of each image, and the share of its views that are most like each other, float32 [batch].

    No image is compared with images whose weight is 0.
    """
    import tensorflow as tf

    _, views, values = found.shape
    every, first = of_all_replicas(tf.cast(found, tf.float32))
    own = tf.reshape(tf.cast(found, tf.float32), [-1, values])
    others = tf.reshape(every, [-1, values])
    similar = tf.matmul(own, others, transpose_b=True)
    itself = views * first + tf.range(tf.shape(own)[0])
    similar += tf.one_hot(itself, tf.shape(others)[0]) * LEFT_OUT
    if weights is not None:
        kept, _ = of_all_replicas(weights)
        similar += LEFT_OUT * tf.repeat(1 - kept, views)
    # The views of an image are neighbors: 0 and 1, 2 and 3, and so on.
    partner = tf.bitwise.bitwise_xor(itself, 1)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(partner, similar)
    matches = tf.cast(tf.argmax(similar, -1, tf.int32) == partner, tf.float32)
    return tuple(tf.reduce_mean(tf.reshape(value, [-1, views]), -1) for value in (each, matches))


def of_all_replicas(values: Any) -> tuple[Any, Any]:
    """Return the rows that all replicas have, one replica after the other, and the place of this replica's first.

    Gradients flow back to the replica that a row comes from: the gradient of a sum over replicas is such a sum, too.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if replicas == 1:
        return values, 0
    number = tf.cast(context.replica_id_in_sync_group, tf.int32)
    place = tf.reshape(tf.one_hot(number, replicas, dtype=values.dtype), [replicas] + [1] * len(values.shape))
    every = context.all_reduce(tf.distribute.ReduceOp.SUM, place * values[None])
    return tf.reshape(every, [-1, *values.shape[1:]]), number * tf.shape(values)[0]
