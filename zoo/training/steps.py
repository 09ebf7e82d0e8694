"""One step of training and one of evaluation, with the same result for any number of replicas.

Each replica sums over its share of the batch. Nothing is averaged per replica, so uneven shares weigh as they should.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from zoo.recipe import Recipe

Step = Callable[..., tuple[Any, Any]]
"""A compiled function from a distributed batch to the sum of losses and the number of correct images."""


def training_step(model: Any, optimizer: Any, strategy: Any, recipe: Recipe) -> Step:
    """Compile a function that trains on a batch.

    It takes distributed images and labels, and returns the sum of the images' cross-entropies and the number of images
    that were labeled correctly, both before the update. The cross-entropies are without label smoothing, like those of
    `evaluation_step`, so that training and validation loss can be compared.
    """

    def on_replica(images: Any, labels: Any) -> tuple[Any, Any]:
        trained = [variable.value for variable in model.trainable_variables]
        # Keras 3.15 leaves the TensorFlow variables of a frozen layer trainable: a tape would watch them, too.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            logits = model(images, training=not recipe.freeze)
            smoothed = cross_entropy(labels, logits, recipe.label_smoothing)
            loss = tf.reduce_sum(smoothed) / recipe.batch_size
        gradients = tape.gradient(loss, trained)
        if recipe.optimizer.clip_norm:
            gradients = clipped(gradients, recipe.optimizer.clip_norm)
        optimizer.apply(gradients, model.trainable_variables)
        return tf.reduce_sum(cross_entropy(labels, logits)), correct(labels, logits)

    @tf.function
    def step(images: Any, labels: Any) -> tuple[Any, Any]:
        losses, hits = strategy.run(on_replica, (images, labels))
        return strategy.reduce("SUM", losses, axis=None), strategy.reduce("SUM", hits, axis=None)

    return step


def evaluation_step(model: Any, strategy: Any) -> Step:
    """Compile a function that measures a batch.

    It takes distributed images, labels and weights, and returns the weighted sum of the images' cross-entropies and the
    weighted number of images that were labeled correctly. Images that only fill up the last batch have weight 0.
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
    """Return the cross-entropy of each image, float32 [batch]; `smoothing` of the target is spread over all classes."""
    targets = tf.one_hot(labels, logits.shape[-1])
    return keras.losses.categorical_crossentropy(targets, logits, from_logits=True, label_smoothing=smoothing)


def correct(labels: Any, logits: Any, weights: Any = 1.0) -> Any:
    """Count the images whose largest logit is that of their label, each with its weight."""
    return tf.reduce_sum(weights * tf.cast(tf.argmax(logits, -1) == labels, tf.float32))


def clipped(gradients: list[Any], norm: float) -> list[Any]:
    """Scale a replica's gradients so that their sum over all replicas has at most this global norm."""
    context = tf.distribute.get_replica_context()
    summed = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    scale = norm / tf.maximum(tf.linalg.global_norm(summed), norm)
    return [gradient * scale for gradient in gradients]
