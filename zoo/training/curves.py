"""A picture of how training went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo import files


def draw(path: Path, history: Sequence[dict[str, float]], title: str) -> None:
    """Loss and accuracy over the epochs, on training and validation pictures, as PNG."""
    from matplotlib.figure import Figure

    epochs = range(1, len(history) + 1)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label in ((metric, "training"), (f"val_{metric}", "validation")):
            axes.plot(epochs, [row[key] for row in history], marker="." if len(history) < 20 else "", label=label)
        axes.set(xlabel="epoch", ylabel=metric)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    with files.staged_file(path) as staging:
        figure.savefig(staging, dpi=120)
