"""Learning curves: loss and accuracy of each epoch, drawn as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import drawing
from zoo.text import Say

TITLES = {"loss": "cross-entropy", "accuracy": "accuracy"}
"""The metrics that are drawn, and the titles of their axes."""


def draw(path: Path, history: Sequence[dict[str, float]], title: str, say: Say) -> None:
    """Draw loss and accuracy over the epochs, of training and validation images; `say` is told where that fails."""
    epochs = range(1, len(history) + 1)

    def paint(figure: Any) -> None:
        for axes, metric in zip(figure.subplots(1, 2), TITLES, strict=True):
            for key, label in ((metric, "training"), (f"val_{metric}", "validation")):
                axes.plot(epochs, [row[key] for row in history], marker="." if len(history) < 20 else "", label=label)
            axes.set(xlabel="epoch", ylabel=TITLES[metric])
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
            axes.legend()
        figure.suptitle(drawing.short(title))

    drawing.draw(path, paint, inches=(9, 3.6), dpi=120, say=say)
