"""The errors that zoo raises for its users, and helpers for their messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

PLACE_IN_GRAPH = r'Graph execution error:|Detected at node .* defined at|<stack traces of|  File "|\t \[\['
"""The beginnings of the lines that TensorFlow (2.21) writes around the reason of an error."""


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
    return " ".join(_reason(error).split())[:most] or type(error).__name__


def class_and_message(error: BaseException, most: int = 200) -> str:
    """Return the class and the message of an exception in one line of at most `most` characters."""
    return " ".join(f"{type(error).__name__}: {_reason(error)}".split())[:most]


def out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that the memory of the computer or of a GPU is used up.

    If a GPU has no memory left for NVIDIA's libraries, TensorFlow (2.21) only says that it has no "DNN" or "blas".
    """
    if isinstance(error, MemoryError):
        return True
    words = (
        r"\bOOM\b|out of memory|No DNN in stream executor|No blas support for stream|bad allocation|std::bad_alloc"
        r"|Failed to allocate memory"
    )
    return type(error).__module__.startswith(("tensorflow.", "onnxruntime.")) and bool(re.search(words, str(error)))


def _reason(error: BaseException) -> str:
    """Return the message of an exception; of TensorFlow's (2.21), without the stack and the place in the graph."""
    if not type(error).__module__.startswith("tensorflow."):
        return str(error)
    lines = re.sub(r"\{\{function_node .*?\}\}", "", str(error)).splitlines()
    reason = "\n".join(line for line in lines if not re.match(PLACE_IN_GRAPH, line))
    return re.sub(r"\[Op:\w+\]( name: \S*)?\s*$", "", reason)


def listed(names: Iterable[str], most: int = 10, longest: int = 100) -> str:
    """Join the first `most` names, each cut to `longest` characters, and count the others."""
    every = [name if len(name) <= longest else f"{name[:longest]}…" for name in names]
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that is most similar to `word`, or list all known words if none is similar."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
