"""A trace of some steps for TensorBoard's profiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo.text import Say

WARMUP = 2
"""The number of steps before the trace: the first one is compiled, and both allocate memory."""


class Profile(keras.callbacks.Callback):
    """Writes a trace of some steps, of one epoch at most, to the folder of TensorBoard's logs.

    It has no method for the end of a batch, because every step would then wait for the host.

    Args:
        folder: the folder of TensorBoard's logs.
        steps: the number of steps to trace, after the warm-up.
        say: called with the folder of the trace, or the reason why there is none.
    """

    def __init__(self, folder: Path, steps: int, say: Say) -> None:
        super().__init__()
        self._folder, self._steps, self._say = folder, steps, say
        self._begun = self._traced = 0
        self._step: Any = None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Begin or end the trace, or mark the next step in it."""
        self._end_step()
        if self._begun == WARMUP:
            tf.test.experimental.sync_devices()
            tf.profiler.experimental.start(str(self._folder))
        if WARMUP <= self._begun < WARMUP + self._steps:
            self._step = tf.profiler.experimental.Trace("train", step_num=batch, _r=1)
            self._step.__enter__()
            self._traced += 1
        elif self._begun == WARMUP + self._steps:
            self._finish()
        self._begun += 1

    def on_test_begin(self, logs: Any = None) -> None:
        """End the trace with the epoch."""
        self._end_step()
        if WARMUP < self._begun <= WARMUP + self._steps:
            self._finish()
            self._begun = WARMUP + self._steps + 1

    def on_train_end(self, logs: Any = None) -> None:
        """End the trace of a training that ends within an epoch."""
        self.on_test_begin()
        if not self._traced:
            self._say(f"there is no trace: the training ended within {WARMUP} steps")

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.__exit__(None, None, None)
            self._step = None

    def _finish(self) -> None:
        tf.test.experimental.sync_devices()
        tf.profiler.experimental.stop()
        self._say(f"a trace of {self._traced} steps is in {self._folder}: tensorboard --logdir {self._folder}")
