"""Files and folders that hold examples: reading a file, and the entries of a folder that count or are hidden."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.names import natural, shown
from zoo.errors import ZooError, listed
from zoo.text import Say

SYSTEM_FILES = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
"""Files that operating systems leave in folders; they are ignored, as hidden files are."""


LARGEST_FILE = 256 * 2**20
"""The size limit of a file in bytes: a larger one counts as an example that cannot be read."""

Stamp = tuple[int, int, int]
"""Size of a file in bytes, and the times in nanoseconds at which its content and its inode last changed."""

NO_FILE: Stamp = (-1, -1, -1)
"""The stamp of an entry that is not a file, such as a pipe or a broken link."""


def read_file(path: Path, largest: int = LARGEST_FILE) -> bytes:
    """Read the bytes of a file that should be an example.

    Raises:
        ZooError: the path is not a file, or the file has more than `largest` bytes or cannot be read.
    """
    try:
        status = path.stat()
        # Only regular files are opened, because reading a pipe would never end.
        if not stat.S_ISREG(status.st_mode):
            raise ZooError("no file")
        if status.st_size > largest:
            raise ZooError(f"larger than {largest >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        nothing = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
        raise ZooError("no file" if nothing else error.strerror or "cannot be read") from None


@dataclass(frozen=True)
class Listing:
    """The names of the entries of a folder, in natural order, without system files.

    Attributes:
        visible: those that do not begin with a dot.
        stamps: one for each entry in `visible`, `NO_FILE` if it is not a file; links are followed.
        folders: the folders among `visible`.
        hidden: the names that begin with a dot.
    """

    visible: list[str]
    stamps: list[Stamp]
    folders: list[str]
    hidden: list[str]


def listing(folder: Path) -> Listing:
    """List a folder.

    Raises:
        ZooError: the folder cannot be read.
    """
    visible, hidden = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    hidden.append(entry.name)
                elif entry.name not in SYSTEM_FILES:
                    visible.append((natural(entry.name), _stamp(entry), _is_folder(entry)))
    except OSError as error:
        raise ZooError(f"{folder} cannot be read ({error.strerror}): give yourself the right to read it") from None
    visible.sort()
    return Listing(
        visible=[name for (_, name), _, _ in visible],
        stamps=[stamp for _, stamp, _ in visible],
        folders=[name for (_, name), _, is_folder in visible if is_folder],
        hidden=sorted(hidden, key=natural),
    )


def _stamp(entry: os.DirEntry[str]) -> Stamp:
    try:
        status = entry.stat()
    except OSError:  # a broken link
        return NO_FILE
    regular = stat.S_ISREG(status.st_mode)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns) if regular else NO_FILE


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def visible_entries(folder: Path) -> list[Path]:
    """Return the files and folders in a folder in natural order, without hidden files and system files.

    Raises:
        ZooError: the folder cannot be read.
    """
    return [folder / name for name in listing(folder).visible]


def say_links(links: Sequence[Path], root: Path, say: Say) -> None:
    """Say which links to folders below `root` are left out."""
    if links:
        names = listed((shown(link.relative_to(root)) for link in links), most=3)
        say(f"left out: links to folders, which are not followed because they may form a cycle: {names}")


def files_of(path: Path) -> list[Path]:
    """Return the path of a file itself, or the entries of a folder; an empty list if the folder cannot be read."""
    try:
        return sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError:
        return []
