"""Read rows of a table as values for the columns of a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from zoo.data.names import column_name, composed, shown
from zoo.errors import ZooError, listed
from zoo.inputs.table.cells import as_word, present
from zoo.inputs.table.columns import NUMBER, Column, Row, Value, is_missing, nearest
from zoo.inputs.table.frame import Frame
from zoo.inputs.table.preprocessing import column_features

DIFFERENT = 0.9
"""In a table with at least this share of different rows, equal rows count as copies."""


def features(frame: Frame, leave_out: Sequence[str] = ()) -> tuple[tuple[str, ...], list[tuple[Value, ...]]]:
    """Return the names of all columns but those in `leave_out`, and their cells as values; numbers may be text."""
    indices = [index for index, name in enumerate(frame.names) if name not in leave_out]
    rows = [tuple(present(row[index]) for index in indices) for row in frame.rows]
    return tuple(frame.names[index] for index in indices), rows


def places_of(columns: Sequence[Column], names: Sequence[str]) -> list[int]:
    """Return the index of each column in `names`.

    Raises:
        ZooError: a column is missing.
    """
    wanted_names = [column_name(column.name) for column in columns]
    for name in wanted_names:
        if name not in names:
            raise ZooError(f"there is no column '{shown(name)}', which the network takes: {nearest(name, names)}")
    return [names.index(name) for name in wanted_names]


def typed(
    rows: Sequence[Row], places: Sequence[int], columns: Sequence[Column]
) -> tuple[list[tuple[Value, ...]], dict[int, str]]:
    """Return the values of columns, and why some rows do not fit, by the number of the row.

    `places` are the indices of the columns in each row. Numbers become floats, and words text in Unicode's form NFC.
    """
    cells: list[list[Value]] = []
    problems: dict[int, str] = {}
    for index, column in zip(places, columns, strict=True):
        values = [row[index] for row in rows]
        if column.kind == "number":
            values = [float(cell) if isinstance(cell, str) and NUMBER.fullmatch(cell) else cell for cell in values]
        elif column.kind == "word":
            words = {value: _word(value) for value in set(values)}
            values = [words[value] for value in values]
        cells.append(values)
        for number, reason in column_features(values, column)[1].items():
            problems.setdefault(number, reason)
    return list(zip(*cells, strict=True)), problems


def _word(value: Value) -> str | None:
    word = as_word(value)
    return None if word is None else composed(word)


def unknown_words(rows: Sequence[Row], columns: Sequence[Column]) -> list[str | None]:
    """Return for each row a remark on the words that a network does not know, with their columns; None without any."""
    unknown: list[list[str]] = [[] for _ in rows]
    for index, column in enumerate(columns):
        if column.kind == "word":
            vocabulary = set(map(composed, column.words))
            for row, words in zip(rows, unknown, strict=True):
                word = row[index]
                if isinstance(word, str) and not is_missing(word) and word not in vocabulary:
                    words.append(f"'{shown(word)[:40]}' in column '{shown(column.name)}'")
    return [
        f"has words that the network does not know: {listed(words, most=3)}" if words else None for words in unknown
    ]


def row_digests(rows: Sequence[Row]) -> list[bytes]:
    """Return a SHA-256 for each row of a table; rows with the same digest are copies of one example.

    In a table with few different rows, such as a table of categories, rows are equal by chance. If fewer than
    `DIFFERENT` of the rows differ, a digest also covers the whole table and the index of the row in it, so that no row
    is a copy.
    """
    digests = [hashlib.sha256(json.dumps(list(row)).encode()).digest() for row in rows]
    if _tells_rows_apart(digests):
        return digests
    table = hashlib.sha256(b"".join(digests)).digest()
    return [hashlib.sha256(table + index.to_bytes(8, "little")).digest() for index in range(len(digests))]


def value_digests(rows: Sequence[Row], columns: Sequence[Column]) -> np.ndarray | None:
    """Return the digests of the values that a network reads from rows, uint64 [rows], see `Examples.fitted_digests`.

    Numbers, dates and booleans count as their features, so that neither their spelling nor the format of the file
    matters; words count as text. If few rows differ, return None, because equal rows are then equal by chance.
    """
    cells = [*zip(*rows, strict=True)] or [()] * len(columns)
    features = [
        column_features(values, column)[0]
        for values, column in zip(cells, columns, strict=True)
        if column.kind != "word"
    ]
    words = [values for values, column in zip(cells, columns, strict=True) if column.kind == "word"]
    texts = [json.dumps(row_words).encode() for row_words in zip(*words, strict=True)] if words else [b""] * len(rows)
    # A sum with 0 turns -0 into 0, and one bit pattern stands for all missing values.
    numbers = np.stack(features, 1) + np.float32(0) if features else np.empty((len(rows), 0), np.float32)
    numbers[np.isnan(numbers)] = np.nan
    width, content = 4 * len(features), numbers.astype("<f4").tobytes()
    digests = [
        hashlib.sha256(content[width * number : width * (number + 1)] + text).digest()
        for number, text in enumerate(texts)
    ]
    if not _tells_rows_apart(digests):
        return None
    return np.frombuffer(b"".join(digest[:8] for digest in digests), "<u8").astype(np.uint64)


def _tells_rows_apart(digests: Sequence[bytes]) -> bool:
    return len(set(digests)) >= DIFFERENT * len(digests)
