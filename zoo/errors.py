"""What zoo says when a request cannot be met."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    """A request was wrong: one line that says what is, and how to mend it. The command line exits with 2."""

    exit_status = 2


class Refused(ZooError):
    """The request was right and the answer is no: a gate or a check failed. The command line exits with 1."""

    exit_status = 1


def listed(names: Iterable[str], most: int = 10, longest: int = 100) -> str:
    """The first names in one line, each cut to `longest` characters, and how many more there are."""
    every = [name if len(name) <= longest else f"{name[:longest]}…" for name in names]
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that offers the nearest known word, or lists all of them when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
