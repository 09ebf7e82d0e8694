"""Text that people see: which characters may stand in it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

Say = Callable[[str], None]
"""Takes one line for people: `print`, a logger's `info`, or `silent`."""

Progress = Callable[[int, int, str], None]
"""Takes the number of steps done, the number of all steps, and a line about the present one."""

JOINERS = "\u200c\u200d"
"""Zero width, and part of words in Persian and the scripts of India, and of emoji."""


def is_printable(text: str) -> bool:
    """True where every character is a letter, a mark, a symbol, a space or a joiner.

    Others move a terminal's cursor, end its line, turn the direction of writing, or are no characters.
    """
    return all(
        character.isprintable() or character in JOINERS or unicodedata.category(character) == "Zs" for character in text
    )


def printable(text: str) -> str:
    """The text with a mark in place of each character that may not stand in it."""
    return "".join(character if is_printable(character) else "�" for character in text)


def silent(*words: object) -> None:
    """Say nothing: what a `Say` or a `Progress` is where nobody wants to hear."""
