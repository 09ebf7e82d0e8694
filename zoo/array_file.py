"""Reading files of arrays (npz) that may come from anywhere: nothing in them is executed, and their size is bounded."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np


def read(path: Path, largest: int) -> dict[str, np.ndarray]:
    """Read the arrays of an npz file by name.

    The size that the archive states is checked before anything is unpacked: a small archive may unpack to any size.

    Raises:
        FileNotFoundError: the path is not a file: nothing is there, or something like a pipe, whose reader could wait
            forever.
        ValueError: the file unpacks to more than `largest` bytes, or contains Python objects.
        Exception: the file is damaged; zipfile, zlib and numpy raise more than ten types of exceptions.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > largest:
        raise ValueError(f"{size} bytes unpacked are more than {largest}")
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
