"""NT-Xent, the loss of SimCLR, in TensorFlow operations (Chen et al. 2020, equation 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.description import Model

LEFT_OUT = -1e9
"""The similarity of two views that are not compared."""


def losses(targets: Any, views: Any, model: Model, smoothing: float = 0.0) -> Any:
    """Return the mean loss of both views of each image, float32 [batch].

    `views` are float [batch, 2, values]; the product of two views is their similarity divided by the temperature.
    Each view is compared with all others of the batch, those of other replicas among them.
    """
    return compared(views)[0]


def sums(targets: Any, views: Any, model: Model, weights: Any = 1.0) -> dict[str, Any]:
    """Sum the losses and the matches; images of weight 0 are compared with none."""
    import tensorflow as tf

    weights = tf.broadcast_to(tf.cast(weights, tf.float32), tf.shape(views)[:1])
    image_losses, matches = compared(views, weights)
    return {"loss": tf.reduce_sum(weights * image_losses), "matches": tf.reduce_sum(weights * matches)}


def compared(views: Any, weights: Any = None) -> tuple[Any, Any]:
    """Return the loss of each image, and the share of its views that are most like each other, float32 [batch].

    No image is compared with images whose weight is 0.
    """
    import tensorflow as tf

    _, view_count, value_count = views.shape
    gathered, first = of_all_replicas(tf.cast(views, tf.float32))
    rows = tf.reshape(tf.cast(views, tf.float32), [-1, value_count])
    all_rows = tf.reshape(gathered, [-1, value_count])
    similarities = tf.matmul(rows, all_rows, transpose_b=True)
    own_index = view_count * first + tf.range(tf.shape(rows)[0])
    similarities += tf.one_hot(own_index, tf.shape(all_rows)[0]) * LEFT_OUT
    if weights is not None:
        gathered_weights, _ = of_all_replicas(weights)
        similarities += LEFT_OUT * tf.repeat(1 - gathered_weights, view_count)
    # The views of an image are neighbors: 0 and 1, 2 and 3, and so on.
    partner_index = tf.bitwise.bitwise_xor(own_index, 1)
    view_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(partner_index, similarities)
    matches = tf.cast(tf.argmax(similarities, -1, tf.int32) == partner_index, tf.float32)
    return tuple(tf.reduce_mean(tf.reshape(values, [-1, view_count]), -1) for values in (view_losses, matches))


def of_all_replicas(values: Any) -> tuple[Any, Any]:
    """Return the rows that all replicas have, one replica after the other, and the index of this replica's first row.

    Gradients flow back to the replica that a row comes from: the gradient of a sum over replicas is such a sum, too.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if replicas == 1:
        return values, 0
    replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
    one_hot = tf.reshape(tf.one_hot(replica, replicas, dtype=values.dtype), [replicas] + [1] * len(values.shape))
    gathered = context.all_reduce(tf.distribute.ReduceOp.SUM, one_hot * values[None])
    return tf.reshape(gathered, [-1, *values.shape[1:]]), replica * tf.shape(values)[0]
