"""Drawings for people, as PNG. The only module that imports matplotlib.

A drawing is the same whatever a matplotlibrc, MPLBACKEND or a notebook sets. Names in it are text, never formulas. An
error in drawing does not stop the caller.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zoo import files
from zoo.errors import class_and_message

SETTINGS: dict[str, Any] = {
    "text.parse_math": False,  # a name may contain a dollar sign
    "text.usetex": False,
}

FONTS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Droid Sans Fallback",
    "WenQuanYi Micro Hei",
    "IPAGothic",
    "Unifont",
    "Arial Unicode MS",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Nirmala UI",
    "Segoe UI Emoji",
)
"""Fonts, in the order in which a character is looked up. The first comes with matplotlib; the others are optional."""

LONGEST = 60
"""The largest number of characters of a name in a drawing."""


def draw(
    target: Path, paint: Callable[[Any], None], *, inches: tuple[float, float], dpi: int, say: Callable[[str], None]
) -> None:
    """Write a PNG, whole or not at all. If that fails, call `say` with one line and write nothing.

    Args:
        target: the file.
        paint: draws on the `matplotlib.figure.Figure` that it is given.
        inches: the width and height of the figure.
        dpi: pixels per inch.
        say: called with the line.
    """
    try:
        with _own_settings():
            from matplotlib.figure import Figure

            figure = Figure(figsize=inches, layout="constrained")
            paint(figure)
            with files.staged_file(target) as staging:
                figure.savefig(staging, dpi=dpi, format="png")
    except Exception as error:  # matplotlib raises many kinds, and none may stop the caller
        reason = class_and_message(error)
        say(f"{target.name} is left out, because it could not be drawn ({reason})")


def logarithmic(axes: Any) -> None:
    """Make both axes logarithmic, labeled at 1, 2 and 5; matplotlib's own labels are formulas, which are turned off."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def short(name: str) -> str:
    """Cut a name to `LONGEST` characters."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


@contextlib.contextmanager
def _own_settings() -> Iterator[None]:
    """Give matplotlib its defaults and `SETTINGS`, and silence it, while the block lasts."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        matplotlib = _matplotlib()
        from matplotlib import font_manager

        installed = set(font_manager.get_font_names())
        fonts = [font for font in FONTS if font in installed]
        with matplotlib.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matplotlib.rcdefaults()
            matplotlib.rcParams.update({**SETTINGS, "font.family": fonts})
            yield
    finally:
        log.setLevel(level)


def _matplotlib() -> Any:
    """Import matplotlib, even where MPLBACKEND names a backend that is not installed.

    A notebook sets the variable for the processes that it starts, and the import of matplotlib 3.11 fails in them.
    Writing a file needs no backend.
    """
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    backend = os.environ.pop("MPLBACKEND", "")
    try:
        import matplotlib
    finally:
        if backend:
            os.environ["MPLBACKEND"] = backend
    if backend:
        # Do what the import would have done, for other users of matplotlib in this process.
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    return matplotlib
