"""Read files that should be sound."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ZooError

LARGEST_FILE = 256 * 2**20
"""Bytes; a larger file counts as one that cannot be read."""


def read_sound_file(path: Path) -> bytes:
    """Read the bytes of a file that should be sound.

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
