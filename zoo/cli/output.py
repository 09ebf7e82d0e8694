"""The output of every verb: JSON and tables on standard output, remarks and progress on standard error."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from zoo.text import Progress, printable, silent

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.task import Score

PLAIN_WIDTH = 120
"""The width of tables, in columns, where standard output is not a terminal."""

REFRESH_SECONDS = 0.1
"""The shortest time between two redraws of the progress bar."""


def print_json(value: Any) -> None:
    """Write `value` as the one JSON document on standard output, in ASCII: every terminal and pipe takes that."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def say(text: str) -> None:
    """Write a line on standard error."""
    # Not click.echo, which writes past rich: the line would land in the middle of a progress bar.
    print(text, file=sys.stderr, flush=True)


def say_parts(score: Score) -> None:
    """Write the score of each of several targets as a line on standard error."""
    for name, part in score.parts.items():
        say(f"  {printable(name)}: {part.metric} {part.value:.4f} ({part.low:.4f} to {part.high:.4f})")


def say_step(done: int, total: int, line: str) -> None:
    """Write a step of a long task as a line on standard error."""
    say(f"{done}/{total} {line}")


@contextlib.contextmanager
def progress_bar(elsewhere: Progress = silent) -> Iterator[Progress]:
    """Show a progress bar on standard error from the first step until the block ends, with lines of `say` above it.

    If standard error is not a terminal, `elsewhere` is called with the steps instead.
    """
    if not sys.stderr.isatty():
        yield elsewhere
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.BarColumn(bar_width=20),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.TimeRemainingColumn(),
    )
    # A thread that redraws the bar would take time from what is being measured.
    bar = progress.Progress(
        *columns, console=Console(stderr=True), auto_refresh=False, redirect_stdout=False, transient=True
    )
    task = bar.add_task("", total=None)
    drawn = 0.0

    def show(done: int, total: int, line: str) -> None:
        nonlocal drawn
        redraw = time.monotonic() - drawn >= REFRESH_SECONDS or done == total
        drawn = time.monotonic() if redraw else drawn
        bar.update(task, completed=done, total=total, description=printable(line), refresh=redraw)
        bar.start()  # does nothing from the second time on

    try:
        yield show
    finally:
        bar.stop()


def console() -> Console:
    """Return rich's console on standard output; if that is not a terminal, without colors and `PLAIN_WIDTH` wide."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    # Labels and paths are text, whatever brackets and colons they hold.
    return Console(width=width, markup=False, emoji=False, highlight=False)
