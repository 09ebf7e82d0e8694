"""One step of training and one of evaluation, right for the global batch whatever the number of replicas.

Each replica sums over its share and nothing is averaged per replica, so uneven shares weigh as they should.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from zoo.recipe import Recipe

Step = Callable[..., tuple[Any, Any]]


def training_step(model: Any, optimizer: Any, strategy: Any, recipe: Recipe) -> Step:
    """A compiled function that measures a batch.

    From a distributed (images, labels) to (sum of losses, number correct).
    """

    def on_replica(images: Any, labels: Any) -> tuple[Any, Any]:
        trained = [variable.value for variable in model.trainable_variables]
        # Keras (3.15) leaves TensorFlow's variables of a frozen layer trainable: a tape would watch them all.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            logits = model(images, training=not recipe.freeze)
            losses = cross_entropy(labels, logits, recipe.label_smoothing)
            loss = tf.reduce_sum(losses) / recipe.batch_size
        gradients = tape.gradient(loss, trained)
        if recipe.optimizer.clip_norm:
            gradients = clipped(gradients, recipe.optimizer.clip_norm)
        optimizer.apply(gradients, model.trainable_variables)
        return tf.reduce_sum(losses), correct(labels, logits)

    @tf.function
    def step(images: Any, labels: Any) -> tuple[Any, Any]:
        losses, hits = strategy.run(on_replica, (images, labels))
        return strategy.reduce("SUM", losses, axis=None), strategy.reduce("SUM", hits, axis=None)

    return step


def evaluation_step(model: Any, strategy: Any) -> Step:
    """A compiled function of a distributed (images,

    labels, weights): (weighted sum of losses, weighted number correct).
    """

    def on_replica(images: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
        logits = model(images, training=False)
        losses = cross_entropy(labels, logits)
        return tf.reduce_sum(tf.cast(weights, losses.dtype) * losses), correct(labels, logits, weights)

    @tf.function
    def step(images: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
        losses, hits = strategy.run(on_replica, (images, labels, weights))
        return strategy.reduce("SUM", losses, axis=None), strategy.reduce("SUM", hits, axis=None)

    return step


def cross_entropy(labels: Any, logits: Any, smoothing: float = 0.0) -> Any:
    """float32 [batch]: the cross-entropy of each image; `smoothing` of the target is spread over all classes."""
    targets = tf.one_hot(labels, logits.shape[-1])
    return keras.losses.categorical_crossentropy(targets, logits, from_logits=True, label_smoothing=smoothing)


def correct(labels: Any, logits: Any, weights: Any = 1.0) -> Any:
    """The number of images whose largest logit is that of their label, each counted `weights` times."""
    return tf.reduce_sum(weights * tf.cast(tf.argmax(logits, -1) == labels, tf.float32))


def clipped(gradients: list[Any], norm: float) -> list[Any]:
    """The replica's gradients, scaled so that their sum over all replicas has at most this global norm."""
    context = tf.distribute.get_replica_context()
    summed = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    scale = norm / tf.maximum(tf.linalg.global_norm(summed), norm)
    return [gradient * scale for gradient in gradients]
