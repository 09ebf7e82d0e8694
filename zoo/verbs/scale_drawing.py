"""The drawing of `zoo scale`: error against multiply-adds, both logarithmic, with the power law and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import drawing
from zoo.power_law import Fit
from zoo.text import Say


def draw(path: Path, rows: Sequence[Mapping[str, Any]], found: Fit | None, title: str, say: Say) -> None:
    """Draw the networks and their law, up to twice the largest cost; call `say` if that fails."""
    costs = [row["multiply_adds"] / 1e6 for row in rows]
    least = 0.5 / rows[0]["test_examples"]

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        drawing.logarithmic(axes)
        axes.set(xlabel="multiply-adds of one example (millions)", ylabel="error on the test examples")
        if found:
            law = found.law
            floor = f" + {law.floor:.3g}" if law.floor else ""
            low, high = found.exponent
            label = f"C^-b{floor}, b = {law.exponent:.2f} ({low:.2f} to {high:.2f})".replace("-0.00", "0.00")
            axes.fill_between(found.costs / 1e6, found.low, found.high, alpha=0.2, linewidth=0)
            axes.plot(found.costs / 1e6, law.error(found.costs), label=label)
        for row, cost in zip(rows, costs, strict=True):
            error = row["error"] or least
            # The interval of the score, turned into one of the error.
            spans = [max(0.0, row["score_high"] - row["score"]), max(0.0, row["score"] - row["score_low"])]
            below = min(spans[0], max(error - least / 2, error / 2))
            axes.errorbar(cost, error, yerr=[[below], [spans[1]]], fmt="o", color="black", capsize=2)
            axes.annotate(row["name"], (cost, error), xytext=(5, 5), textcoords="offset points", fontsize=8)
        axes.grid(alpha=0.3, which="both")
        if found:
            axes.legend()
        figure.suptitle(drawing.short(title))

    drawing.draw(path, paint, inches=(6.5, 4.5), dpi=120, say=say)
