"""Runs, artifacts and evaluations, copied as a whole to an object store and back.

In a store, the description is written last: a reader that finds it finds every other file, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import files, folder_kinds, stores
from zoo.errors import ZooError, listed
from zoo.stores import Store


@dataclass(frozen=True)
class Copy:
    """A copied folder.

    Attributes:
        kind: the title of its kind, such as `run`.
        target: where it is now.
        files: how many files it has.
        bytes: their size together.
    """

    kind: str
    target: str
    files: int
    bytes: int


def upload(folder: Path, url: str) -> Copy:
    """Copy a folder of this machine to a store.

    Raises:
        ZooError: zoo did not write the folder, the store already holds a folder or files of another folder at `url`, or
            the store cannot be written.
    """
    folder_kind = folder_kinds.kind(folder)
    if folder_kind is None:
        raise ZooError(f"{folder} is not a run, artifact or evaluation: name a folder that zoo wrote")
    store, marker = Store.at(url), folder_kinds.KINDS[folder_kind].marker
    source_files = files.files_below(folder, without=files.hidden(folder))
    paths = {path.relative_to(folder).as_posix(): path for path in source_files}
    # A hidden file is one that a training has not finished writing.
    others = {name: path for name, path in paths.items() if name != marker and not path.name.startswith(".")}
    _refuse_existing(store, folder, others)
    with ThreadPoolExecutor(stores.AT_ONCE) as pool:
        _wait(pool, [pool.submit(store.send, path, name) for name, path in others.items()])
    store.send(folder / marker, marker)
    sent = store.entries()
    missing = [name for name, path in others.items() if name not in sent or sent[name].size != path.stat().st_size]
    if missing:
        raise ZooError(f"{listed(missing, most=3)} changed while {folder} was copied: copy it when it is finished")
    return Copy(folder_kinds.KINDS[folder_kind].title, url, len(sent), stores.total(sent.values()))


def download(url: str, folder: Path) -> Copy:
    """Copy a folder from a store to this machine, whole or not at all.

    Raises:
        ZooError: the store has no such folder, `folder` exists, or the store cannot be read.
    """
    folder_kinds.check_new(folder)
    store = Store.at(url)
    entries = store.entries()
    folder_kind = next((name for name, candidate in folder_kinds.KINDS.items() if candidate.marker in entries), None)
    if folder_kind is None:
        raise ZooError(f"there is no run, artifact or evaluation at {url}, or not all of one: copy it there again")
    with files.staged_folder(folder) as staging:
        for name in entries:
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(stores.AT_ONCE) as pool:
            _wait(pool, [pool.submit(store.fetch, entry, staging / name) for name, entry in entries.items()])
    return Copy(folder_kinds.KINDS[folder_kind].title, str(folder), len(entries), stores.total(entries.values()))


def _wait(pool: ThreadPoolExecutor, copies: Iterable[Future[Any]]) -> None:
    """Wait for all copies; an error and a signal cancel those that have not begun."""
    try:
        for copy in copies:
            copy.result()
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise


def _refuse_existing(store: Store, folder: Path, files_to_send: Collection[str]) -> None:
    """Raise ZooError if the store holds a whole folder there, or other files, which would become a part of the copy.

    An earlier copy of the same folder that failed may have left some of its files there.
    """
    present = store.entries()
    for folder_kind in folder_kinds.KINDS.values():
        if folder_kind.marker in present:
            raise ZooError(
                f"{store.url} holds another {folder_kind.title} already: copy to another place, or remove it first"
            )
    foreign = [name for name in present if name not in files_to_send]
    if foreign:
        raise ZooError(
            f"{store.url} holds files that are not in {folder} ({listed(foreign, most=3)}): copy to another place, or "
            "remove them first"
        )
