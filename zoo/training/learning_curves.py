"""Learning curves: the metrics of each epoch, drawn as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import drawing
from zoo.text import Say


def draw(path: Path, history: Sequence[dict[str, float]], titles: Mapping[str, str], title: str, say: Say) -> None:
    """Draw metrics over the epochs, of training and validation examples; call `say` if that fails.

    `titles` are the titles of the axes by metric.
    """
    epochs = range(1, len(history) + 1)

    def paint(figure: Any) -> None:
        for axes, metric in zip(figure.subplots(1, len(titles), squeeze=False)[0], titles, strict=True):
            for key, label in ((metric, "training"), (f"val_{metric}", "validation")):
                axes.plot(epochs, [row[key] for row in history], marker="." if len(history) < 20 else "", label=label)
            axes.set(xlabel="epoch", ylabel=titles[metric])
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
            axes.legend()
        figure.suptitle(drawing.short(title))

    drawing.draw(path, paint, inches=(min(30.0, 4.5 * len(titles)), 3.6), dpi=120, say=say)
