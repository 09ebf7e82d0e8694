"""MixUp and CutMix: each pair of examples of a batch becomes two new ones, whose targets are shares of both classes.

MixUp (Zhang et al. 2017, arXiv:1710.09412) adds up shares of two inputs. CutMix (Yun et al. 2019, arXiv:1905.04899)
exchanges a rectangle of two images. Where a recipe has both, each pair draws one of them.

Neighbors within a batch are a pair: its first and second example, its third and fourth, and so on. So a batch is mixed
in the same way on any number of workers, if the share of each is even.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.share import WHOLE, Share
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.input import Input
    from zoo.recipe import Recipe
    from zoo.task import Task

MIXUP, CUTMIX = "mixup", "cutmix"
"""The keys of a recipe."""

STREAM = 1
"""A part of the seed, after the recipe's seed and the epoch, so that the draws differ from those of the input."""

DRAWS = 4
"""The number of draws for a pair: the share of its first example, the center of a rectangle (two), MixUp or CutMix."""


def asked(recipe: Recipe) -> list[str]:
    """Return the keys of a recipe that mix examples."""
    return [key for key in (MIXUP, CUTMIX) if getattr(recipe, key) > 0]


def check(recipe: Recipe, kind: Input, task: Task, share: Share) -> None:
    """Check that the batches of a recipe can be mixed as it asks.

    Raises:
        ZooError: inputs of this kind, targets of this task, or shares of a batch cannot be mixed.
    """
    for key in asked(recipe):
        if key not in kind.mixed_by:
            raise ZooError(f"{key} does not mix {kind.plural}: --set {key}=0")
        if not task.shares:
            raise ZooError(f"{key} mixes classes, and the task is {task.words}: --set {key}=0")
        size = share.size(recipe.batch_size)
        if size % 2:
            raise ZooError(
                f"{key} mixes pairs, but a batch{' of each worker' * (share.count > 1)} has an odd number of examples, "
                f"{size}: --set batch_size to a multiple of {2 * share.count}"
            )


def draws(recipe: Recipe, epoch: int, steps: int, share: Share = WHOLE) -> np.ndarray:
    """Draw the mixing of each pair of an epoch that is in the share, float32 [steps, pairs of a batch, DRAWS]."""
    pairs = recipe.batch_size // 2
    count = steps * pairs
    generator = np.random.default_rng((recipe.seed, epoch, STREAM))
    numbers = generator.random((count, DRAWS), np.float32)
    cuts = (numbers[:, 3] < 0.5) if recipe.mixup and recipe.cutmix else np.full(count, recipe.cutmix > 0)
    for alpha, rows in ((recipe.mixup, ~cuts), (recipe.cutmix, cuts)):
        if alpha:
            numbers[rows, 0] = generator.beta(alpha, alpha, rows.sum())
    numbers[:, 3] = cuts
    return share.of(numbers, pairs).reshape(steps, -1, DRAWS)


def mixed(inputs: Mapping[str, Any], targets: Any, labels: int, drawn: Any) -> tuple[dict[str, Any], Any]:
    """Mix the pairs of a batch.

    Args:
        inputs: the one network input by its name, float32 [batch, …]; images are [batch, height, width, channels].
        targets: classes, int64 [batch].
        labels: the number of classes.
        drawn: the `draws` of the step, float32 [batch / 2, DRAWS].

    Returns:
        The inputs, and the share of each class in each example, float32 [batch, labels].
    """
    import tensorflow as tf

    ((name, values),) = inputs.items()
    kept = drawn[:, 0]
    weights = tf.reshape(kept, [-1, *[1] * (len(values.shape) - 1)])
    if len(values.shape) == 4:
        cuts = drawn[:, 3] > 0
        outside = _outside(values.shape[1], values.shape[2], 1 - kept, drawn[:, 1:3])
        kept = tf.where(cuts, tf.reduce_mean(outside, [1, 2, 3]), kept)
        weights = tf.where(cuts[:, None, None, None], outside, weights)
    return {name: _exchanged(values, weights)}, _exchanged(tf.one_hot(targets, labels), kept[:, None])


def _exchanged(values: Any, weights: Any) -> Any:
    """Mix each example, [batch, …], with the other one of its pair: it keeps `weights`, the other fills the rest.

    `weights` are the weights of pairs, float32 [batch / 2, …].
    """
    import tensorflow as tf

    shape = tf.shape(values)
    pairs = tf.reshape(values, tf.concat([[-1, 2], shape[1:]], 0))
    weights = weights[:, None]
    blended = weights * pairs + (1 - weights) * tf.reverse(pairs, [1])
    return tf.ensure_shape(tf.reshape(blended, shape), values.shape)


def _outside(height: int, width: int, areas: Any, centers: Any) -> Any:
    """Return 0 in a rectangle of images and 1 elsewhere, float32 [pairs, height, width, 1].

    `areas`, float32 [pairs], are shares of the image's area; a rectangle has the image's aspect ratio. `centers`,
    float32 [pairs, 2] in [0, 1), are rows and columns as shares of the sides. Rectangles are cut off at the border.
    """
    import tensorflow as tf

    def inside(size: int, center: Any) -> Any:
        half = tf.sqrt(areas) * size / 2
        first, last = (tf.round(center * size + sign * half)[:, None] for sign in (-1, 1))
        numbers = tf.range(size, dtype=tf.float32)
        return tf.cast((numbers >= first) & (numbers < last), tf.float32)

    rows, columns = inside(height, centers[:, 0]), inside(width, centers[:, 1])
    return 1 - rows[:, :, None, None] * columns[:, None, :, None]
