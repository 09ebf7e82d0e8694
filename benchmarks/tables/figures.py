"""Helpers of the tables: the results that they read, numbers as text, and Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from zoo.registry import matching

ROOT = Path(__file__).parent.parent.parent


def results(name: str) -> dict[str, Any]:
    """The document `results/NAME.json`: `provenance` and the figures."""
    return dict(json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8")))


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and whose other columns are figures."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def short(value: float) -> str:
    """Three significant digits, or all digits before the decimal point."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def percent(share: float) -> str:
    """A share of 1 as a percentage."""
    return f"{100 * share:.2f} %"


def counted(count: int) -> str:
    """A count with two or three digits and its unit."""
    for unit, name in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return str(count)


def measured_on(result: dict[str, Any]) -> str:
    """The machine and the runtime of a result, as a phrase."""
    made = result["provenance"]
    return f"{made['machine']['processor']}, onnxruntime {made['versions']['onnxruntime']}"


def networks() -> Iterator[tuple[str, str, int]]:
    """Each network of images that publishers have: its key `FAMILY-SIZE`, its first alias, and its parameters."""
    for family, size in matching():
        if family.input == "image" and family.name != "cnn":
            yield f"{family.name}-{size.name}", size.aliases[0], size.parameters
