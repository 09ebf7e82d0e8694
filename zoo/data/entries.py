"""The entries of folders that hold examples: those that count, and those that are hidden."""

from __future__ import annotations

from pathlib import Path

from zoo.data.names import natural
from zoo.errors import ZooError

SYSTEM_FILES = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
"""Files that operating systems leave in folders; they are ignored, as hidden files are."""


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
