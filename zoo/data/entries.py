"""Files and folders that hold examples: reading a file, and the entries of a folder that count or are hidden."""

from __future__ import annotations

from pathlib import Path

from zoo.data.names import natural
from zoo.errors import ZooError

SYSTEM_FILES = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
"""Files that operating systems leave in folders; they are ignored, as hidden files are."""


LARGEST_FILE = 256 * 2**20
"""Bytes; a larger file counts as an example that cannot be read."""


def read_file(path: Path, largest: int = LARGEST_FILE) -> bytes:
    """Read the bytes of a file that should be an example.

    Raises:
        ZooError: it is no file, has more than `largest` bytes, or cannot be read.
    """
    try:
        # Only files are opened, because reading a pipe would never end.
        if not path.is_file():
            raise ZooError("no file")
        if path.stat().st_size > largest:
            raise ZooError(f"larger than {largest >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ZooError(error.strerror or "cannot be read") from None


def visible_entries(folder: Path) -> list[Path]:
    """Return the files and folders in a folder in natural order, without hidden files and system files.

    Raises:
        ZooError: the folder cannot be read.
    """
    return [path for path in _entries(folder) if not path.name.startswith(".") and path.name not in SYSTEM_FILES]


def hidden_entries(folder: Path) -> list[Path]:
    """Return the files and folders in a folder whose names begin with a dot, in natural order.

    Raises:
        ZooError: the folder cannot be read.
    """
    return [path for path in _entries(folder) if path.name.startswith(".")]


def files_of(path: Path) -> list[Path]:
    """Return a file itself, or the entries of a folder, none if it cannot be read."""
    try:
        return sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError:
        return []


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda path: natural(path.name))
    except OSError as error:
        raise ZooError(f"{folder} cannot be read ({error.strerror}): give yourself the right to read it") from None
