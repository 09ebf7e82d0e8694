"""The protocol between zoo's child processes and their parents: lines of JSON on standard output, errors among them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from zoo.errors import Refused, ZooError

# -P: a file in the current folder must not be imported in place of a library.
PYTHON_MODULE = (sys.executable, "-P", "-m")
"""The beginning of the command that runs a module of zoo in a child process."""


def own_output() -> TextIO:
    """Return standard output for the answers of this process; whatever libraries print there goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def error_message(error: ZooError) -> dict[str, Any]:
    """Return the answer of a process that refuses its request."""
    return {"error": str(error), "refused": isinstance(error, Refused)}


def raise_error(answer: Mapping[str, Any]) -> None:
    """Raise the ZooError that `error_message` describes; do nothing for any other answer."""
    if "error" in answer:
        raise (Refused if answer["refused"] else ZooError)(answer["error"])
