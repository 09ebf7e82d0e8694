"""The one rule of what an image file is: its content, whatever it is called."""

from __future__ import annotations

from pathlib import Path

from zoo.data.names import natural
from zoo.errors import ZooError
from zoo.preprocess import open_header

LITTER = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
"""What operating systems leave in folders; ignored, as hidden files are."""

LARGEST_FILE = 256 * 2**20
"""Bytes; a larger file counts as an image that cannot be read."""

LOOKED_AT = 100
"""Files of a hidden folder that are looked at for an image."""


def content(path: Path) -> bytes:
    """The bytes of a file that should be an image.

    Raises:
        ZooError: it is no file, is too large, or cannot be read.
    """
    try:
        # A pipe would never end: only files are opened.
        if not path.is_file():
            raise ZooError("no file")
        if path.stat().st_size > LARGEST_FILE:
            raise ZooError(f"larger than {LARGEST_FILE >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ZooError(error.strerror or "cannot be read") from None


def reason_for_no_image(path: Path) -> str | None:
    """Why the file is no image, judged by its header; None where it is one, which may yet be damaged further on."""
    try:
        open_header(content(path))
    except ZooError as error:
        return str(error)
    return None


def visible(folder: Path) -> list[Path]:
    """What is in a folder, hidden files and litter aside, in natural order."""
    return [path for path in entries(folder) if not path.name.startswith(".") and path.name not in LITTER]


def hidden_images(folder: Path) -> list[Path]:
    """The image files in a folder whose names begin with a dot, and the folders of such names that hold an image."""
    hidden = [path for path in entries(folder) if path.name.startswith(".")]
    return [path for path in hidden if any(reason_for_no_image(file) is None for file in _files(path)[:LOOKED_AT])]


def entries(folder: Path) -> list[Path]:
    """All that is in a folder, in natural order.

    Raises:
        ZooError: the folder cannot be read.
    """
    try:
        return sorted(folder.iterdir(), key=lambda path: natural(path.name))
    except OSError as error:
        raise ZooError(f"{folder} cannot be read ({error.strerror}): give yourself the right to") from None


def _files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder; none where it cannot be looked into."""
    try:
        return sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError:
        return []
