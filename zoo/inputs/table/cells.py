"""Read the cells of a file as values: without spaces around them, and with missing ones as None."""

from __future__ import annotations

from zoo.inputs.table.columns import MISSING, NUMBER, Value


def present(cell: Value, missing: frozenset[str] = MISSING) -> Value:
    """Return a cell as a value: text without spaces around it, and None where it stands for a missing one."""
    if isinstance(cell, str):
        cell = cell.strip()
        return None if cell.lower() in missing else cell
    return None if cell != cell else cell


def class_name(value: Value) -> str | None:
    """Return a value as the name of a class, None if it is missing; a whole number loses its decimal point."""
    number = float(value) if value is not None and (not isinstance(value, str) or NUMBER.fullmatch(value)) else None
    if number is not None and number.is_integer():
        return str(int(number))
    return None if value is None else str(value)
