"""Decide which files are images, by their content instead of their names."""

from __future__ import annotations

from pathlib import Path

from zoo.data.entries import read_file
from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import open_header


def reason_for_no_image(path: Path) -> str | None:
    """Return why a file is not an image; None if its header is that of an image, even if the rest is damaged."""
    try:
        open_header(read_file(path))
    except ZooError as error:
        return str(error)
    return None
