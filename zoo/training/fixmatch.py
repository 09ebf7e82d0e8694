"""FixMatch: training on unlabeled examples in addition to labeled ones (Sohn et al. 2020, arXiv:2001.07685).

Each labeled example comes with pairs of views of unlabeled examples, the first view weakly augmented and the second
strongly. If the network is sure of the class of the first view, this class is the label of the second view.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from zoo.recipe import FixMatch

Losses = Callable[..., Any]


def labeled(logits: Any) -> Any:
    """Return the logits of the labeled examples, [batch, classes], from those of all views, [batch, views, classes]."""
    return logits[:, 0]


def with_unlabeled(losses: Losses, settings: FixMatch) -> Losses:
    """Return a function that adds the loss of the pairs to the loss of each labeled example.

    `losses` computes the losses of the labeled examples. The function takes the logits of the labeled example, then of
    both views of each pair.
    """

    def losses_with_pairs(targets: Any, logits: Any, *others: Any) -> Any:
        each = losses(targets, labeled(logits), *others)
        return each + settings.weight * tf.cast(pair_losses(logits[:, 1:], settings), each.dtype)

    return losses_with_pairs


def pair_losses(logits: Any, settings: FixMatch) -> Any:
    """Return the mean cross-entropy of the pairs, float32 [batch]; a pair below the threshold counts as 0.

    `logits` are [batch, 2 · ratio, classes]; the views of a pair are neighbors.
    """
    classes = logits.shape[-1]
    pairs = tf.reshape(tf.cast(logits, tf.float32), [-1, settings.ratio, 2, classes])
    weak, strong = tf.unstack(pairs, axis=2)
    sure = tf.stop_gradient(tf.nn.softmax(weak))
    counts = tf.cast(tf.reduce_max(sure, -1) >= settings.threshold, tf.float32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.argmax(sure, -1), strong)
    return tf.reduce_mean(counts * losses, -1)
