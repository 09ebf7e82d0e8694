"""The history of a study: the value of each trial, and the best so far, drawn as PNG."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import drawing
from zoo.text import Say
from zoo.tuning.study import Trial


def draw(path: Path, trials: Sequence[Trial], metric: str, higher_is_better: bool, title: str, say: Say) -> None:
    """Draw the trials that have a value; call `say` if that fails."""
    valued = [(trial.place, trial.value) for trial in trials if trial.value is not None]
    places = [place for place, _ in valued]
    values = [value for _, value in valued]
    best = list(itertools.accumulate(values, max if higher_is_better else min))

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(places, values, ".", label="trial")
        axes.step(places, best, where="post", label="best so far")
        if places and places[0] == 0:
            axes.axhline(values[0], linestyle=":", color="gray", label="unchanged recipe")
        axes.set(xlabel="trial", ylabel=metric)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
        figure.suptitle(drawing.short(title))

    drawing.draw(path, paint, inches=(6, 3.6), dpi=120, say=say)
