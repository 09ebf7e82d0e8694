"""Files and folders that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from zoo.errors import ZooError

LARGEST_JSON = 64 * 2**20
"""The most bytes of a JSON document that is read."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The numbers of the system's errors that tell of a full disk, or of a quota that is used up."""


def expanded(path: str | Path) -> Path:
    """Return a path with the home folder in place of `~`.

    Raises:
        ZooError: it names the home folder of a user that does not exist.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ZooError(f"{path!s:.200} names a home folder that does not exist: write the whole path") from None


def exists(path: str | Path) -> bool:
    """Return whether there is something at a path.

    Returns False where pathlib raises: for a list of files that is too long for a path, and, before Python 3.14, in a
    folder that is closed to this user.
    """
    try:
        return Path(path).exists()
    except OSError:
        return False


@contextlib.contextmanager
def staged_file(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write to; rename it to `target` when the block ends well, else remove it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = _staging(target)
    try:
        yield staging
        with staging.open("rb") as written:
            os.fsync(written.fileno())
        staging.replace(target)
    finally:
        staging.unlink(missing_ok=True)


@contextlib.contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; rename it to `target` when the block ends well, else remove it.

    Raises:
        ZooError: `target` exists already.
    """
    refuse_existing(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = _staging(target)
    try:
        staging.mkdir()
        yield staging
        refuse_existing(target)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def refuse_existing(target: Path) -> None:
    """Raise ZooError when `target` exists, or cannot be made."""
    if target.exists():
        raise ZooError(f"{target} exists already: choose another place, or remove it first")
    above = next(folder for folder in target.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        why = "you have no right to write there" if above.is_dir() else "it is a file"
        raise ZooError(f"{target} cannot be made in {above}: {why}: choose another place")


def unused(folder: Path, name: str) -> Path:
    """Return the first of `folder/name`, `folder/name-2`, `folder/name-3`, … that does not exist and is not staged.

    A verb that works for minutes calls this before its work, to check the place, and again right before it stages the
    folder, because another process may have taken the name.
    """
    target, number = folder / name, 1
    while target.exists() or _is_staged(target):
        number += 1
        target = folder / f"{name}-{number}"
    return target


def _staging(target: Path) -> Path:
    """Return a new temporary name beside `target`, with its suffix, by which numpy and others choose the format."""
    return target.with_name(f".{uuid.uuid4().hex[:8]}-{target.name}")


def _is_staged(target: Path) -> bool:
    """Return whether a process writes `target` under a temporary name, or was killed while it did."""
    return any(target.parent.glob(f".{'[0-9a-f]' * 8}-{glob.escape(target.name)}"))


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk: the names of its files, not their content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot flush a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 `text` to `target`, whole or not at all."""
    with staged_file(target) as staging:
        # Python decodes file names that are not UTF-8 to surrogates, which are written here as escapes of JSON.
        staging.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(target: Path, value: Any) -> None:
    """Write `value` to `target` as indented JSON, whole or not at all."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, how_to_mend: str) -> Any:
    """Read the JSON document at `path`.

    Raises:
        ZooError: it is not a file, has more than `LARGEST_JSON` bytes, or is not JSON. The message ends with
            `how_to_mend`.
    """
    try:
        # A device or a pipe, which may never end, is not a file.
        if not path.is_file():
            raise ZooError(f"{path} is missing: {how_to_mend}")
        if path.stat().st_size > LARGEST_JSON:
            raise ZooError(f"{path} has more than {LARGEST_JSON >> 20} MiB: {how_to_mend}")
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise ZooError(f"{path} cannot be read ({error}): {how_to_mend}") from None


def sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hidden(folder: Path) -> list[str]:
    """List the names of the hidden files and folders in `folder` itself, such as those of git and of file managers."""
    return sorted(path.name for path in folder.glob(".*"))


def files_below(folder: Path, without: Collection[str] = ()) -> list[Path]:
    """List the regular files below `folder`, sorted, but not the entries of `folder` itself with the names `without`.

    Raises:
        ZooError: there is something other than files and folders below `folder`: no hash would cover the target of a
            symbolic link, or a pipe.
    """
    entries = [path for path in folder.glob("*") if path.name not in without]
    below = [inside for path in entries if path.is_dir() and not path.is_symlink() for inside in path.rglob("*")]
    regular_files = []
    for path in sorted([*entries, *below]):
        if path.is_symlink():
            raise ZooError(
                f"{path} is a symbolic link, and an artifact holds regular files only: copy the folder with 'cp -rL', "
                "or download it with 'hf download --local-dir'"
            )
        if path.is_file():
            regular_files.append(path)
        elif not path.is_dir():
            raise ZooError(f"{path} is neither a file nor a folder: an artifact holds regular files only")
    return regular_files


def newest(root: Path, marker: str, finished: Callable[[Path], str | None]) -> Path | None:
    """Find the newest folder in `root` that holds the file `marker`.

    `finished(folder)` returns the time at which a folder was finished, as text that sorts; folders for which it returns
    None are left out. Returns None where no folder is left.
    """
    times = {}
    for path in root.glob(f"*/{marker}"):
        if not path.parent.name.startswith("."):
            time = finished(path.parent)
            if time is not None:
                times[path.parent] = time
    return max(times, key=lambda folder: times[folder]) if times else None
