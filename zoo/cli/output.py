"""What every verb writes: JSON and tables on standard output, remarks on standard error."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from zoo.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from zoo.artifact import Gate

PLAIN_WIDTH = 120
"""Columns where standard output is no terminal that says how many it has."""


def print_json(value: Any) -> None:
    """Write `value` as the one document on standard output; in ASCII, which every terminal and pipe takes."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def say(text: str) -> None:
    """Write a line on standard error."""
    click.echo(text, err=True)


def say_environment() -> None:
    """Name the variables that can move the figures which follow, where any is set."""
    from zoo.provenance import environment

    found = ", ".join(f"{name}={printable(value)}" for name, value in environment().items())
    if found:
        say(f"set, and able to move figures a little: {found}")


@contextlib.contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
    """What shows the steps done, of how many, and what comes: a bar on a terminal, else lines; on standard error."""
    if not sys.stderr.isatty():
        yield lambda done, total, what: say(f"{done}/{total} {what}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    # A bar that moved by itself would take time from what is being measured.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=printable(what), refresh=True)

        yield show


def console() -> Console:
    """Rich's console on standard output: plain text, and of a fixed width, where that is no terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    # Labels and paths are text, whatever brackets and colons they hold.
    return Console(width=width, markup=False, emoji=False, highlight=False)


def status_table(gates: Iterable[Gate]) -> Table:
    """A row for each gate: whether it was passed, and its figures, or its first problems where it was not."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("gate", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("figures", overflow="fold")
    for gate in gates:
        status = Text("passed", style="green") if gate.passed else Text("FAILED", style="bold red")
        table.add_row(printable(gate.name), status, printable(_figures(gate)))
    return table


def _figures(gate: Gate, most: int = 5) -> str:
    problems = gate.figures.get("problems")
    if problems:
        more = f"; and {len(problems) - most} more" if len(problems) > most else ""
        return "; ".join(problems[:most]) + more
    return ", ".join(f"{key} {_brief(value)}" for key, value in gate.figures.items() if value not in ([], {}, None))


def _brief(value: Any, most: int = 60) -> str:
    """A figure, or how many there are where they would not fit in a line; the manifest has them all."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        text = ", ".join(f"{key} {_brief(one)}" for key, one in value.items())
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= most or not isinstance(value, dict | list | tuple) else f"({len(value)})"
