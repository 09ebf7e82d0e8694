"""The line that a training prints for each epoch."""

from __future__ import annotations

from zoo.training.progress import summary


def test_the_loss_stands_first() -> None:
    figures = {"accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.4, "val_loss": 2.0}
    said = summary(1, 2, {**figures, "examples_per_second": 9.0, "seconds": 3.0})
    assert said == "epoch 1/2  loss 1.0000  accuracy 0.5000  val_loss 2.0000  val_accuracy 0.4000  9 examples/s  3 s"
