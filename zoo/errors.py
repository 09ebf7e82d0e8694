"""The errors that zoo raises for its users, and helpers for their messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ZooError(Exception):
    """The request was wrong. The message says in one line what is wrong and how to fix it; the exit status is 2."""

    exit_status = 2


class Refused(ZooError):
    """The request was right, and a gate or a check failed; the exit status is 1."""

    exit_status = 1


class MissingFile(ZooError):
    """A file that the user named is not there."""


def one_line(error: BaseException, most: int = 200) -> str:
    """Return the message of an exception in one line of at most `most` characters; its class if it has no message."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def class_and_message(error: BaseException, most: int = 200) -> str:
    """Return the class and the message of an exception in one line of at most `most` characters."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:most]


def listed(names: Iterable[str], most: int = 10, longest: int = 100) -> str:
    """Join the first `most` names, each cut to `longest` characters, and count the others."""
    every = [name if len(name) <= longest else f"{name[:longest]}…" for name in names]
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that is nearest to `word`, or list all known words when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
