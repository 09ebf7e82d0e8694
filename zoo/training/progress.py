"""Progress of a training: a line for each finished epoch, and the number of finished steps for a progress bar."""

from __future__ import annotations

import keras

from zoo.text import Progress, Say
from zoo.training.bad_steps import LEFT_OUT
from zoo.training.checkpoint import State
from zoo.training.totals import LOSS


def summary(epoch: int, epochs: int, logs: dict[str, float]) -> str:
    """Return a line about a finished epoch, its loss first; `epoch` counts from 1."""
    # Keras 3.15 sorts the logs alphabetically.
    metrics = sorted((name for name in logs if f"val_{name}" in logs), key=lambda name: name != LOSS)
    figures = "  ".join(f"{name} {figure(logs[name])}" for name in (*metrics, *(f"val_{name}" for name in metrics)))
    speed = f"{logs['examples_per_second']:.0f} examples/s  {logs['seconds']:.0f} s"
    left_out = f"  {logs[LEFT_OUT]:.0f} steps left out" if logs.get(LEFT_OUT) else ""
    return f"epoch {epoch}/{epochs}  {figures}  {speed}{left_out}"


def figure(value: float) -> str:
    """Return a figure with four decimals, or with three significant digits if it is below 0.001."""
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.001 else f"{value:.2e}"


class Reporter(keras.callbacks.Callback):
    """Reports epochs to `say` and steps to `progress`.

    Args:
        epochs: the epochs of the whole training.
        steps: the steps of an epoch.
        batch_size: the examples in a step.
        say: called with a line about each finished epoch.
        progress: called with the steps done, all steps, and a line with speed and loss.
    """

    def __init__(self, epochs: int, steps: int, batch_size: int, say: Say, progress: Progress) -> None:
        super().__init__()
        self.epochs, self.steps, self.batch_size = epochs, steps, batch_size
        self.say, self.progress = say, progress

    def report(self, state: State, loss: float) -> None:
        """Report the number of steps so far, the speed, and the mean loss of the epoch's steps."""
        speed = state.steps_done * self.batch_size / state.seconds
        line = f"epoch {state.epochs_done + 1}/{self.epochs}  {speed:.0f} examples/s  loss {loss:.4f}"
        self.progress(state.epochs_done * self.steps + state.steps_done, self.epochs * self.steps, line)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report one more epoch."""
        self.say(summary(epoch + 1, self.epochs, logs or {}))
