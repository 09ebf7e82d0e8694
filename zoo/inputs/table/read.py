"""Read tables from files: CSV, also compressed by gzip, and Parquet.

A file becomes a `Frame` of cells. `goals` reads columns of it as classes or values, and `features` the others as
rows of a network's columns. Texts come from frames, too: a frame keeps the spaces around its cells, which `features`
and `goals` remove.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import gzip
import hashlib
import io
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from zoo.data.example import Example, Unreadable
from zoo.data.names import natural, shown
from zoo.data.splits import SPLIT_NAMES
from zoo.data.store_copy import local_copy
from zoo.errors import ZooError, listed
from zoo.inputs.table.columns import (
    DECIMAL_COMMA,
    INFINITE,
    LONGEST_NAME,
    MISSING,
    NUMBER,
    Column,
    Row,
    Value,
    check_names,
    nearest,
)
from zoo.inputs.table.preprocessing import check
from zoo.stores import is_store
from zoo.text import Say, silent

if TYPE_CHECKING:
    from zoo.description import Part

MOST_BYTES = 2**30
"""The most bytes of a file, decompressed."""

MOST_COLUMNS = 10_000
"""The most columns of a file."""

MOST_CELLS = 20_000_000
"""The most values of a file, because each becomes an object in memory."""

LONGEST_HEADER = 2**21
"""The most bytes of the line that names the columns."""

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
"""The first bytes of files."""

NO_WORD = frozenset(("",))

DELIMITERS = ",;\t"

MOST_TARGETS = 16
"""The most columns that one network predicts."""

MOST_CLASSES, ROWS_A_CLASS = 20, 5
"""The most integers that are read as classes, and how often they must occur on average; else they are values."""


@dataclass(frozen=True)
class Frame:
    """A table as files have it.

    Attributes:
        names: the names of the columns.
        rows: the cells; text as it is in the file, floats and None only from Parquet.
        places: what messages call each row, such as `rows.csv line 7`, without the folder, which would fill a message.
        splits: `train`, `validation` or `test` for each row.
    """

    names: tuple[str, ...]
    rows: list[tuple[Value, ...]]
    places: list[str]
    splits: list[str]

    def column(self, name: str, option: str) -> list[Value]:
        """Return the cells of a column, for which `option` asks.

        Raises:
            ZooError: there is no such column.
        """
        check_names((name,), self.names, option)
        place = self.names.index(name)
        return [row[place] for row in self.rows]


@dataclass(frozen=True)
class Targets:
    """A column to predict.

    Attributes:
        task: classes or values.
        labels: the names of the classes, in natural order; empty for values.
        values: the place of each row's class in `labels`, or its value; None where it is missing.
    """

    task: Literal["classes", "values"]
    labels: tuple[str, ...]
    values: list[int | float | None]


def files(argument: str, folder: Path | None = None, say: Say = silent) -> dict[str, Path]:
    """Return the files of `FILE[,FILE…]`, in `folder` if one is given, by names with which to read them again.

    `say` is called for files that are copied from a store.

    Raises:
        ZooError: one is named twice, or cannot be copied.
    """
    whole = Path(argument).expanduser()
    named = [str(whole)] if whole.is_file() else argument.split(",")
    paths: dict[str, Path] = {}
    for one in named:
        stored = is_store(one)
        if stored and not folder:
            path = local_copy(one, say)
        else:
            path = (folder / Path(one).name if folder else Path(one).expanduser()).resolve()
        paths[one if stored else str(path)] = path
    if len(set(paths.values())) < len(named):
        raise ZooError(f"{shown(argument)} names a file twice: name each once")
    return paths


def read_frame(paths: Sequence[Path]) -> Frame:
    """Read files as one table; their columns are the same, in any order.

    If all are called like splits, such as train.csv and test.csv, they are the splits of the data; else all rows are of
    the split `train`.

    Raises:
        ZooError: a file is missing, damaged, too large or no table, or the files differ in their columns.
    """
    splits = [SPLIT_NAMES.get(path.name.partition(".")[0].lower()) for path in paths]
    frames: list[Frame] = []
    for path, split in zip(paths, splits, strict=True):
        frame = read_file(path)
        frames.append(_like(frames[0], frame, path) if frames else frame)
        if "train" in splits and None not in splits:
            frames[-1].splits[:] = [split or ""] * len(frame.rows)
    return Frame(
        frames[0].names,
        [row for frame in frames for row in frame.rows],
        [place for frame in frames for place in frame.places],
        [split for frame in frames for split in frame.splits],
    )


def _like(first: Frame, frame: Frame, path: Path) -> Frame:
    """Return a frame with its columns in the order of the first one."""
    differing = [*(set(first.names) ^ set(frame.names))]
    if differing:
        raise ZooError(
            f"{shown(path)} differs from the first file in its columns "
            f"({listed(sorted(map(shown, differing)), most=3)}): give all files the same"
        )
    order = [frame.names.index(name) for name in first.names]
    rows = [tuple(row[place] for place in order) for row in frame.rows]
    return Frame(first.names, rows, frame.places, frame.splits)


def read_file(path: Path) -> Frame:
    """Read one file, as a table of the split `train`.

    Raises:
        ZooError: it is missing, damaged, too large or no table.
    """
    name = shown(path)
    if path.is_dir():
        raise ZooError(f"{name} is a folder: name the CSV or Parquet files in it")
    if not path.is_file():
        raise ZooError(f"there is no file {name}")
    size = path.stat().st_size
    if not size:
        raise ZooError(f"{name} is empty: a table begins with a line of its columns' names")
    if size > MOST_BYTES:
        raise ZooError(f"{name} has {size:,} bytes, more than {MOST_BYTES:,}: take a part of its rows")
    with path.open("rb") as file:
        first = file.read(len(PARQUET))
        file.seek(0)
        if first == PARQUET:
            names, rows, places = _parquet(file, name)
        elif first.startswith(GZIP):
            with gzip.open(file) as unpacked:
                names, rows, places = _csv(unpacked, name)
        else:
            names, rows, places = _csv(file, name)
    if not rows:
        raise ZooError(f"{name} has the names of columns, but no rows")
    return Frame(names, rows, places, ["train"] * len(rows))


def _csv(file: IO[bytes] | gzip.GzipFile, name: str) -> tuple[tuple[str, ...], list[tuple[Value, ...]], list[str]]:
    text = _text(file, name)
    head = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    rows: list[tuple[Value, ...]] = []
    places: list[str] = []
    with _long_fields():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            names = _checked_names([cell.strip() for cell in next(reader, [])], name)
            for cells in reader:
                # A line without any character is no row.
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise ZooError(
                        f"{name} line {reader.line_num} has {len(cells)} values, not the {len(names)} of the first "
                        "line: mend it (put a value with a comma in quotes)"
                    )
                rows.append(tuple(cells))
                places.append(f"{Path(name).name} line {reader.line_num}")
                if len(rows) * len(names) > MOST_CELLS:
                    raise ZooError(f"{name} has more than {MOST_CELLS:,} values: take a part of its rows or columns")
        except csv.Error as error:
            raise ZooError(f"{name} line {reader.line_num} is no CSV ({error}): mend its quotes") from None
    return names, rows, places


def _text(file: IO[bytes] | gzip.GzipFile, name: str) -> str:
    """Read a whole file of UTF-8, decompressed, but only if its first line has a reasonable length."""
    try:
        content = file.read(LONGEST_HEADER)
        if len(content) == LONGEST_HEADER and b"\n" not in content:
            raise ZooError(f"{name} has a first line of more than {LONGEST_HEADER:,} bytes: is it a table?")
        content += file.read(MOST_BYTES + 1 - len(content))
    except (OSError, EOFError, zlib.error) as error:
        raise ZooError(f"{name} cannot be read: {error}: mend or remove it") from None
    if len(content) > MOST_BYTES:
        raise ZooError(f"{name} unpacks to more than {MOST_BYTES:,} bytes: take a part of its rows")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ZooError(f"{name} is UTF-16: store it as UTF-8")
    nul = content.find(b"\0")
    if nul >= 0:
        raise ZooError(f"{name} line {content.count(10, 0, nul) + 1} has a NUL byte: is it a CSV file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ZooError(
            f"{name} line {line} is not UTF-8 (byte {error.object[error.start]:#x}): store it as UTF-8"
        ) from None


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """Let the csv module read fields of any length, because the size of the file is bounded already."""
    before = csv.field_size_limit(MOST_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _checked_names(names: Sequence[str], file: str) -> tuple[str, ...]:
    """Return the names of columns.

    Raises:
        ZooError: there are too many, or one is empty, too long or there twice, or all are numbers.
    """
    if not any(names):
        raise ZooError(f"{file} does not begin with the names of its columns")
    if len(names) > MOST_COLUMNS:
        raise ZooError(f"{file} has {len(names):,} columns, more than {MOST_COLUMNS:,}: take a part of them")
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name:
            raise ZooError(f"{file}: column {number} has no name: name or remove it (pandas writes its index this way)")
        if len(name) > LONGEST_NAME:
            raise ZooError(
                f"{file}: the name of column {number} has {len(name):,} characters, more than {LONGEST_NAME}: cut it"
            )
        if name in seen:
            raise ZooError(f"{file} has two columns '{shown(name)}': rename or remove one")
        seen.add(name)
    if all(NUMBER.fullmatch(name) for name in names):
        raise ZooError(f"{file} begins with numbers: its first line should name the columns")
    return tuple(names)


def _parquet(file: IO[bytes], name: str) -> tuple[tuple[str, ...], list[tuple[Value, ...]], list[str]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(file)
        stated = opened.metadata
        groups = (stated.row_group(number) for number in range(stated.num_row_groups))
        if stated.num_columns > MOST_COLUMNS or stated.num_rows * stated.num_columns > MOST_CELLS:
            raise ZooError(
                f"{name} has {stated.num_rows:,} rows of {stated.num_columns:,} columns, more than {MOST_CELLS:,} "
                f"values or {MOST_COLUMNS:,} columns: take a part"
            )
        if sum(group.total_byte_size for group in groups) > MOST_BYTES:
            raise ZooError(f"{name} unpacks to more than {MOST_BYTES:,} bytes: take a part of its rows")
        table = opened.read()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ZooError(f"{name} is a damaged Parquet file ({reason:.100}): mend or remove it") from None
    names = _checked_names(table.column_names, name)
    columns = [
        _values(column, f"{name}: column '{shown(title)}'") for title, column in zip(names, table.columns, strict=True)
    ]
    rows = list(zip(*columns, strict=True))
    return names, rows, [f"{Path(name).name} row {number}" for number in range(1, len(rows) + 1)]


def _values(column: Any, where: str) -> list[Value]:
    """Return the values of a column of Arrow: floats, text or None."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if types.is_null(kind):
        return [None] * len(column)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False).to_pylist()
    if types.is_boolean(kind):
        return [None if value is None else str(value).lower() for value in column.to_pylist()]
    if types.is_date(kind) or types.is_timestamp(kind):
        if types.is_timestamp(kind):
            column = column.cast(pa.timestamp("us", kind.tz), safe=False)
        return [None if value is None else _iso(value) for value in column.to_pylist()]
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return column.to_pylist()
    raise ZooError(f"{where} is {kind!s:.40}: a table takes numbers, text, dates and booleans; remove it")


def _iso(value: datetime.date) -> str:
    """Return a date, or a time in UTC to the second."""
    if not isinstance(value, datetime.datetime):
        return value.isoformat()
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value.isoformat(timespec="seconds")


def present(cell: Value, missing: frozenset[str] = MISSING) -> Value:
    """Return a cell as a value: text without spaces around it, and None where it stands for a missing one."""
    if isinstance(cell, str):
        cell = cell.strip()
        return None if cell.lower() in missing else cell
    return None if cell != cell else cell


def targets(frame: Frame, name: str, task: Literal["classes", "values"] | None = None) -> Targets:
    """Read a column as the target.

    Without a `task`, numbers are values, except for at most `MOST_CLASSES` integers that repeat; all else are classes.

    Raises:
        ZooError: there is no such column, there is one class only, or values are no numbers.
    """
    cells = frame.column(name, "--target")
    numbers = None if task == "classes" else _numbers(cells, frame.places, name, required=task == "values")
    if numbers is not None and (task == "values" or not _few([number for number in numbers if number is not None])):
        return Targets("values", (), numbers)
    # A class may be called None or NA.
    words = [_class(present(cell, MISSING if numbers is not None else NO_WORD)) for cell in cells]
    labels = tuple(sorted({word for word in words if word is not None}, key=natural))
    if len(labels) < 2:
        found = f"one class only, '{shown(labels[0])}'" if labels else "no values"
        raise ZooError(f"--target {shown(name)}: the column has {found}: at least two classes are needed")
    places = {label: place for place, label in enumerate(labels)}
    return Targets("classes", labels, [None if word is None else places[word] for word in words])


@dataclass(frozen=True)
class Goals:
    """The columns to predict: one, or several.

    Attributes:
        names: of the columns.
        task: classes or values; `several` where there are several columns.
        labels: the names of the classes, or of the value, or those of all columns.
        parts: the targets where there are several.
        values: for each row the target as `zoo.data.example.Example` has it, or the name of a column that is empty.
    """

    names: tuple[str, ...]
    task: str
    labels: tuple[str, ...]
    parts: tuple[Part, ...]
    values: list[int | tuple[float, ...] | str]

    def examples(
        self,
        frame: Frame,
        described: Callable[[int, int | tuple[float, ...]], Example | Unreadable],
        each: Callable[..., Iterable[Example | Unreadable]] = map,
    ) -> tuple[list[Example], tuple[Unreadable, ...]]:
        """Describe the rows of a frame by their number and target; those without a target are unreadable.

        `each` calls a function with each item and yields the results in order, as `map` does.
        """

        def of_row(number: int) -> Example | Unreadable:
            wanted = self.values[number]
            if isinstance(wanted, str):
                return Unreadable(frame.splits[number], None, frame.places[number], _empty(wanted))
            return described(number, wanted)

        found = [*each(of_row, range(len(self.values)))]
        return (
            [one for one in found if isinstance(one, Example)],
            tuple(one for one in found if isinstance(one, Unreadable)),
        )


def _empty(name: str) -> str:
    return f"column '{shown(name)}', the target, is empty"


def goals(frame: Frame, target: str) -> Goals:
    """Read the columns that `--target` names, with commas between several; each is read as `targets` reads one.

    Raises:
        ZooError: there is no such column, a column is named twice, there are too many, or one cannot be a target.
    """
    names = (target,) if target in frame.names else tuple(target.split(","))
    twice = [shown(name) for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ZooError(f"--target names a column twice: {listed(twice, most=3)}: name each once")
    if len(names) > MOST_TARGETS:
        raise ZooError(f"--target names {len(names)} columns, and {MOST_TARGETS} are the most: leave some out")
    check_names(names, frame.names, "--target")
    found = [targets(frame, name) for name in names]
    rows = zip(*(one.values for one in found), strict=True)
    empty = [next((name for name, cell in zip(names, row, strict=True) if cell is None), None) for row in rows]
    if len(names) == 1:
        (only,) = found
        cells = [cell if only.task == "classes" else (cell,) for cell in only.values]
        values: Any = [cell if name is None else name for name, cell in zip(empty, cells, strict=True)]
        return Goals(names, only.task, only.labels or names, (), values)
    from zoo.description import Part, labels_of

    parts = tuple(Part(name, one.task, one.labels or (name,)) for name, one in zip(names, found, strict=True))
    labels = labels_of(parts)
    same = [shown(label) for label in dict.fromkeys(labels) if labels.count(label) > 1]
    if same:
        raise ZooError(f"--target: '{same[0]}' is a label of two targets: rename a column")
    rows = zip(*(one.values for one in found), strict=True)
    values = [
        tuple(float(cell) for cell in row) if name is None else name for name, row in zip(empty, rows, strict=True)
    ]
    return Goals(names, "several", labels, parts, values)


def _numbers(cells: Sequence[Value], places: Sequence[str], name: str, *, required: bool) -> list[float | None] | None:
    """Return the numbers of a target; None if at least half of its cells are words, or all are missing.

    Raises:
        ZooError: a number is infinite or has a decimal comma, a cell among numbers is none, or there are none though
            they are required.
    """
    numbers: list[float | None] = []
    words: list[str] = []
    for cell, place in zip(cells, places, strict=True):
        value = present(cell)
        if value is None:
            numbers.append(None)
        elif isinstance(value, str) and not NUMBER.fullmatch(value) and not INFINITE.fullmatch(value):
            words.append(f"{value!r:.40} ({place})")
        elif not math.isfinite(float(value)):
            raise ZooError(f"{place}: the target '{shown(name)}' is infinite: mend or remove it")
        else:
            numbers.append(float(value))
    commas = [word for word in words if DECIMAL_COMMA.match(word[1:])]
    if 2 * len(commas) > len(cells):
        raise ZooError(f"--target {shown(name)}: the column has numbers with commas, {commas[0]}: write points")
    found = [number for number in numbers if number is not None]
    if required and not found:
        raise ZooError(f"--target {shown(name)}: the column has no numbers: choose another")
    if words and (required or len(found) > len(words)):
        raise ZooError(
            f"--target {shown(name)}: the column should have numbers, and {words[0]} is none: mend that, or choose "
            "another column"
        )
    return numbers if found and not words else None


def _few(numbers: Sequence[float]) -> bool:
    different = set(numbers)
    few = len(different) <= MOST_CLASSES and len(different) * ROWS_A_CLASS <= len(numbers)
    return few and all(number.is_integer() for number in different)


def _class(value: Value) -> str | None:
    number = float(value) if value is not None and (not isinstance(value, str) or NUMBER.fullmatch(value)) else None
    if number is not None and number.is_integer():
        return str(int(number))
    return None if value is None else str(value)


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
        elif column.kind == "word" and isinstance(value, float):
            value = _class(value)
        check(value, column)
        values.append(value)
    return tuple(values)


def row_digest(row: Row) -> bytes:
    """Return the SHA-256 of a row's values."""
    return hashlib.sha256(json.dumps(list(row)).encode()).digest()
