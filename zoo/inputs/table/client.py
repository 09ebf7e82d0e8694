"""The functions of `zoo.input.Client` for tables; a raw example is a row, a tuple of floats, strings and None."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from zoo.data.names import shown
from zoo.errors import ZooError, listed
from zoo.input import Request
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
from zoo.inputs.table.read import features, places_of, read_file, typed

__all__ = [
    "encode",
    "facts",
    "network_tensors",
    "noise",
    "problems",
    "python",
    "random",
    "raw_arrays",
    "raw_tensors",
    "requests",
    "tensors",
]


def requests(
    paths: Sequence[Path], preprocessing: TablePreprocessing, leave_out: Callable[[Path, str], None]
) -> list[Request]:
    """Read the rows of files by the names of their columns; `leave_out` is told of columns that the network lacks.

    Raises:
        ZooError: a file is no table, lacks a column, or has a value that does not fit its column.
    """
    found = []
    for path in paths:
        frame = read_file(path)
        names, rows = features(frame)
        known = [column.name for column in preprocessing.columns]
        others = [f"'{shown(name)}'" for name in names if name not in known]
        places = places_of(preprocessing.columns, names)
        if others:
            leave_out(path, f"its columns that the network does not take: {listed(others, most=3)}")
        for row, name in zip(rows, frame.places, strict=True):
            try:
                found.append(Request(name, typed(row, places, preprocessing.columns)))
            except ZooError as error:
                raise ZooError(f"{name}: {error}") from None
    return found


def facts(preprocessing: TablePreprocessing) -> dict[str, str]:
    """Return the number of columns, and how many of them have numbers, words, dates and booleans."""
    counts = Counter(column.kind for column in preprocessing.columns)
    kinds = ", ".join(f"{count} of {kind}s" for kind, count in counts.items())
    return {"input": f"{len(preprocessing.columns)} columns: {kinds}"}


def problems(preprocessing: TablePreprocessing) -> list[str]:
    """List columns of the same name, words that are there twice, and quantiles out of order."""
    found = []
    names = Counter(column.name for column in preprocessing.columns)
    found += [f"{count} columns '{shown(name)}'" for name, count in names.items() if count > 1]
    for column in preprocessing.columns:
        if len(set(column.words)) < len(column.words) or (column.words and column.kind != "word"):
            found.append(f"words of column '{shown(column.name)}' that no column of {column.kind}s can have")
        if any(first >= second for first, second in zip(column.knots, column.knots[1:], strict=False)):
            found.append(f"quantiles of column '{shown(column.name)}' that do not ascend")
    return found


def python(artifact: str) -> str:
    """Return Python lines that end with `features`, a row of the means of the training rows."""
    return f"""import json
import pathlib

import numpy as np

manifest = json.loads(pathlib.Path("{artifact}/manifest.json").read_text())
columns = manifest["preprocessing"]["columns"]
# A word is its place in column["words"], a date its days since 1970, and a missing value is NaN.
features = np.array([[column["mean"] for column in columns]], np.float32)"""
