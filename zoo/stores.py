"""Object stores, `s3://` and `gs://`: listing them, and copying files from and to them.

fsspec accesses them with the libraries s3fs and gcsfs, which find credentials where the tools of Amazon and Google do:
in environment variables, in files in the home folder, and on the machine itself. AWS_ENDPOINT_URL names another server
with S3's protocol. etils.epath is not used: if TensorFlow is installed, etils 1.15 reads `s3://` with it, which
TensorFlow 2.21 does not support; and it sends a request for the size of each file.

Stores have no folders and no renames: a folder that is written there appears file by file.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from zoo.errors import ZooError, class_and_message
from zoo.files import FULL, expanded

LIBRARIES = {"s3": "s3fs", "gs": "gcsfs"}
"""The scheme of each store, which is also the name of zoo's extra, and its library."""

URL = re.compile(rf"({'|'.join(LIBRARIES)}):/+([^/].*)")
"""The URL of a place in a store, also as `Path` spells it, with one slash."""

OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"use_listings_cache": False, "config_kwargs": {"connect_timeout": 10, "retries": {"max_attempts": 2}}},
    "gs": {"use_listings_cache": False},
}
"""The options of each library: no cached listings, and no waiting for minutes until a server answers."""

AT_ONCE = 16
"""The number of files that are copied at once: a request takes long, but hardly any processor time."""

REASON = 200
"""The most characters of a library's message that are shown."""


def is_store(place: object) -> bool:
    """Return whether a path names a place in a store."""
    return URL.fullmatch(str(place)) is not None


def check_path(path: object) -> None:
    """Raise ZooError if `path` is not a path but an object such as an array, a network, or the bytes of a file."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise ZooError(f"a path is needed, not an object of type {type(path).__name__}: name a file or a folder")


def local_path(path: str | os.PathLike[str]) -> Path:
    """Return a path that must be on this machine as a `Path`, with the home folder in place of `~`.

    Raises:
        ZooError: it is not a path, names a place in a store, or names the home folder of a user that does not exist.
    """
    check_path(path)
    match = URL.fullmatch(str(path))
    if match:
        raise ZooError(
            f"{match[1]}://{match[2]} is in an object store, and only --data and 'zoo copy' use stores: name a folder "
            "on this machine, and copy it with 'zoo copy'"
        )
    return expanded(Path(path))


@dataclass(frozen=True)
class Entry:
    """A file in a store.

    Attributes:
        path: its path, as the library spells it.
        size: its size in bytes.
        stamp: a text that changes whenever the file does: its size, its time, and the store's digest or generation.
    """

    path: str
    size: int
    stamp: str


@dataclass(frozen=True)
class Store:
    """A place in a store: one file, or all files whose names begin with it and a slash."""

    url: str
    scheme: str
    path: str

    @staticmethod
    def at(url: str) -> Store:
        """Return the place that a URL names."""
        match = URL.fullmatch(url)
        assert match, url
        return Store(url, match[1], match[2].rstrip("/"))

    @functools.cached_property
    def _system(self) -> Any:
        library = LIBRARIES[self.scheme]
        try:
            importlib.import_module(library)
        except ImportError:
            raise ZooError(f"{self.url} needs {library}: pip install 'keras-zoo[{self.scheme}]'") from None
        import fsspec

        return fsspec.filesystem(self.scheme, **OPTIONS[self.scheme])

    def entries(self) -> dict[str, Entry]:
        """Return the files by their names relative to this place; if the place is a file, that file by its own name.

        Raises:
            ZooError: the store cannot be read, or a file on this machine could not have such a name.
        """
        listing = self._ask("cannot be listed", lambda: self._system.find(self.path, detail=True))
        entries = {}
        for path, about in listing.items():
            name = path.removeprefix(self.path).removeprefix("/") or PurePosixPath(path).name
            # The stores' web consoles make an empty file with a name that ends with a slash for a new folder.
            if path.endswith("/") or about.get("type") == "directory":
                continue
            if any(part in ("", ".", "..") or "\0" in part for part in name.split("/")):
                raise ZooError(f"{self.url} has a file '{name:.100}', which no folder can hold: rename it")
            marks = (about.get(key) for key in ("ETag", "etag", "generation", "LastModified", "updated"))
            stamp = " ".join(str(mark) for mark in (about["size"], *marks) if mark)
            entries[name] = Entry(path, int(about["size"]), stamp)
        return entries

    def fetch(self, entry: Entry, target: Path) -> None:
        """Write a file of the store to a path on this machine.

        Raises:
            ZooError: the file cannot be read, or has changed since it was listed.
            OSError: the disk of this machine is full.
        """
        self._ask("cannot be read", lambda: self._system.get_file(entry.path, str(target)))
        if target.stat().st_size != entry.size:
            raise ZooError(f"{self.scheme}://{entry.path} changed while it was read: start again")

    def send(self, source: Path, name: str) -> None:
        """Write a file of this machine to the store.

        Raises:
            ZooError: the file cannot be written.
        """
        self._ask("cannot be written", lambda: self._system.put_file(str(source), f"{self.path}/{name}"))

    def _ask(self, failure: str, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except ZooError:
            raise
        except Exception as error:  # the libraries raise errors of their own, of aiohttp, of botocore and of the system
            if isinstance(error, OSError) and error.errno in FULL:
                raise  # the disk of this machine is full: s3fs 2026.9 has other numbers for the answers of a store
            reason = class_and_message(error, REASON)
            raise ZooError(
                f"{self.url} {failure} ({reason}): fix the name, the credentials or the connection to the store"
            ) from None


def total(entries: Iterable[Entry]) -> int:
    """Return the total size of files in bytes."""
    return sum(entry.size for entry in entries)
