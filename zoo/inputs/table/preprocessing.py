"""The definition of a table's preprocessing, and its implementation with numpy.

A row of values becomes `features`, float32 [columns]: a number as it is, a boolean as 0 or 1, a date as days since
1970, a word as its index in the column's `words`, or as the number of these words if it is not among them. NaN stands
for a missing value, which is None, NaN or an empty string. The network itself standardizes the features, by a fixed
layer that is the same in every format.

`zoo.inputs.table.graph` does the same in TensorFlow; the results are equal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from zoo.contract import BATCH
from zoo.data.names import composed, shown
from zoo.errors import ZooError
from zoo.inputs.table.columns import BOOLEANS, MOST_WORDS, Column, Row, Value, days, is_missing, tensor_names
from zoo.schema import record
from zoo.signature import Tensor

LARGEST = float(np.finfo(np.float32).max)
"""The largest number that a column takes; its negative is the least."""

TOO_LARGE_FROM = 2.0**128 - 2.0**103
"""The least number that rounds to an infinite float32."""

SMALLEST_STD = 1 / LARGEST
"""The least std of a column, whose inverse float32 can still hold."""

MOST_KNOTS = 17
"""The most quantiles of a column that are kept, including its least and greatest value."""

FEATURES = "features"


@record
class TablePreprocessing:
    """The preprocessing of a network's rows: the columns that it takes, in their order."""

    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    kind: Literal["table"] = "table"


def encode(rows: Sequence[Row], preprocessing: TablePreprocessing) -> dict[str, np.ndarray]:
    """Return `features`, float32 [rows, columns].

    Raises:
        ZooError: a row has another number of values, or a value does not fit its column.
    """
    columns, rows = preprocessing.columns, list(rows)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(columns):
            raise ZooError(f"row {number} has {len(row)} values, not {len(columns)}: give one for each column")
    features = np.empty((len(rows), len(columns)), np.float32)
    for index, column in enumerate(columns):
        features[:, index], problems = column_features([row[index] for row in rows], column)
        if problems:
            number = min(problems)
            raise ZooError(f"row {number + 1}: {problems[number]}")
    return {FEATURES: features}


def column_features(values: Sequence[Value], column: Column) -> tuple[np.ndarray, dict[int, str]]:
    """Return the features of a column's values, float32 [rows], and why some values do not fit, by their index."""
    if column.kind == "number" and all(value is None or isinstance(value, float) for value in values):
        numbers = np.array(values, np.float64)
        too_large = np.flatnonzero(np.abs(numbers) >= TOO_LARGE_FROM).tolist()
        numbers[too_large] = math.nan
        return numbers.astype(np.float32), dict.fromkeys(too_large, TOO_LARGE.format(shown(column.name)))
    codes = {composed(word): float(code) for code, word in reversed([*enumerate(column.words)])}
    texts: dict[str, float] = {}
    features, problems = np.empty(len(values), np.float32), {}
    for index, value in enumerate(values):
        try:
            if not isinstance(value, str):
                features[index] = _feature(value, column, codes)
                continue
            if value not in texts:
                texts[value] = _feature(value, column, codes)
            features[index] = texts[value]
        except ZooError as error:
            features[index], problems[index] = math.nan, str(error)
    return features, problems


def _feature(value: Value, column: Column, codes: dict[str, float]) -> float:
    """Return the feature of a value.

    Raises:
        ZooError: the value does not fit its column.
    """
    if value is not None and not isinstance(value, str | Real):
        raise ZooError(f"column '{shown(column.name)}' takes {column.kind}s, not {value!r:.40}")
    if value is None or is_missing(value):
        return math.nan
    if column.kind == "number":
        if isinstance(value, str):
            raise ZooError(f"column '{shown(column.name)}' takes numbers, not {value!r:.40}")
        if abs(value) >= TOO_LARGE_FROM:
            raise ZooError(TOO_LARGE.format(shown(column.name)))
        return float(value)
    text = str(value) if isinstance(value, (str, bool)) else None
    if text is None:
        raise ZooError(f"column '{shown(column.name)}' takes {column.kind}s as text, not {value!r:.40}")
    if column.kind == "word":
        return codes.get(composed(text), float(len(column.words)))
    feature = BOOLEANS.get(text) if column.kind == "boolean" else days(text)
    if feature is None:
        raise ZooError(NOT_OF_KIND[column.kind].format(shown(column.name)))
    return feature


TOO_LARGE = "column '{}' has a number that is too large for float32"
NOT_OF_KIND = {
    "boolean": "column '{}' has a word that is neither true nor false (or yes and no)",
    "date": "column '{}' has a word that is not a date: write 2024-12-31 or 2024-12-31T23:59:59",
}
"""Phrases with the column's name left open, in which clients and graphs refuse a value."""


def tensors(preprocessing: TablePreprocessing) -> dict[str, Tensor]:
    """Return the input of the contract, NaN where a value is missing."""
    return {FEATURES: Tensor("float32", (BATCH, len(preprocessing.columns)))}


def network_tensors(preprocessing: TablePreprocessing) -> dict[str, Tensor]:
    """Return the input of the network, which is that of the contract."""
    return tensors(preprocessing)


def raw_tensors(preprocessing: TablePreprocessing) -> dict[str, Tensor]:
    """Return a tensor for each column: float32 for numbers, else string; NaN and empty strings are missing values."""
    columns = preprocessing.columns
    return {
        name: Tensor("float32" if column.kind == "number" else "string", (BATCH,))
        for name, column in zip(tensor_names(columns), columns, strict=True)
    }


def raw_arrays(rows: Sequence[Row], preprocessing: TablePreprocessing) -> dict[str, np.ndarray]:
    """Return rows as arrays for the tensors of `raw_tensors`: float32 [rows], or UTF-8 in object [rows]."""
    arrays: dict[str, np.ndarray] = {}
    for index, (name, tensor) in enumerate(raw_tensors(preprocessing).items()):
        values = [row[index] for row in rows]
        if tensor.dtype == "string":
            texts = ("" if is_missing(value) else str(value) for value in values)
            # A lone surrogate has no UTF-8, and is in no vocabulary.
            arrays[name] = np.array([text.encode(errors="surrogatepass") for text in texts], object)
        else:
            arrays[name] = np.array([math.nan if is_missing(value) else value for value in values], np.float32)
    return arrays


def random(preprocessing: TablePreprocessing, count: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Return `count` random rows of features, for measurements of latency."""
    return {FEATURES: encode(_rows(preprocessing, count, generator, odd=0.0), preprocessing)[FEATURES]}


def noise(preprocessing: TablePreprocessing, count: int, generator: np.random.Generator) -> list[tuple[Value, ...]]:
    """Return `count` random rows; a tenth of their values are missing, and a tenth of their words were never seen."""
    return _rows(preprocessing, count, generator, odd=0.1)


def _rows(
    preprocessing: TablePreprocessing, count: int, generator: np.random.Generator, odd: float
) -> list[tuple[Value, ...]]:
    columns = [[_value(column, generator, odd) for _ in range(count)] for column in preprocessing.columns]
    return list(zip(*columns, strict=True))


def _value(column: Column, generator: np.random.Generator, odd: float) -> Value:
    if generator.random() < odd:
        return None
    if column.kind == "word":
        unseen = not column.words or generator.random() < odd
        return f"word {generator.integers(1000)}" if unseen else str(generator.choice(column.words))
    if column.kind == "boolean":
        return str(generator.choice(("true", "false")))
    number = float(np.clip(generator.normal(column.mean, column.std), -LARGEST, LARGEST))
    if column.kind == "number":
        return number
    day = np.datetime64(int(np.clip(number, -700_000, 2_900_000)), "D")
    return str(day)


def suiting(columns: Sequence[Column], rows: Sequence[Row]) -> TablePreprocessing:
    """Return the preprocessing that suits training rows: their columns with statistics.

    Args:
        columns: the columns of the rows, see `zoo.inputs.table.columns.inferred`.
        rows: the training rows; numbers are floats.

    Raises:
        ZooError: a value does not fit its column, or the values of a column are too near to each other.
    """
    with_words = [
        replace(column, words=_frequent([row[index] for row in rows])) if column.kind == "word" else column
        for index, column in enumerate(columns)
    ]
    features = encode(rows, TablePreprocessing(tuple(with_words)))[FEATURES].astype(np.float64)
    return TablePreprocessing(tuple(map(_described, with_words, features.T)))


def _frequent(values: Sequence[Value]) -> tuple[str, ...]:
    """Return the most frequent words by falling frequency; words of equal frequency are in alphabetical order."""
    counts = Counter(str(value) for value in values if not is_missing(value))
    return tuple(sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS])


def _described(column: Column, features: np.ndarray) -> Column:
    present = features[~np.isnan(features)]
    missing = len(present) < len(features)
    if not len(present):
        # All values are missing: an indicator of missing values would be equal in all training rows.
        return column
    if column.kind == "word":
        return replace(column, missing=missing)
    std = float(present.std()) or 1.0
    if std < SMALLEST_STD:
        raise ZooError(
            f"column '{shown(column.name)}' has numbers that are too near to each other for float32 (their std is "
            f"{std:.2g}): scale the column, or --set table.ignore={shown(column.name)}"
        )
    knots = () if column.kind == "boolean" else np.unique(np.quantile(present, np.linspace(0, 1, MOST_KNOTS)))
    return replace(
        column,
        mean=float(present.mean()),
        std=std,
        missing=missing,
        knots=tuple(map(float, knots)),
    )


def lines(preprocessing: TablePreprocessing) -> list[str]:
    """Describe each column in one line."""
    return [f"{shown(column.name)}: {_line(column)}" for column in preprocessing.columns]


def _line(column: Column) -> str:
    end = ", with missing values" if column.missing else ""
    if column.kind in ("number", "date") and not column.knots:
        return f"{column.kind}s, all missing in training"
    if column.kind == "word":
        return f"{len(column.words)} words{end}"
    if column.kind == "date":
        first, last = (str(np.datetime64(int(knot // 1), "D")) for knot in (column.knots[0], column.knots[-1]))
        return f"dates from {first} to {last}{end}"
    if column.kind == "boolean":
        return f"booleans, {column.mean:.0%} true{end}"
    return f"numbers, mean {column.mean:.4g}, std {column.std:.4g}{end}"
