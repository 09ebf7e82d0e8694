"""Names of files and of classes: how they sort, when two are one, how they are shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from zoo.text import is_printable


def natural(name: str) -> tuple[list[int | str], str]:
    """A key that sorts numbers within names by value: '1', '2', '10'."""
    # Splitting at digits leaves text at even places and numbers at odd ones, so that like is compared with like.
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def composed(name: str) -> str:
    """The name in Unicode's form NFC, by which two names are compared: macOS writes é as e and an accent (NFD)."""
    return unicodedata.normalize("NFC", name)


def shown(path: Path | str) -> str:
    """A path on one line, whatever is in its name."""
    return "".join(letter if is_printable(letter) else letter.encode("unicode_escape").decode() for letter in str(path))


def quoted(name: str) -> str:
    """A name in quotes; where it is not of ASCII alone, its characters are spelled out, for some look alike."""
    return f"'{shown(name)}'" if name.isascii() else f"'{shown(name)}' ({name.encode('unicode_escape').decode()})"


def nearly(name: str, numbers: Mapping[str, int]) -> str | None:
    """The known name that differs from this one in case, spaces, or invisible or compatible characters only."""
    return next((known for known in numbers if _skeleton(known) == _skeleton(name)), None)


def _skeleton(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in plain if letter.isprintable() and letter not in " _-")
