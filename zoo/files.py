"""Files and folders that a reader never sees half of: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zoo.errors import ZooError


@contextlib.contextmanager
def staged_file(target: Path) -> Iterator[Path]:
    """A path beside `target` to write to; renamed to `target` when the block ends well, removed when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: numpy and others go by it.
    staging = target.with_name(f".{uuid.uuid4().hex[:8]}-{target.name}")
    try:
        yield staging
        with staging.open("rb") as written:
            os.fsync(written.fileno())
        staging.replace(target)
    finally:
        staging.unlink(missing_ok=True)


@contextlib.contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`; renamed to `target` when the block ends well, removed when it does not.

    Raises:
        ZooError: `target` exists already.
    """
    refuse_existing(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.with_name(f".{uuid.uuid4().hex[:8]}-{target.name}")
    try:
        staging.mkdir()
        yield staging
        refuse_existing(target)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def refuse_existing(target: Path) -> None:
    """Raise ZooError when something stands at `target`."""
    if target.exists():
        raise ZooError(f"{target} exists already: choose another --out, or remove it first")


def unused(folder: Path, name: str) -> Path:
    """`folder/name`, or `folder/name-2`, `folder/name-3`, …: the first that does not exist."""
    target, number = folder / name, 1
    while target.exists():
        number += 1
        target = folder / f"{name}-{number}"
    return target


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the entries of a folder: the names of its files, not what is in them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot, and then there is nothing to wait for.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 `text` to `target`, whole or not at all."""
    with staged_file(target) as staging:
        # Names of files that are no UTF-8 come as surrogates; written so, they are JSON's own escapes.
        staging.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(target: Path, value: Any) -> None:
    """Write `value` to `target` as indented JSON, whole or not at all."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, how_to_mend: str) -> Any:
    """The JSON document at `path`.

    Raises:
        ZooError: it is missing or is not JSON; `how_to_mend` ends the message.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ZooError(f"{path} is missing: {how_to_mend}") from None
    except (ValueError, OSError, RecursionError) as error:
        raise ZooError(f"{path} cannot be read ({error}): {how_to_mend}") from None


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Every regular file below `folder`, in sorted order; links are refused.

    Raises:
        ZooError: something below is a symbolic link, whose target no hash would cover.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ZooError(f"{path} is a symbolic link: an artifact holds plain files only")
        if path.is_file():
            found.append(path)
    return found


def newest(root: Path, marker: str, finished: Callable[[Path], str | None]) -> Path | None:
    """The newest folder below `root` that holds `marker`.

    Newest by `finished(folder)`, a time as text; None where no folder has one.
    """
    times = {}
    for path in root.glob(f"*/{marker}"):
        if not path.parent.name.startswith("."):
            time = finished(path.parent)
            if time is not None:
                times[path.parent] = time
    return max(times, key=lambda folder: times[folder]) if times else None
