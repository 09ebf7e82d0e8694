"""Read tables from files: CSV, also compressed by gzip, and Parquet.

A file becomes a `Frame` of cells. `targets` reads columns of it as classes or values, and `rows` the others as rows of
a network's columns. Texts and the names of images come from frames, too.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import gzip
import io
import itertools
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from zoo.data.names import column_name, shown
from zoo.data.splits import SPLIT_NAMES, like_a_split
from zoo.data.store_copy import local_copy
from zoo.errors import MissingFile, ZooError, listed
from zoo.files import exists, expanded
from zoo.inputs.table.cells import of_integer
from zoo.inputs.table.columns import LONGEST_NAME, NUMBER, Value, check_names
from zoo.stores import is_store
from zoo.text import Say, silent

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

DELIMITERS = "\t;,"
"""The delimiters of cells, ordered by how rarely names of columns contain them."""

FIRST_RECORDS = 10
"""The number of records that decide on the delimiter; the first one has the names of the columns."""

QUOTED = re.compile(r'(?:^|(?<=[,;\t]))"(?:[^"]|"")*"')
"""A name of a column in quotes, which may contain delimiters and line breaks."""


@dataclass(frozen=True)
class Frame:
    """A table as it is in files.

    Attributes:
        names: the names of the columns.
        rows: the cells; text as it is in the file, floats and None only from Parquet.
        places: the name of each row, such as `rows.csv line 7`. `read_frame` leaves out the folder of the file, which
            would fill a message.
        splits: `train`, `validation` or `test` for each row.
        classes: the columns whose values are classes according to the source, even if they are numbers.
        unreadable: further columns, whose type no network takes, such as lists: their names and types.
    """

    names: tuple[str, ...]
    rows: list[tuple[Value, ...]]
    places: list[str]
    splits: list[str]
    classes: frozenset[str] = frozenset()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def check_readable(self, wanted: Iterable[str], option: str) -> None:
        """Raise ZooError when a column for which `option` asks is unreadable."""
        for name in map(column_name, wanted):
            if name in self.unreadable:
                raise ZooError(
                    f"{option}: column '{shown(name)}' is {self.unreadable[name]}: convert it to numbers, text, dates "
                    "or booleans"
                )

    def column(self, name: str, option: str) -> list[Value]:
        """Return the cells of a column, for which `option` asks.

        Raises:
            ZooError: there is no such column, or it is unreadable.
        """
        self.check_readable((name,), option)
        check_names((name,), self.names, option)
        index = self.names.index(column_name(name))
        return [row[index] for row in self.rows]


def files(argument: str, folder: Path | None = None, say: Say = silent) -> dict[str, Path]:
    """Return the files of `FILE[,FILE…]`, in `folder` if it is given, by names with which to read them again.

    If the files lie in several folders, each is looked for in the same folder below `folder`, and in `folder` itself.
    `say` gets a message for each file that is copied from a store.

    Raises:
        ZooError: a file is named twice, or cannot be copied.
    """
    whole_path = expanded(argument)
    moved_path = folder / whole_path.name if folder and "," in whole_path.name else whole_path
    names = [str(whole_path)] if exists(moved_path) else argument.split(",")
    absolute_paths = [expanded(name).absolute() for name in names]
    common = os.path.commonpath([path.parent for path in absolute_paths])
    paths: dict[str, Path] = {}
    for name, absolute_path in zip(names, absolute_paths, strict=True):
        is_stored = is_store(name)
        if is_stored and not folder:
            path = local_copy(name, say, file=True)
        else:
            unresolved = _path_in_folder(absolute_path, folder, common) if folder else expanded(name)
            # The name of the file itself may say which split it is, also if it is a link to a file of another name.
            path = unresolved.parent.resolve() / unresolved.name
        paths[name if is_stored else str(path)] = path
    if len({path.resolve() for path in paths.values()}) < len(names):
        raise ZooError(f"{shown(argument)} names a file twice: name each once")
    return paths


def _path_in_folder(path: Path, folder: Path, common: str) -> Path:
    """Return the path of a file in another folder, which may lack the folders between the file and `common`."""
    nested_path, direct_path = folder / os.path.relpath(path, common), folder / path.name
    return direct_path if exists(direct_path) and not exists(nested_path) else nested_path


def read_frame(paths: Sequence[Path], names: Sequence[str] = ()) -> Frame:
    """Read files as one table; their columns are the same, in any order.

    Several files that are all called train, val or test are the splits of the data; else all rows are of the split
    `train`.

    Args:
        paths: the files.
        names: the names of the files as `files` returns them, such as URLs; by default, their paths.

    Raises:
        ZooError: a file is missing, damaged, too large or no table, the files differ in their columns, or some of
            several files look like splits and not all are, or none of them is train.
    """
    splits = [SPLIT_NAMES.get(_stem(path)) for path in paths]
    if len(paths) > 1:
        _check_splits(dict(zip(paths, names or map(str, paths), strict=True)), splits)
    frames: list[Frame] = []
    for path, split in zip(paths, splits, strict=True):
        frame = read_file(path, shown(path.name))
        frames.append(_with_column_order(frames[0], frame, path) if frames else frame)
        if split and len(paths) > 1:
            frames[-1].splits[:] = [split] * len(frame.rows)
    return Frame(
        frames[0].names,
        [row for frame in frames for row in frame.rows],
        [row_name for frame in frames for row_name in frame.places],
        [split for frame in frames for split in frame.splits],
        unreadable={name: type_name for frame in frames for name, type_name in frame.unreadable.items()},
    )


def _stem(path: Path) -> str:
    """Return the name of a file up to its first dot, in lower case."""
    return path.name.partition(".")[0].lower()


def _split_in_words(name: str) -> str | None:
    """Return the split that words of a name look like; None if they look like none, or like several."""
    splits = {like_a_split(word) for word in re.split(r"[\W_0-9]+", name)} - {None}
    return splits.pop() if len(splits) == 1 else None


def _ending(path: Path) -> str:
    """Return the end of the name of a file that says its format, such as .csv or .csv.gz."""
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:])


def _check_splits(paths: Mapping[Path, str], splits: Sequence[str | None]) -> None:
    """Check files by their names: if any looks like a split, all must be splits, and one of them train.

    Raises:
        ZooError: some files look like splits, and not all are splits or none is train.
    """
    same_names = len({path.name for path in paths}) < len(paths)  # such as train/rows.csv and test/rows.csv
    file_names = {path: "/".join(Path(name).parts[-2:]) if same_names else path.name for path, name in paths.items()}
    likely_splits = {path: split for path in paths if (split := like_a_split(_stem(path)))}
    splits_in_names = {path: split for path, name in file_names.items() if (split := _split_in_words(name))}
    if len({*splits_in_names.values()}) > 1:  # such as reviews_train.csv and reviews_test.csv
        likely_splits |= splits_in_names
    others = [path for path, split in zip(paths, splits, strict=True) if split is None]
    if not likely_splits or (not others and "train" in splits):
        return

    def names(selected: Iterable[Path]) -> str:
        return listed((f"'{shown(file_names[path])}'" for path in selected), most=3)

    start = f"some files look like splits ({names(likely_splits)}), but "
    if not others:
        raise ZooError(f"{start}none is called train: name the file to train on, too, or give all files other names")
    new_names = {path: likely_splits[path] + _ending(path) for path in others if path in likely_splits}
    if len({*new_names.values()}) < len(new_names):
        new_names = {}  # two files cannot have the same name
    renames = listed((f"'{shown(file_names[path])}' to {shown(name)}" for path, name in new_names.items()), most=3)
    raise ZooError(
        f"{start}{names(others)} {'is' if len(others) == 1 else 'are'} not called train, val or test: "
        + (f"rename {renames}, " if renames else "call each file after its split, ")
        + "or give all files other names"
    )


def _with_column_order(first: Frame, frame: Frame, path: Path) -> Frame:
    """Return a frame with its columns in the order of the first one."""
    different_names = [*(set(first.names) ^ set(frame.names))]
    if different_names:
        raise ZooError(
            f"{shown(path)} differs from the first file in its columns "
            f"({listed(sorted(map(shown, different_names)), most=3)}): give all files the same"
        )
    column_order = [frame.names.index(name) for name in first.names]
    rows = [tuple(row[index] for index in column_order) for row in frame.rows]
    return Frame(first.names, rows, frame.places, frame.splits, unreadable=frame.unreadable)


def read_file(path: Path, title: str, taken: Sequence[str] = ()) -> Frame:
    """Read one file, as a table of the split `train`.

    Args:
        path: the file.
        title: the name of the file in the names of its rows.
        taken: the columns that the network takes, if there is one: a first line that has them all names columns, even
            if the names are numbers.

    Raises:
        ZooError: it is missing, damaged, too large or no table.
    """
    name = shown(path)
    if path.is_dir():
        raise ZooError(f"{name} is a folder: name the CSV or Parquet files in it")
    if not path.is_file():
        raise MissingFile(f"there is no file {name}")
    size = path.stat().st_size
    if not size:
        raise ZooError(f"{name} is empty: a table begins with a line of its columns' names")
    if size > MOST_BYTES:
        raise ZooError(f"{name} has {size:,} bytes, more than {MOST_BYTES:,}: take a part of its rows")
    with path.open("rb") as file:
        first_bytes = file.read(len(PARQUET))
        file.seek(0)
        if first_bytes == PARQUET:
            frame = _parquet(file, name, title)
        elif first_bytes.startswith(GZIP):
            with gzip.open(file) as unpacked:
                frame = _csv(unpacked, name, title, taken)
        else:
            frame = _csv(file, name, title, taken)
    if not frame.rows:
        raise ZooError(f"{name} has the names of columns, but no rows")
    return frame


def _csv(file: IO[bytes] | gzip.GzipFile, name: str, title: str, taken: Sequence[str]) -> Frame:
    text = _text(file, name)
    rows: list[tuple[Value, ...]] = []
    row_names: list[str] = []
    with _long_fields():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        try:
            names = _checked_names(next(reader, []), name)
            has_taken = bool(taken) and {*map(column_name, taken)} <= {*names}
            if not has_taken and all(NUMBER.fullmatch(column) for column in names):
                raise ZooError(f"{name} begins with numbers: its first line should name the columns")
            for cells in reader:
                # A line without any character is not a row.
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise ZooError(
                        f"{name} line {reader.line_num} has {len(cells)} values, not the {len(names)} of the first "
                        "line: fix it (put a value with a comma in quotes)"
                    )
                rows.append(tuple(cells))
                row_names.append(f"{title} line {reader.line_num}")
                if len(rows) * len(names) > MOST_CELLS:
                    raise ZooError(f"{name} has more than {MOST_CELLS:,} values: take a part of its rows or columns")
        except csv.Error as error:
            raise ZooError(f"{name} line {reader.line_num} is not CSV ({error}): fix its quotes") from None
    return Frame(names, rows, row_names, ["train"] * len(rows))


def _delimiter(text: str) -> str:
    """Return the delimiter in the names of the columns that divides all first records into the same number of cells.

    If several delimiters do, or none does, return the delimiter that is most frequent in the names.
    """
    start = text[:LONGEST_HEADER]
    header = QUOTED.sub("", start).partition("\n")[0]
    delimiters = sorted((delimiter for delimiter in DELIMITERS if delimiter in header), key=header.count, reverse=True)
    if len(delimiters) < 2:
        return delimiters[0] if delimiters else ","
    return next((delimiter for delimiter in delimiters if _divides(start, delimiter)), delimiters[0])


def _divides(text: str, delimiter: str) -> bool:
    """Return whether a delimiter divides the first records of a text into the same number of cells, at least two."""
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        counts = {len(cells) for cells in itertools.islice(filter(None, records), FIRST_RECORDS)}
    except csv.Error:
        return False
    return len(counts) == 1 and counts != {1}


def _text(file: IO[bytes] | gzip.GzipFile, name: str) -> str:
    """Read a whole file of UTF-8, decompressed, but only if its first line has a reasonable length."""
    try:
        content = file.read(LONGEST_HEADER)
        if len(content) == LONGEST_HEADER and b"\n" not in content:
            raise ZooError(f"{name} has a first line of more than {LONGEST_HEADER:,} bytes: is it a table?")
        content += file.read(MOST_BYTES + 1 - len(content))
    except (OSError, EOFError, zlib.error) as error:
        raise ZooError(f"{name} cannot be read: {error}: fix or remove it") from None
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
    """Return the names of columns, without spaces around them and in Unicode's form NFC.

    Raises:
        ZooError: there are too many, or a name is empty, too long or repeated.
    """
    names = [column_name(name) for name in names]
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
    return tuple(names)


def _parquet(file: IO[bytes], name: str, title: str) -> Frame:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        parquet_file = parquet.ParquetFile(file)
        metadata = parquet_file.metadata
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        if metadata.num_columns > MOST_COLUMNS or metadata.num_rows * metadata.num_columns > MOST_CELLS:
            raise ZooError(
                f"{name} has {metadata.num_rows:,} rows of {metadata.num_columns:,} columns, more than {MOST_CELLS:,} "
                f"values or {MOST_COLUMNS:,} columns: take a part"
            )
        if sum(group.total_byte_size for group in groups) > MOST_BYTES:
            raise ZooError(f"{name} unpacks to more than {MOST_BYTES:,} bytes: take a part of its rows")
        table = parquet_file.read()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ZooError(f"{name} is a damaged Parquet file ({reason:.100}): fix or remove it") from None
    columns: dict[str, list[Value]] = {}
    unreadable: dict[str, str] = {}
    for heading, column in zip(_checked_names(table.column_names, name), table.columns, strict=True):
        try:
            values = _values(column)
        except (pa.ArrowException, OverflowError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ZooError(
                f"{name}: column '{shown(heading)}' has a value that cannot be read ({reason:.100}): fix or remove it"
            ) from None
        if values is None:
            unreadable[heading] = f"{column.type!s:.40}"
        else:
            columns[heading] = values
    if not columns:
        raise ZooError(f"{name} has no column of numbers, text, dates or booleans: convert one to these")
    rows = list(zip(*columns.values(), strict=True))
    row_names = [f"{title} row {number}" for number in range(1, len(rows) + 1)]
    return Frame(tuple(columns), rows, row_names, ["train"] * len(rows), unreadable=unreadable)


def _values(column: Any) -> list[Value] | None:
    """Return the values of a column of Arrow: floats, text or None; None if no network takes its type."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    arrow_type = column.type
    if types.is_null(arrow_type):
        return [None] * len(column)
    if types.is_integer(arrow_type):
        return [None if number is None else of_integer(number) for number in column.to_pylist()]
    if types.is_floating(arrow_type) or types.is_decimal(arrow_type):
        return column.cast(pa.float64(), safe=False).to_pylist()
    if types.is_boolean(arrow_type):
        return [None if value is None else str(value).lower() for value in column.to_pylist()]
    if types.is_date(arrow_type) or types.is_timestamp(arrow_type):
        if types.is_timestamp(arrow_type):
            # Arrow stores times in UTC. Without their zone, which may be unknown here, pyarrow (26.0) returns them so.
            column = column.cast(pa.timestamp("us"), safe=False)
        return [None if value is None else _iso(value) for value in column.to_pylist()]
    if types.is_string(arrow_type) or types.is_large_string(arrow_type) or types.is_string_view(arrow_type):
        return column.to_pylist()
    return None


def _iso(value: datetime.date) -> str:
    """Return a date, or a time to the second."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime.datetime) else value.isoformat()
