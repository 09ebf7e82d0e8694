"""The functions of `zoo.input.Client` for tables; a raw example is a row, a tuple of floats, strings and None."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.names import shown
from zoo.errors import ZooError, listed
from zoo.family import Family, Size
from zoo.input import NamedExample
from zoo.inputs.table.columns import Column, tensor_names
from zoo.inputs.table.frame import read_file
from zoo.inputs.table.preprocessing import (
    TablePreprocessing,
    encode,
    network_tensors,
    noise,
    random,
    raw_arrays,
    raw_tensors,
    tensors,
)
from zoo.inputs.table.rows import features, places_of, typed, unknown_words

__all__ = [
    "catalog",
    "encode",
    "example",
    "facts",
    "files",
    "named_examples",
    "network_tensors",
    "noise",
    "problems",
    "published",
    "python",
    "random",
    "raw_arrays",
    "raw_tensors",
    "rest",
    "tensors",
]


def named_examples(
    paths: Sequence[Path], preprocessing: TablePreprocessing, leave_out: Callable[[Path, str], None]
) -> list[NamedExample]:
    """Read the rows of files by the names of their columns; `leave_out` gets the columns that the network ignores.

    Raises:
        ZooError: a file is not a table, or lacks a column.
    """
    examples: list[NamedExample] = []
    for path in paths:
        column_names = [column.name for column in preprocessing.columns]
        frame = read_file(path, shown(path), column_names)
        frame.check_readable(column_names, shown(path))
        names, rows = features(frame)
        other_columns = [f"'{shown(name)}'" for name in (*names, *frame.unreadable) if name not in column_names]
        try:
            column_indices = places_of(preprocessing.columns, names)
        except ZooError as error:
            raise ZooError(f"{shown(path)}: {error}") from None
        if other_columns:
            leave_out(path, f"columns that the network does not take: {listed(other_columns, most=3)}")
        values, problems = typed(rows, column_indices, preprocessing.columns)
        remarks = unknown_words(values, preprocessing.columns)
        examples += map(NamedExample, frame.places, values, map(problems.get, range(len(values))), remarks)
    return examples


def catalog(family: Family, size: Size) -> dict[str, Any]:
    """Return no limits: a network takes any columns."""
    return {"limits": {}}


def published(wanted: Any) -> dict[str, Any]:
    """Return nothing: no weights for networks of tables are published."""
    return {"input": ""}


def facts(preprocessing: TablePreprocessing) -> dict[str, str]:
    """Return the number of columns, and how many of them have numbers, words, dates and booleans."""
    counts = Counter(column.kind for column in preprocessing.columns)
    type_counts = ", ".join(f"{count} of {value_type}s" for value_type, count in counts.items())
    total = len(preprocessing.columns)
    return {"input": f"{total} {'column' if total == 1 else 'columns'}: {type_counts}"}


def problems(preprocessing: TablePreprocessing) -> list[str]:
    """List what is wrong: columns of the same name, repeated words, or quantiles out of order."""
    messages = []
    names = Counter(column.name for column in preprocessing.columns)
    messages += [f"{count} columns '{shown(name)}'" for name, count in names.items() if count > 1]
    for column in preprocessing.columns:
        if len(set(column.words)) < len(column.words) or (column.words and column.kind != "word"):
            messages.append(f"words of column '{shown(column.name)}' that no column of {column.kind}s can have")
        if any(first >= second for first, second in zip(column.knots, column.knots[1:], strict=False)):
            messages.append(f"quantiles of column '{shown(column.name)}' that do not ascend")
    return messages


def python(preprocessing: TablePreprocessing) -> str:
    """Return the row of `example` as a tuple."""
    return repr(example(preprocessing))


def rest(preprocessing: TablePreprocessing) -> dict[str, Any]:
    """Return the row of `example`, a value for each tensor of `serve_columns`."""
    return dict(zip(tensor_names(preprocessing.columns), example(preprocessing), strict=True))


def example(preprocessing: TablePreprocessing) -> tuple[float | str, ...]:
    """Return an average row: the mean of each column, or its most frequent word; "" where it has no words."""
    return tuple(map(_average, preprocessing.columns))


def _average(column: Column) -> float | str:
    if column.kind == "number":
        return float(f"{column.mean:.4g}")
    if column.kind == "date":
        return str(np.datetime64(int(column.mean // 1), "D"))
    if column.kind == "boolean":
        return "true" if column.mean >= 0.5 else "false"
    return next(iter(column.words), "")


def files(preprocessing: TablePreprocessing) -> dict[str, str]:
    """Return no files: the manifest has all that clients need."""
    return {}
