"""Decide which files are images: by their content, whatever their names are."""

from __future__ import annotations

from pathlib import Path

from zoo.data.names import natural
from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import open_header

SYSTEM_FILES = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
"""Files that operating systems leave in folders; they are ignored, as hidden files are."""

LARGEST_FILE = 256 * 2**20
"""Bytes; a larger file counts as an image that cannot be read."""

MOST_HIDDEN = 100
"""The most files of a hidden folder that are opened in search of an image."""


def read_image_file(path: Path) -> bytes:
    """Read the bytes of a file that should be an image.

    Raises:
        ZooError: it is no file, is too large, or cannot be read.
    """
    try:
        # Only files are opened, because reading a pipe would never end.
        if not path.is_file():
            raise ZooError("no file")
        if path.stat().st_size > LARGEST_FILE:
            raise ZooError(f"larger than {LARGEST_FILE >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ZooError(error.strerror or "cannot be read") from None


def reason_for_no_image(path: Path) -> str | None:
    """Return why a file is no image, None if its header is that of an image; what follows may yet be damaged."""
    try:
        open_header(read_image_file(path))
    except ZooError as error:
        return str(error)
    return None


def visible_entries(folder: Path) -> list[Path]:
    """Return the files and folders in a folder in natural order, without hidden files and system files."""
    return [path for path in _entries(folder) if not path.name.startswith(".") and path.name not in SYSTEM_FILES]


def hidden_images(folder: Path) -> list[Path]:
    """Return the images in a folder whose names begin with a dot, and the folders of such names that hold an image."""
    hidden = [path for path in _entries(folder) if path.name.startswith(".")]
    return [path for path in hidden if any(reason_for_no_image(file) is None for file in _files(path)[:MOST_HIDDEN])]


def _entries(folder: Path) -> list[Path]:
    """Return everything in a folder, in natural order.

    Raises:
        ZooError: the folder cannot be read.
    """
    try:
        return sorted(folder.iterdir(), key=lambda path: natural(path.name))
    except OSError as error:
        raise ZooError(f"{folder} cannot be read ({error.strerror}): give yourself the right to read it") from None


def _files(path: Path) -> list[Path]:
    """Return the file itself, or the files of a folder, none if it cannot be read."""
    try:
        return sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError:
        return []
