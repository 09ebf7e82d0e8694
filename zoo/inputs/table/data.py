"""The functions of `zoo.input.Data` for tables.

A dataset's rows have all columns of its source that can be read; the names of these columns are the traits of each row.
The form of a dataset also has the names of the unreadable columns. `kept` cuts rows to the columns of a preprocessing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.dataset import Dataset, Examples
from zoo.data.example import Example, RawDataset
from zoo.data.names import shown
from zoo.data.targets import is_class, merged
from zoo.errors import ZooError, listed
from zoo.family import Family, Size
from zoo.inputs.table.bundled import Bundled, bundled
from zoo.inputs.table.columns import FEWEST_IDENTIFIERS, Column, Row, TableSettings, Value, days, inferred, named
from zoo.inputs.table.frame import Frame
from zoo.inputs.table.preprocessing import FEATURES, TablePreprocessing, encode, lines
from zoo.inputs.table.preprocessing import suiting as described
from zoo.inputs.table.rows import features, places_of, row_digests, typed, value_digests
from zoo.inputs.table.targets import read_targets

if TYPE_CHECKING:
    from zoo.description import Model

WRONG: dict[str, tuple[str, Value]] = {
    "number": ("an infinite number", math.inf),
    "date": ("a date that does not exist", "2023-02-30"),
    "boolean": ("a boolean that is neither true nor false", "perhaps"),
}
"""A value that columns of a type refuse, with its name."""

MOST_FACTORS = 100
"""The most columns whose pairs a network multiplies."""


def dataset_of_frame(
    frame: Frame, target: str, argument: str, data_dir: str | None, model: Model | None = None
) -> RawDataset:
    """Return the rows of a frame with the columns of `--target` as their targets, see `read_targets`.

    Rows without a target are unreadable.

    Raises:
        ZooError: there is no such column, or it has no values.
    """
    targets = read_targets(frame, target, model)
    names, rows = features(frame, targets.names)
    digests = row_digests(rows)

    def example(number: int, row_target: int | tuple[float, ...]) -> Example:
        row_name, split = frame.places[number], frame.splits[number]
        return _example(rows[number], row_target, row_name, split, digests[number], names)

    examples, unreadable = targets.examples(frame, example)
    form = (*names, *frame.unreadable)
    return RawDataset(
        "table", targets.labels, examples, unreadable, targets.task, argument, data_dir, form=form, parts=targets.parts
    )


def dataset_of_bundled(name: str) -> RawDataset:
    """Return a table that scikit-learn ships."""
    table = bundled(name)
    task = "classes" if table.labels else "values"
    return RawDataset("table", table.labels or ("target",), _examples(table, name), task=task, form=table.names)


def _examples(table: Bundled, name: str) -> list[Example]:
    targets = [target if is_class(target) else (target,) for target in table.targets]
    table_rows = zip(table.rows, targets, row_digests(table.rows), strict=True)
    return [
        _example(row, target, f"{name} row {number}", "train", digest, table.names)
        for number, (row, target, digest) in enumerate(table_rows, start=1)
    ]


def _example(row: Row, target: Any, name: str, split: str, digest: bytes, names: tuple[str, ...]) -> Example:
    size = sum(len(value) if isinstance(value, str) else 8 for value in row)
    return Example(split, target, name, tuple(row), size, digest, names)


FEW_DIFFERENT = "many rows of these data are equal, so rows of the training are recognized only in the same file"

RECORDS = (object, None)
"""Placeholders: `inspect` returns no examples, because a row of a table is not a file."""


def inspect(path: Path, *, split: str, target: Any, name: str) -> Example:
    """Refuse a file, because a row of a table is not a file."""
    raise ZooError("a row of a table is not a file: write csv:FILE")


def form(examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the names of the columns."""
    names: tuple[str, ...] = examples[0].traits
    return names


def suiting(dataset: Dataset, settings: TableSettings, like: TablePreprocessing | None) -> TablePreprocessing:
    """Return the preprocessing `like` of weights, or a dataset's columns with the statistics of its training rows.

    The types of columns are those of the rows of all splits. Rows that do not fit, such as those with a number that is
    too large, do not count in the statistics; `kept` names them.

    Raises:
        ZooError: a column cannot be used, a column of the weights is missing, or the settings name a missing column.
    """
    names = dataset.train.traits(0)
    if like is not None:
        places_of(like.columns, names)
        return like
    splits = (dataset.train, dataset.validation, dataset.test)
    train, *other_splits = map(_rows, splits)
    row_names = [split.names(index) for split in splits for index in range(len(split))]
    all_rows = [*train, *(row for rows in other_splits for row in rows)]
    unreadable = [name for name in dataset.form if name not in names]
    columns = inferred(names, all_rows, settings, row_names.__getitem__, unreadable)
    column_indices = places_of(columns, names)
    values, problems = typed(train, column_indices, columns)
    return described(columns, [row for number, row in enumerate(values) if number not in problems])


def _rows(examples: Examples) -> list[Row]:
    return [examples.read(index) for index in range(len(examples))]


def kept(examples: Examples, preprocessing: TablePreprocessing) -> tuple[Examples, tuple[str, ...]]:
    """Return the rows whose values fit, cut to the columns of a network, and a line for each other row."""
    if not len(examples):
        return examples, ()
    columns = preprocessing.columns
    column_indices = places_of(columns, examples.traits(0))
    typed_rows, problems = typed(_rows(examples), column_indices, columns)
    index = np.array([number for number in range(len(typed_rows)) if number not in problems], np.int64)
    rows = [typed_rows[number] for number in index]
    reasons = tuple(f"{examples.names(number)}: {problems[number]}" for number in sorted(problems))
    names = tuple(column.name for column in columns)
    digests = value_digests(rows, columns)
    fitting = dataclasses.replace(
        examples.only(index),
        read=rows.__getitem__,
        traits=lambda number: names,
        fitted_digests=digests,
        unrecognizable=FEW_DIFFERENT if digests is None else None,
        in_memory=True,
    )
    return fitting, reasons


def remarks(splits: Sequence[Examples], preprocessing: TablePreprocessing) -> Iterator[str]:
    """Say in how many rows a column has a word that the network does not know."""
    features_of_splits = [encode(_rows(split), preprocessing)[FEATURES] for split in splits]
    for column_index, column in enumerate(preprocessing.columns):
        unknown = sum(int((features[:, column_index] == len(column.words)).sum()) for features in features_of_splits)
        if column.kind == "word" and unknown:
            yield f"column '{shown(column.name)}': the network does not know the words of {unknown} rows"


def adjustments(dataset: Dataset, preprocessing: TablePreprocessing, settings: TableSettings) -> Iterator[str]:
    """Say the type of each column, which columns have one value only, and which are left out."""
    yield from (f"column {line}" for line in lines(preprocessing))
    for column in preprocessing.columns:
        if not column.missing and (column.is_constant or (column.kind == "word" and len(column.words) < 2)):
            yield f"column '{shown(column.name)}' has one value only in training: nothing can be learned from it"
    for column, values in _numbers(dataset, preprocessing):
        if column.kind == "number" and _number_rows(values):
            yield (
                f"column '{shown(column.name)}' has consecutive integers, a different one in each row: if it only "
                f"numbers the rows, --set table.ignore={shown(column.name)}"
            )
        yield from _merged(column, values)
    network_columns = {column.name for column in preprocessing.columns}
    ignored = named(settings.ignore, dataset.form)
    other_columns = [
        shown(name) for name in dataset.train.traits(0) if name not in network_columns and name not in ignored
    ]
    if other_columns:
        yield f"left out: columns that the network does not take: {listed(other_columns, most=5)}"


def _numbers(dataset: Dataset, preprocessing: TablePreprocessing) -> Iterator[tuple[Column, np.ndarray]]:
    """Yield the columns of numbers and dates, each with its numbers or days in all rows, float64; NaN if missing."""
    splits = (dataset.train, dataset.validation, dataset.test)
    rows = [row for split in splits for row in _rows(split)]
    columns = [column for column in preprocessing.columns if column.kind in ("number", "date")]
    for index, column in zip(places_of(columns, dataset.train.traits(0)), columns, strict=True):
        cells = [cell for (cell,) in typed(rows, [index], [column])[0]]
        numbers = [days(cell) if isinstance(cell, str) else cell for cell in cells]
        yield column, np.array(numbers, np.float64)


def _number_rows(values: np.ndarray) -> bool:
    """Return whether values are consecutive integers, each once, in any order."""
    if len(values) < FEWEST_IDENTIFIERS or not (values % 1 == 0).all():
        return False
    return bool((np.diff(np.sort(values)) == 1).all())


def _merged(column: Column, values: np.ndarray) -> Iterator[str]:
    """Say how many different values of a column remain in float32, the type of features, if few remain."""
    if counts := merged(values):
        before, after = counts
        advice = (
            "subtract a constant, such as the least of them"
            if column.kind == "number"
            else "write them as numbers, such as the seconds since the first of them"
        )
        yield (
            f"column '{shown(column.name)}' has {before:,} different {column.kind}s, and {after:,} in float32, which "
            f"the network takes: {advice}"
        )


def reference(shape: Sequence[int]) -> TablePreprocessing:
    """Return the preprocessing of a network for (columns,) of numbers."""
    knots = tuple(np.linspace(-2, 2, 17).tolist())
    return TablePreprocessing(tuple(Column(f"x{number}", "number", knots=knots) for number in range(1, shape[0] + 1)))


def published(folder: Path, task: str, seconds: float | None = None) -> TablePreprocessing:
    """Refuse a folder, because no weights for tables are published."""
    raise ZooError(f"{folder} is a folder: weights for tables are read from a file")


def structure(family: Family, size: Size, preprocessing: TablePreprocessing) -> None:
    """Return None: the columns decide the form of the network."""
    return


def check(family: Family, size: Size, preprocessing: TablePreprocessing, structure: None) -> None:
    """Raise ZooError when a network multiplies pairs of columns and there are too many."""
    numbers = sum(column.kind != "word" for column in preprocessing.columns)
    if size.options.get("terms") == "products" and numbers > MOST_FACTORS:
        raise ZooError(
            f"{family.name} {size.name} multiplies pairs of columns, and {numbers} columns are more than "
            f"{MOST_FACTORS}: take another size, or --set table.ignore=…"
        )


def stand_ins() -> tuple[Examples, str]:
    """Return the rows of iris, and their license."""
    table = bundled("iris")
    return Examples.of(_examples(table, "iris")), table.license


def samples(raw: Sequence[Row], preprocessing: TablePreprocessing) -> list[Any]:
    """Return a row with a word that was never seen, or a missing value, in every second column, and then the rows."""
    odd_row: list[Value] = [
        value if index % 2 else "a word never seen" if column.kind == "word" else None
        for index, (value, column) in enumerate(zip(raw[0], preprocessing.columns, strict=True))
    ]
    return [tuple(odd_row), *raw]


def doubtful(raw: Sequence[Row], preprocessing: TablePreprocessing) -> list[Any]:
    """Return nothing: the samples already need every step of the preprocessing."""
    return []


def damaged(raw: Row, preprocessing: TablePreprocessing) -> dict[str, Any]:
    """Return the row with a wrong value in the first column of each type except words, because any text is a word."""
    damaged_rows: dict[str, Any] = {}
    for index, column in enumerate(preprocessing.columns):
        if column.kind in WRONG:
            name, value = WRONG[column.kind]
            damaged_rows.setdefault(f"a row with {name}", (*raw[:index], value, *raw[index + 1 :]))
    return damaged_rows


def hostile() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return nothing: no small row is expensive to process."""
    return {}, {}


def client_tolerance(preprocessing: TablePreprocessing) -> float:
    """Return 0: clients and graphs compute equal features."""
    return 0.0
