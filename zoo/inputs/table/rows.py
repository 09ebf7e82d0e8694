"""Read rows of a table as values for the columns of a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from zoo.data.names import shown
from zoo.errors import ZooError
from zoo.inputs.table.cells import as_word, present
from zoo.inputs.table.columns import NUMBER, Column, Row, Value, nearest
from zoo.inputs.table.frame import Frame
from zoo.inputs.table.preprocessing import check

DIFFERENT = 0.9
"""The smallest share of different rows in a table whose equal rows are taken for copies."""


def features(frame: Frame, leave_out: Sequence[str] = ()) -> tuple[tuple[str, ...], list[tuple[Value, ...]]]:
    """Return the names of all columns but those in `leave_out`, and their cells as values; numbers may be text."""
    places = [place for place, name in enumerate(frame.names) if name not in leave_out]
    rows = [tuple(present(row[place]) for place in places) for row in frame.rows]
    return tuple(frame.names[place] for place in places), rows


def places_of(columns: Sequence[Column], names: Sequence[str]) -> list[int]:
    """Return the places of columns among `names`.

    Raises:
        ZooError: one is missing.
    """
    for column in columns:
        if column.name not in names:
            near = nearest(column.name, names)
            raise ZooError(f"there is no column '{shown(column.name)}', which the network takes: {near}")
    return [names.index(column.name) for column in columns]


def typed(row: Row, places: Sequence[int], columns: Sequence[Column]) -> tuple[Value, ...]:
    """Return the values of columns, which are at `places` of a row, with numbers as floats and all words as text.

    Raises:
        ZooError: a value does not fit its column.
    """
    values = []
    for place, column in zip(places, columns, strict=True):
        value = row[place]
        if column.kind == "number" and isinstance(value, str) and NUMBER.fullmatch(value):
            value = float(value)
        elif column.kind == "word":
            value = as_word(value)
        check(value, column)
        values.append(value)
    return tuple(values)


def row_digests(rows: Sequence[Row]) -> list[bytes]:
    """Return a SHA-256 for each row of a table; rows with the same digest are copies of one example.

    In a table with few different rows, such as one of categories, rows are equal by chance. If fewer than `DIFFERENT`
    of the rows differ, a digest also covers the whole table and the place of the row in it, so that no row is a copy.
    """
    digests = _digests(rows)
    if _tells_rows_apart(digests):
        return digests
    table = hashlib.sha256(b"".join(digests)).digest()
    return [hashlib.sha256(table + place.to_bytes(8, "little")).digest() for place in range(len(digests))]


def value_digests(rows: Sequence[Row]) -> np.ndarray | None:
    """Return the digests of the values that a network reads from rows, uint64 [rows], see `Examples.fitted_digests`.

    The order of the columns and the spelling of numbers in the source do not matter. Returns None for few different
    rows, which are equal by chance.
    """
    digests = _digests(rows)
    if not _tells_rows_apart(digests):
        return None
    return np.frombuffer(b"".join(digest[:8] for digest in digests), "<u8").astype(np.uint64)


def _digests(rows: Sequence[Row]) -> list[bytes]:
    return [hashlib.sha256(json.dumps(list(row)).encode()).digest() for row in rows]


def _tells_rows_apart(digests: Sequence[bytes]) -> bool:
    return len(set(digests)) >= DIFFERENT * len(digests)
