"""Read files that should be sound, and decide which files are: by their content, whatever their names are."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ZooError
from zoo.file_kinds import HEAD
from zoo.inputs.audio.preprocessing import format_of

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


def reason_for_no_sound(path: Path) -> str | None:
    """Return why a file is no sound, None if it begins as sound does; what follows may yet be damaged."""
    try:
        if not path.is_file():
            return "no file"
        with path.open("rb") as file:
            format_of(file.read(HEAD))
    except OSError as error:
        return error.strerror or "cannot be read"
    except ZooError as error:
        return str(error)
    return None
