"""Progress of a training: a line for each finished epoch, and the number of finished steps for a progress bar."""

from __future__ import annotations

import time

import keras

from zoo.text import Progress, Say


def summary(epoch: int, epochs: int, logs: dict[str, float]) -> str:
    """One line about a finished epoch; `epoch` counts from 1."""
    metrics = [name for name in logs if f"val_{name}" in logs]
    figures = "  ".join(f"{name} {figure(logs[name])}" for name in (*metrics, *(f"val_{name}" for name in metrics)))
    speed = f"{logs['examples_per_second']:.0f} examples/s  {logs['seconds']:.0f} s"
    return f"epoch {epoch}/{epochs}  {figures}  {speed}"


def figure(value: float) -> str:
    """Return a figure with four decimals, or with three digits where those would be lost."""
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.001 else f"{value:.2e}"


class Reporter(keras.callbacks.Callback):
    """Tells `say` of each epoch and `progress` of each step.

    Args:
        epochs: of the whole training.
        steps: in an epoch.
        batch_size: examples in a step.
        say: given the line of each finished epoch.
        progress: given the steps done and to do, with speed and loss.
    """

    def __init__(self, epochs: int, steps: int, batch_size: int, say: Say, progress: Progress) -> None:
        super().__init__()
        self.epochs, self.steps, self.batch_size = epochs, steps, batch_size
        self.say, self.progress = say, progress
        self.epoch, self.start = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock of an epoch; Keras counts epochs from 0."""
        self.epoch, self.start = epoch, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Report one more step."""
        speed = (batch + 1) * self.batch_size / (time.perf_counter() - self.start)
        line = f"epoch {self.epoch + 1}/{self.epochs}  {speed:.0f} examples/s  loss {(logs or {})['loss']:.4f}"
        self.progress(self.epoch * self.steps + batch + 1, self.epochs * self.steps, line)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report one more epoch."""
        self.say(summary(epoch + 1, self.epochs, logs or {}))
