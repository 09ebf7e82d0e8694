"""Text for terminals: which characters can be printed, and rows of a table."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

Say = Callable[[str], None]
"""Takes one line for people: `print`, a logger's `info`, or `silent`."""

Progress = Callable[[int, int, str], None]
"""Takes the number of steps done, the number of all steps, and a line about the current one."""

JOINERS = "\u200c\u200d"
"""Characters of zero width that are part of words in Persian and the scripts of India, and of emoji."""


def is_printable(text: str) -> bool:
    """Tell whether every character is a letter, a mark, a symbol, a space or a joiner.

    Other characters move a terminal's cursor, end the line, change the direction of writing, or stand for nothing.
    """
    return all(
        character.isprintable() or character in JOINERS or unicodedata.category(character) == "Zs" for character in text
    )


def printable(text: str) -> str:
    """Replace every character that cannot be printed by the replacement character."""
    return "".join(character if is_printable(character) else "�" for character in text)


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article, such as `an image`."""
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


def silent(*words: object) -> None:
    """Do nothing: the `Say` or `Progress` of a caller that wants no messages."""


def columns(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Align the cells of rows in columns, the first `left` columns to the left and the others to the right.

    This does not use rich, whose import takes longer than `zoo list` may take.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
