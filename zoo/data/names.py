"""Names of files and classes: how to sort, compare and print them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from zoo.text import is_printable


def natural(name: str) -> tuple[list[int | str], str]:
    """Return a sort key that orders the numbers within names by value: '1', '2', '10'."""
    # Text has even indices and numbers have odd ones, so that text is compared with text and a number with a number.
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def composed(name: str) -> str:
    """Return a name in Unicode's form NFC, the form for comparing names: macOS writes é as e and an accent (NFD)."""
    return unicodedata.normalize("NFC", name)


def column_name(name: str) -> str:
    """Return the name of a column without spaces around it and in Unicode's form NFC, the form to compare."""
    return composed(name.strip())


def shown(path: Path | str) -> str:
    """Return a path on one line, with escapes for characters that cannot be printed."""
    text = str(path)
    if text.isprintable():  # nearly all are, and a folder may have a million
        return text
    return "".join(letter if is_printable(letter) else letter.encode("unicode_escape").decode() for letter in text)


def quoted(name: str) -> str:
    """Quote a name; if it is not ASCII, add its escapes, because some characters look alike."""
    return f"'{shown(name)}'" if name.isascii() else f"'{shown(name)}' ({name.encode('unicode_escape').decode()})"


def look_alike(name: str, numbers: Mapping[str, int]) -> str | None:
    """Return the known name that differs only in case, spaces, or invisible or compatible characters; else None."""
    return next((other for other in numbers if _skeleton(other) == _skeleton(name)), None)


def _skeleton(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in plain if letter.isprintable() and letter not in " _-")
