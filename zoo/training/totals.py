"""Sums over the steps of an epoch, kept on a device, so that a step adds to them without waiting for the host."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import tensorflow as tf

from zoo.training.steps import Step
from zoo.training.team import Within

LOSS = "loss"
"""The name of the sum that every task has."""


class Totals:
    """A step with the totals of its sums by name, in float64: float32 would stop counting at 16,777,216 examples.

    Args:
        step: the step.
        device: the device that holds the totals, which should be the device of the step's results.
        within: entered around each step, in which workers wait for each other.
    """

    def __init__(self, step: Step, device: str, within: Within = nullcontext) -> None:
        self._device, self._within = device, within
        self._sums: dict[str, tf.Variable] = {}
        self._finite_steps = self._variable(tf.int64)

        def add(*batch: Any) -> dict[str, Any]:
            for name, value in step(*batch).items():
                self._sum(name).assign_add(tf.cast(value, tf.float64))
            self._finite_steps.assign_add(tf.cast(tf.math.is_finite(self._sum(LOSS)), tf.int64))
            return {}

        self._add = Step(add)

    def prepare(self, batches: Any) -> None:
        """Compile the step for batches of all lengths, see `Step.prepare`."""
        self._add.prepare(batches)

    def add(self, *batch: Any) -> None:
        """Run the step and add its sums; only `read` waits for the results."""
        with self._within():
            self._add(*batch)

    def read(self) -> dict[str, float]:
        """Wait for all steps so far, and return the sums."""
        with tf.device(self._device):
            together = tf.stack([*self._sums.values()])
        return dict(zip(self._sums, together.numpy().tolist(), strict=True))

    def set(self, sums: Mapping[str, float], steps: int) -> None:
        """Start from the sums of `steps` earlier steps; sums that are not named start at 0."""
        for name in {*self._sums, *sums}:
            self._sum(name).assign(sums.get(name, 0.0))
        self._finite_steps.assign(steps)

    def finite_steps(self) -> int:
        """Return the number of steps before the first one whose loss was not finite; all steps if there is none."""
        return int(self._finite_steps.numpy())

    def _sum(self, name: str) -> tf.Variable:
        if name not in self._sums:
            # The names become known while the first step is traced; the variables must be made outside of that graph.
            with tf.init_scope():
                self._sums[name] = self._variable(tf.float64)
        return self._sums[name]

    def _variable(self, dtype: tf.DType) -> tf.Variable:
        with tf.device(self._device):
            return tf.Variable(0, dtype=dtype, trainable=False)
