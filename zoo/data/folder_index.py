"""An index of a folder of examples: the facts found by reading each file, so that the next start need not read them.

A file counts as unchanged while its size and the times at which its content and its inode changed are the same. The
index is a file in the user's cache: an archive of arrays, without code. It may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib
import importlib.metadata
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import array_file, files
from zoo.data.example import Example
from zoo.errors import one_line
from zoo.input import Input
from zoo.text import Say
from zoo.user_cache import UNUSED_DAYS, cache_dir

FEWEST = 1000
"""The fewest files of a folder with an index: smaller folders are read in a second or two."""

SETTLED = 2 * 10**9
"""A time in nanoseconds: a file that changed less than this time before it was read is read again next time.

Some file systems count times in steps of two seconds, and a second change within a step leaves no trace.
"""

LARGEST = 2**32
"""The most bytes that an index may unpack to, enough for 20 million files."""

VERSION = 1
"""The version of the file's layout."""

NAMES, STAMPS, DIGESTS, SIZES, ABOUT = "names", "stamps", "digests", "sizes", "about"
"""The arrays of an index, in addition to those of the fields of `Example.content` and `Example.traits`."""

TEXTS = "texts"
"""The key of `ABOUT` with the fields that are texts, most of which are empty."""

TYPES: dict[str, Any] = {"bool": np.bool_, "int": np.int64, "float": np.float64, "str": str}
"""The types that a field may have, and the types with which they are stored."""


@dataclass(frozen=True, eq=False)
class Index:
    """The known facts about the files of a folder.

    Attributes:
        places: the row of each file by its name, the path from the folder to it.
        stamps: int64 [files, 3], see `zoo.data.entries.Stamp`.
        digests: uint8 [files, 32], `Example.digest`.
        sizes: int64 [files], `Example.size`.
        content: the values of `Example.content` by field, without its path: an array [files], or texts by row.
        traits: the values of `Example.traits` by field, in the same form.
        records: the classes of content and traits.
    """

    places: dict[str, int]
    stamps: np.ndarray
    digests: np.ndarray
    sizes: np.ndarray
    content: dict[str, Any]
    traits: dict[str, Any]
    records: tuple[type, type | None]

    def rows(self, names: Sequence[str], stamps: np.ndarray) -> np.ndarray:
        """Return the row of each file, int64 [files], -1 for a file that is new or has changed.

        Args:
            names: the files, by their paths from the folder.
            stamps: int64 [files, 3].
        """
        rows = np.fromiter((self.places.get(name, -1) for name in names), np.int64, len(names))
        in_index = np.flatnonzero(rows >= 0)
        changed = (self.stamps[rows[in_index]] != stamps[in_index]).any(1)
        rows[in_index[changed]] = -1
        return rows

    def known(self, rows: np.ndarray, paths: Iterable[str]) -> Iterator[tuple[Any, int, bytes, Any]]:
        """Yield content, size, digest and traits of the example in each row; `paths` are the paths of the files."""
        content, traits = self.records
        digests = self.digests[rows].tobytes()
        columns = self.sizes[rows].tolist(), _values(self.content, rows), _values(self.traits, rows), paths
        for number, (size, fields, described, path) in enumerate(zip(*columns, strict=True)):
            digest = digests[32 * number : 32 * number + 32]
            yield content(path, *fields), size, digest, traits(*described) if traits else None


def index_path(root: Path, kind: Input) -> Path:
    """Return the path of the index of the files of one kind below `root`, which must be an absolute path."""
    return cache_dir() / "folders" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}-{kind.kind}.npz"


def read(root: Path, kind: Input, say: Say) -> Index | None:
    """Read the index of the files of one kind below a folder; return None if there is no usable index.

    If an index exists and cannot be used, `say` is called with the reason in one line.
    """
    path = index_path(root, kind)
    try:
        index = _read(path, _about(root, kind), kind.data.RECORDS)
    except FileNotFoundError:
        return None
    except Exception as error:  # zipfile, zlib, json and numpy raise more than ten kinds
        reason = one_line(error, 120)
        say(f"the index {path} is not used ({reason}): every file is read, and the index is written again")
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return index


def write(
    root: Path,
    kind: Input,
    names: Sequence[str],
    stamps: np.ndarray,
    examples: Sequence[Example],
    started: int,
    say: Say,
) -> None:
    """Write the index of a folder, whole or not at all.

    Args:
        root: the folder, an absolute path.
        kind: the kind of input.
        names: the files that could be read, by their paths from the folder.
        stamps: int64 [files, 3], taken before the files were read.
        examples: the examples in the files.
        started: the time in nanoseconds at which the stamps were taken.
        say: called with the reason in one line if the index cannot be written.
    """
    settled = np.flatnonzero(stamps[:, 1:].max(1, initial=0) <= started - SETTLED).tolist()
    kept = [examples[position] for position in settled]
    arrays: dict[str, Any] = {
        STAMPS: stamps[settled],
        NAMES: np.frombuffer(b"\0".join(os.fsencode(names[position]) for position in settled), np.uint8),
        DIGESTS: np.frombuffer(b"".join(example.digest for example in kept), np.uint8).reshape(-1, 32),
        SIZES: np.array([example.size for example in kept], np.int64),
    }
    texts: dict[str, dict[int, str]] = {}
    content, traits = ([example.content for example in kept], [example.traits for example in kept])
    for name, field, values in _columns(kind.data.RECORDS, content, traits):
        column = [getattr(value, field.name) for value in values]
        if _type(field) is str:
            texts[name] = {row: text for row, text in enumerate(column) if text}
        else:
            arrays[name] = np.array(column, _type(field))
    about = json.dumps({**_about(root, kind), TEXTS: texts})
    arrays[ABOUT] = np.frombuffer(about.encode(), np.uint8)
    path = index_path(root, kind)
    try:
        with files.staged_file(path) as staging:
            np.savez(staging, allow_pickle=False, **arrays)
        _remove_unused(path.parent)
    except OSError as error:
        say(f"no index is kept in {path.parent} ({error.strerror or error}): the next start will read every file again")


def _about(root: Path, kind: Input) -> dict[str, Any]:
    """Return the facts that decide whether an index can be used: its folder, and everything that its rows depend on."""
    libraries = sorted({*kind.client_libraries.values(), *kind.data_libraries.values()})
    return {
        "version": VERSION,
        "root": os.fsencode(root).hex(),
        "kind": kind.kind,
        "code": _code(kind.data_module),
        "libraries": {name: _version(name) for name in libraries},
    }


@functools.cache
def _code(module: str) -> str:
    """Return a digest of the source code of the package that contains a module: the code that reads the files."""
    file = importlib.import_module(module).__file__
    digest = hashlib.sha256()
    for path in sorted(Path(file).parent.glob("*.py")) if file else ():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _columns(records: tuple[type, type | None], *sides: Any) -> Iterator[tuple[str, dataclasses.Field[Any], Any]]:
    """Yield each stored field of content and traits: its name, the field, and the element of `sides` for its record.

    Every field is stored except the path, which is the first field of content.
    """
    for prefix, skipped, record, side in zip(("content", "traits"), (1, 0), records, sides, strict=True):
        for field in dataclasses.fields(record)[skipped:] if record else ():
            yield f"{prefix}.{field.name}", field, side


def _type(field: dataclasses.Field[Any]) -> Any:
    """Return the type that a field is stored as.

    Raises:
        KeyError: the field is not a str, int, float or bool.
    """
    return TYPES[field.type if isinstance(field.type, str) else field.type.__name__]


def _read(path: Path, expected: dict[str, Any], records: tuple[type, type | None]) -> Index:
    """Read an index.

    Raises:
        FileNotFoundError: there is no index.
        Exception: the index is damaged, or its facts differ from `expected`.
    """
    arrays = array_file.read(path, LARGEST)
    about = json.loads(arrays[ABOUT].tobytes())
    texts = about.pop(TEXTS)
    if about != expected:
        differing = sorted(key for key in {*about, *expected} if about.get(key) != expected.get(key))
        raise ValueError(f"it belongs to another {', '.join(differing)}")
    joined = arrays[NAMES].tobytes()
    names = [os.fsdecode(name) for name in joined.split(b"\0")] if joined else []
    count = len(names)
    forms = {STAMPS: ((count, 3), np.int64), DIGESTS: ((count, 32), np.uint8), SIZES: ((count,), np.int64)}
    content: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    for name, field, values in _columns(records, content, traits):
        if _type(field) is str:
            values[field.name] = {int(row): str(text) for row, text in texts[name].items()}
        else:
            values[field.name], forms[name] = arrays[name], ((count,), _type(field))
    for name, (shape, dtype) in forms.items():
        if arrays[name].shape != shape or arrays[name].dtype != dtype:
            raise ValueError(f"its {name} are {arrays[name].dtype} {list(arrays[name].shape)}")
    rows = {name: row for row, name in enumerate(names)}
    return Index(rows, arrays[STAMPS], arrays[DIGESTS], arrays[SIZES], content, traits, records)


def _values(columns: dict[str, Any], rows: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Yield the values of each row as Python numbers and texts."""
    if not columns:
        return iter([()] * len(rows))
    of_rows = (
        [column.get(row, "") for row in rows.tolist()] if isinstance(column, dict) else column[rows].tolist()
        for column in columns.values()
    )
    return zip(*of_rows, strict=True)


def _remove_unused(folder: Path) -> None:
    oldest = time.time() - UNUSED_DAYS * 24 * 60 * 60
    for path in folder.glob("*.npz"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
