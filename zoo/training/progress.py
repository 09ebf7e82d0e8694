"""What people see while a network trains: a bar on a terminal, a line an epoch elsewhere. Both are Keras callbacks."""

from __future__ import annotations

import sys
import time
from typing import Any

import keras


def progress(epochs: int, epochs_done: int, steps: int, batch_size: int) -> Any:
    """The callback that suits standard error."""
    return (Bar if sys.stderr.isatty() else Lines)(epochs, epochs_done, steps, batch_size)


def summary(epoch: int, epochs: int, logs: dict[str, float]) -> str:
    """An epoch in one line."""
    return (
        f"epoch {epoch}/{epochs}  loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.4f}  "
        f"val_loss {logs['val_loss']:.4f}  val_accuracy {logs['val_accuracy']:.4f}  "
        f"{logs['images_per_second']:.0f} images/s  {logs['seconds']:.0f} s"
    )


class Lines(keras.callbacks.Callback):
    """A plain line an epoch."""

    def __init__(self, epochs: int, epochs_done: int, steps: int, batch_size: int) -> None:
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Print the epoch's figures."""
        print(summary(epoch + 1, self.epochs, logs or {}), file=sys.stderr, flush=True)


class Bar(keras.callbacks.Callback):
    """A bar over the whole run with images/s and the time left, and a line above it for each epoch that is done."""

    def __init__(self, epochs: int, epochs_done: int, steps: int, batch_size: int) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs, self.batch_size = epochs, batch_size
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]:.0f} images/s  loss {task.fields[loss]:.4f}  left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.task = self.bar.add_task(
            "train",
            total=epochs * steps,
            completed=epochs_done * steps,
            epoch=f"{epochs_done + 1}/{epochs}",
            speed=0.0,
            loss=0.0,
        )
        self.start = time.perf_counter()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Show the bar."""
        self.bar.start()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Take it away."""
        self.bar.stop()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Count epochs from 1."""
        self.start = time.perf_counter()
        self.bar.update(self.task, epoch=f"{epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """One step further."""
        speed = (batch + 1) * self.batch_size / (time.perf_counter() - self.start)
        self.bar.update(self.task, advance=1, speed=speed, loss=(logs or {})["loss"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Leave the epoch's line above the bar."""
        self.bar.console.print(summary(epoch + 1, self.epochs, logs or {}), highlight=False)
