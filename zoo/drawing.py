"""Drawings for people, as PNG: the only module that imports matplotlib, with settings of its own.

Whatever a matplotlibrc, MPLBACKEND or a notebook says, a drawing comes out the same, names in it are plain text, and
one that fails stops nothing.
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

SETTINGS: dict[str, Any] = {
    "text.parse_math": False,  # a name may hold a dollar sign
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
"""Fonts in the order in which a character is looked for; the first comes with matplotlib. Those installed are used."""

LONGEST = 60
"""Characters of a name that fit beside a drawing."""


def draw(
    target: Path, paint: Callable[[Any], None], *, inches: tuple[float, float], dpi: int, say: Callable[[str], None]
) -> None:
    """Write a PNG, whole or not at all; where it cannot be drawn or written, say so in one line.

    Args:
        target: the file.
        paint: given a `matplotlib.figure.Figure`, draws on it.
        inches: its width and height.
        dpi: pixels in an inch.
        say: told what went wrong.
    """
    try:
        with _own_settings():
            from matplotlib.figure import Figure

            figure = Figure(figsize=inches, layout="constrained")
            paint(figure)
            with files.staged_file(target) as staging:
                figure.savefig(staging, dpi=dpi, format="png")
    except Exception as error:  # matplotlib raises many kinds, and none is worth a result
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        say(f"{target.name} is left out, for it could not be drawn ({reason})")


def short(name: str) -> str:
    """The name, cut where it would leave no room for the drawing."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


@contextlib.contextmanager
def _own_settings() -> Iterator[None]:
    """matplotlib with its defaults and `SETTINGS`, and silent; all is as before afterwards."""
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
    """The library, also where MPLBACKEND names a backend that is not there: a file needs none.

    Such a variable, which a notebook hands on to the processes that it starts, ends matplotlib 3.11's import.
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
        # What the import would have done, for others in this process.
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    return matplotlib
