"""The folder in which zoo keeps what it can make again: indexes of folders, copies of stores, known answers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CACHE_DIR = "ZOO_CACHE_DIR"
"""The environment variable that names the folder."""

UNUSED_DAYS = 90
"""A file of the cache that was not used for this many days is removed when another one is written."""


def cache_dir() -> Path:
    """Return the folder of zoo's cache: the one in the variable ZOO_CACHE_DIR, or the platform's usual one."""
    if os.environ.get(CACHE_DIR):
        return Path(os.environ[CACHE_DIR]).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/zoo"
    # A path that is not absolute must be ignored (XDG Base Directory Specification 0.8).
    path = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (path if path.is_absolute() else Path.home() / ".cache") / "zoo"
