"""The copy of data from an object store in the user's cache, which each start brings up to date.

All code that reads data can therefore work on files: the index, the threads that decode, and TensorFlow. Each file is
fetched once. It counts as unchanged while its stamp in the store's listing is the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from zoo import files, stores
from zoo.errors import ZooError
from zoo.stores import Entry, Store
from zoo.text import Say
from zoo.user_cache import UNUSED_DAYS, cache_dir

STAMPS = "stamps.json"
"""The name of the file next to a copy that has the stamp of each copied file."""

STAGING = ".incoming-"
"""The prefix of the names of files that are being copied; those of a killed process are removed after a day."""

SPARE = 2**30
"""The number of bytes that stay free on the disk."""


def folder_of(argument: str, say: Say) -> tuple[Path, str]:
    """Return the folder that a source reads, and its argument as runs record it; copy a folder that is in a store.

    Raises:
        ZooError: the folder is in a store and cannot be copied.
    """
    if stores.is_store(argument):
        return local_copy(argument, say), argument
    folder = files.expanded(argument).resolve()
    return folder, str(folder)


def local_copy(url: str, say: Say, *, file: bool = False) -> Path:
    """Return the path of an up-to-date copy of a file in a store, or of a folder with everything below it.

    Args:
        url: the file or the folder in the store.
        say: called before files are copied.
        file: whether `url` has to be a file; a folder is then refused before anything is copied.

    Raises:
        ZooError: nothing exists at `url`, it is a folder instead of a file, it cannot be read, or it does not fit on
            the disk.
    """
    store = Store.at(url)
    entries = store.entries()
    if not entries:
        raise ZooError(f"there is nothing at {url}: name a folder or a file in the store")
    name = PurePosixPath(store.path).name
    cache_folder = cache_dir() / "stores" / hashlib.sha256(f"{store.scheme}:{store.path}".encode()).hexdigest()[:32]
    one_file = [*entries] == [name] and entries[name].path == store.path
    if file and not one_file:
        raise ZooError(f"{url} is a folder: name the files in it, such as {url.rstrip('/')}/{next(iter(entries))}")
    root = cache_folder / ("file" if one_file else name)
    copy = root / name if one_file else root
    recorded_stamps = _recorded_stamps(cache_folder)
    new = {name: entry for name, entry in entries.items() if not _unchanged(root, name, entry, recorded_stamps)}
    _remove_others(root, entries)
    if new:
        _refuse_too_large(url, cache_folder, stores.total(new.values()))
        size = f"{stores.total(new.values()) / 1e6:,.1f} MB"
        say(f"copying {len(new):,} of {len(entries):,} files, {size}, from {url} to {copy}")
    stamps = {name: recorded_stamps[name] for name in entries.keys() - new.keys()}
    try:
        with ThreadPoolExecutor(stores.AT_ONCE) as pool:
            fetched = {
                name: pool.submit(_fetch, store, entry, cache_folder, root / name) for name, entry in new.items()
            }
            try:
                for name, done in fetched.items():
                    done.result()
                    stamps[name] = new[name].stamp
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        # The files that an interrupted start has fetched are kept, too.
        files.write_json(cache_folder / STAMPS, {"url": url, "stamps": stamps})
    _remove_unused(cache_folder.parent)
    return copy


def _recorded_stamps(cache_folder: Path) -> dict[str, str]:
    """Return the stamp that each file of a copy had when it was fetched."""
    try:
        stamps = json.loads((cache_folder / STAMPS).read_text(encoding="utf-8"))["stamps"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {str(name): str(stamp) for name, stamp in stamps.items()} if isinstance(stamps, dict) else {}


def _unchanged(root: Path, name: str, entry: Entry, recorded_stamps: dict[str, str]) -> bool:
    try:
        return recorded_stamps.get(name) == entry.stamp and (root / name).stat().st_size == entry.size
    except OSError:
        return False


def _fetch(store: Store, entry: Entry, cache_folder: Path, target: Path) -> None:
    """Write a file of the store to the path `target` in the copy, whole or not at all."""
    staging = cache_folder / f"{STAGING}{uuid.uuid4().hex[:8]}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        store.fetch(entry, staging)
        staging.replace(target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        reason = f"files and folders of the same name, such as '{target.name}': rename one"
        raise ZooError(f"{store.url} has {reason}") from None
    finally:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)


def _remove_others(root: Path, entries: Mapping[str, Entry]) -> None:
    """Remove the files that are not in the store, and the folders that are then empty."""
    for folder, _, names in os.walk(root, topdown=False):
        folder_path = Path(folder)
        for name in names:
            if (folder_path / name).relative_to(root).as_posix() not in entries:
                (folder_path / name).unlink()
        with contextlib.suppress(OSError):  # it is not empty
            folder_path.rmdir()


def _refuse_too_large(url: str, cache_folder: Path, size: int) -> None:
    cache_folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache_folder).free - SPARE
    if size > free:
        raise ZooError(
            f"{url} needs {size / 1e9:,.1f} GB in {cache_dir()}, where {max(free, 0) / 1e9:,.1f} GB are available: "
            "let ZOO_CACHE_DIR name a folder on a larger disk"
        )


def _remove_unused(folder: Path) -> None:
    oldest = time.time() - UNUSED_DAYS * 24 * 60 * 60
    for cache_folder in folder.iterdir():
        with contextlib.suppress(OSError):
            if (cache_folder / STAMPS).stat().st_mtime < oldest:
                shutil.rmtree(cache_folder)
    for staging in folder.glob(f"*/{STAGING}*"):
        with contextlib.suppress(OSError):
            if staging.stat().st_mtime < time.time() - 24 * 60 * 60:
                staging.unlink()
