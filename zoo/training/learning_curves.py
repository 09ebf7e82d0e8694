"""A drawing of how training went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo import drawing


def draw(path: Path, history: Sequence[dict[str, float]], title: str, say: Callable[[str], None]) -> None:
    """Loss and accuracy over the epochs, on training and validation images, as PNG; `say` is told where it fails."""
    epochs = range(1, len(history) + 1)

    def paint(figure: Any) -> None:
        for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for key, label in ((metric, "training"), (f"val_{metric}", "validation")):
                axes.plot(epochs, [row[key] for row in history], marker="." if len(history) < 20 else "", label=label)
            axes.set(xlabel="epoch", ylabel=metric)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
            axes.legend()
        figure.suptitle(drawing.short(title))

    drawing.draw(path, paint, inches=(9, 3.6), dpi=120, say=say)
