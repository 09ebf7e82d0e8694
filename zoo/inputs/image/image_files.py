"""Decide which files are images: by their content, whatever their names are."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import open_header

LARGEST_FILE = 256 * 2**20
"""Bytes; a larger file counts as an image that cannot be read."""


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
