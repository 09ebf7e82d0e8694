"""Read the cells of a file as values: without spaces around them, and with missing ones as None."""

from __future__ import annotations

import re

from zoo.inputs.table.columns import MISSING, Value

WHOLE = re.compile(r"(-?[1-9][0-9]*|0)\.0+")
"""Text that is a whole number with a decimal point, as pandas writes integers of a column with missing values."""


def present(cell: Value, missing: frozenset[str] = MISSING) -> Value:
    """Return a cell as a value: text without spaces around it, and None where it stands for a missing one."""
    if isinstance(cell, str):
        cell = cell.strip()
        return None if cell.lower() in missing else cell
    return None if cell != cell else cell


def as_word(value: Value) -> str | None:
    """Return a value as a word, such as the name of a class, None if it is missing.

    A whole number loses its decimal point. Other text is left as it is, because 007 and 7 may be two classes.
    """
    if value is None or isinstance(value, str):
        whole = WHOLE.fullmatch(value) if value else None
        return whole[1] if whole else value
    return str(int(value)) if value.is_integer() else str(value)
