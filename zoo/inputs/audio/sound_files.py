"""Decide which files are sound, by their content instead of their names."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ZooError
from zoo.file_kinds import HEAD
from zoo.inputs.audio.preprocessing import format_of


def reason_for_no_sound(path: Path) -> str | None:
    """Return why a file is not sound; None if it begins as sound does, even if the rest is damaged."""
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
