"""Steps whose loss or gradients are not finite: they change nothing on any replica, and are counted.

In float16, such steps are normal: gradients below the smallest float16 would vanish, so the loss is multiplied by a
scale, which is lowered when a gradient overflows, and raised from time to time.

Keras' LossScaleOptimizer (3.15) checks the gradients of one replica only, before they are summed over replicas: an
overflow on another replica would reach the weights of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from zoo.errors import ZooError
from zoo.recipe import Recipe
from zoo.training.checkpoint import State

LEFT_OUT = "left_out_steps"
"""The name of the sum that counts the steps that were left out."""

STEPS_BETWEEN_RISES = 2000
"""The number of steps without overflow after which the scale doubles (Micikevicius et al. 2018, arXiv:1710.03740)."""


class LossScale:
    """The factor of a loss in float16, which keeps small gradients from vanishing.

    Its variables belong to the optimizer, so that every checkpoint contains them.
    """

    INITIAL, LEAST = 2.0**15, 1.0

    def __init__(self, optimizer: Any) -> None:
        self.scale = optimizer.add_variable((), name="loss_scale")
        self._good_steps = optimizer.add_variable((), dtype="int32", name="good_steps")
        self.reset()

    def reset(self) -> None:
        """Set the scale to its initial value."""
        self.scale.assign(self.INITIAL)
        self._good_steps.assign(0)

    def exhausted(self) -> Any:
        """Return whether the scale cannot be lowered further: an overflow is then not due to the scale."""
        return self.scale.value <= self.LEAST

    def adjust(self, good: Any) -> None:
        """Halve the scale after a step that was not finite; double it after many finite ones."""
        scale, steps = tf.convert_to_tensor(self.scale.value), tf.convert_to_tensor(self._good_steps.value) + 1
        rises = steps >= STEPS_BETWEEN_RISES
        lower = tf.maximum(scale / 2, self.LEAST)
        self.scale.value.assign(tf.where(good, tf.where(rises, scale * 2, scale), lower))
        self._good_steps.value.assign(tf.where(good & ~rises, steps, 0))


def watched(recipe: Recipe) -> bool:
    """Return whether training with a recipe can leave out steps."""
    return recipe.on_nan == "skip" or recipe.precision == "float16"


def all_or_none(
    strategy: Any,
    model: Any,
    skip: bool,
    scale: LossScale | None,
    compute: Callable[..., tuple[dict[str, Any], list[Any]]],
    update: Callable[[list[Any]], None],
    follow: Callable[[], None],
    summed: Callable[[Any, dict[str, Any]], dict[str, Any]],
) -> Callable[..., dict[str, Any]]:
    """Return a step that updates all replicas if the loss and the gradients are finite on every replica.

    Otherwise, the weights, their moving average, the statistics of normalization and the state of the optimizer stay
    unchanged.

    Args:
        strategy: the strategy of the training.
        model: the network.
        skip: whether to count a step that is not finite and continue; otherwise, its loss becomes NaN, unless a lower
            scale may help.
        scale: the scale of the loss in float16; None in other precisions.
        compute: takes a replica's part of a batch; returns the sums of the task and the gradients of the scaled loss.
        update: applies a replica's gradients.
        follow: called in cross-replica context after an update.
        summed: adds up the sums of all replicas.
    """
    statistics = [variable for variable in model.non_trainable_weights if tf.as_dtype(variable.dtype).is_floating]

    def compute_and_check(*batch: Any) -> tuple[Any, ...]:
        saved = [tf.identity(variable.value) for variable in statistics]
        sums, gradients = compute(*batch)
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        if scale:
            gradients = [gradient / tf.cast(scale.scale.value, gradient.dtype) for gradient in gradients]
        finite = [tf.reduce_all(tf.math.is_finite(value)) for value in (sums["loss"], *gradients)]
        return sums, gradients, saved, tf.cast(~tf.reduce_all(tf.stack(finite)), tf.int32)

    def put_back(saved: list[Any]) -> None:
        for variable, value in zip(statistics, saved, strict=True):
            variable.assign(value)

    def step(*batch: Any) -> dict[str, Any]:
        sums, gradients, saved, bad = strategy.run(compute_and_check, batch)
        totals = summed(strategy, {**sums, LEFT_OUT: bad})
        good = totals[LEFT_OUT] == 0

        # The condition is outside of the replicas: within a branch, a replica could not wait for the others.
        def take() -> Any:
            strategy.run(update, (gradients,))
            follow()
            return tf.constant(0)

        def leave() -> Any:
            strategy.run(put_back, (saved,))
            return tf.constant(0)

        tf.cond(good, take, leave)
        hopeless = tf.constant(not skip)
        if scale:
            hopeless &= ~tf.math.is_finite(totals["loss"]) | scale.exhausted()
            scale.adjust(good)
        replacement = tf.where(hopeless, tf.constant(float("nan"), tf.float64), 0.0)
        return {
            **{name: tf.where(good, value, tf.cast(replacement, value.dtype)) for name, value in totals.items()},
            LEFT_OUT: tf.cast(~good & ~hopeless, tf.int32),
        }

    return step


def trained(sums: Mapping[str, float], steps: int) -> int:
    """Return how many of `steps` steps were not left out."""
    return steps - round(sums.get(LEFT_OUT, 0))


def counted(sums: Mapping[str, float]) -> dict[str, int]:
    """Return the number of steps that were left out, by its name; an empty dictionary if it was not counted."""
    return {LEFT_OUT: round(sums[LEFT_OUT])} if LEFT_OUT in sums else {}


def counted_in_all(history: Sequence[Mapping[str, float]]) -> dict[str, int]:
    """Return the number of steps that were left out over all epochs, in the same form as `counted`."""
    rows = [row[LEFT_OUT] for row in history if LEFT_OUT in row]
    return counted({LEFT_OUT: sum(rows)}) if rows else {}


def refuse_none(state: State) -> None:
    """Raise ZooError if all steps of an epoch were left out: training further would not help."""
    if not trained(state.sums, state.steps_done):
        raise ZooError(
            f"no step of epoch {state.epochs_done + 1} had a finite loss and finite gradients: "
            "lower optimizer.lr, or --set optimizer.clip_norm=1"
        )
