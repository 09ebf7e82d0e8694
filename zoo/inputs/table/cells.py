"""Read the cells of a file as values: text without spaces around it, missing ones as None, and integers exactly."""

from __future__ import annotations

import re

from zoo.inputs.table.columns import MISSING, Value

WHOLE = re.compile(r"(-?[1-9][0-9]*|0)\.0+")
"""Text that is a whole number with a decimal point, as pandas writes integers of a column with missing values."""

MOST_EXACT = 2**53
"""Up to this integer, floats represent every integer exactly."""


def of_integer(number: int) -> float | str:
    """Return an integer as a value: a float, or text where floats do not tell integers apart, as in a CSV file."""
    return float(number) if abs(number) <= MOST_EXACT else str(number)


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
        whole_number = WHOLE.fullmatch(value) if value else None
        return whole_number[1] if whole_number else value
    return str(int(value)) if value.is_integer() else str(value)
