"""The source `files`: every file below a folder, without classes, for training without labels."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

from zoo import input as inputs
from zoo.data.entries import listing, say_links
from zoo.data.example import UNLABELED, Example, RawDataset, Unreadable
from zoo.data.source import Source, absolute_path
from zoo.data.sources.folder import ClassFolder, described
from zoo.data.store_copy import folder_of
from zoo.errors import ZooError
from zoo.text import Say


def read(argument: str, say: Say, kind: str) -> RawDataset:
    """Describe every visible file below a folder; a file that is new or has changed is read whole, to find damage.

    `say` is called for links to folders, which are left out, and before many files are read.

    Raises:
        ZooError: there is no such folder, or no file in it is an example of the kind.
    """
    input_kind = inputs.find(kind)
    root, recorded = folder_of(argument, say)
    if not root.is_dir():
        raise ZooError(f"there is no folder {root}: name one that holds {input_kind.plural}")
    started = time.time_ns()
    folders = [*folders_of_files(root)]
    below = (folder.path / name for folder in folders for name in folder.listing.folders)
    say_links([path for path in below if path.is_symlink()], root, say)
    results = described(root, folders, input_kind, started, say)
    examples = [result for result in results if isinstance(result, Example)]
    unreadable = tuple(result for result in results if isinstance(result, Unreadable))
    if not examples:
        reason = f" ({unreadable[0].name}: {unreadable[0].reason})" if unreadable else ""
        raise ZooError(f"{root} holds no {input_kind.plural}{reason}: name another folder")
    return RawDataset(kind, (UNLABELED,), examples, unreadable, task=UNLABELED, argument=recorded)


def folders_of_files(folder: Path) -> Iterator[ClassFolder]:
    """Yield a folder and all visible folders below it, each with its files, as class 0 of the training split.

    Links to folders are not followed: they may form a cycle.
    """
    entries = listing(folder)
    below = set(entries.folders)
    positions = [position for position, name in enumerate(entries.visible) if name not in below]
    files = dataclasses.replace(
        entries,
        visible=[entries.visible[position] for position in positions],
        stamps=[entries.stamps[position] for position in positions],
    )
    yield ClassFolder("train", 0, folder, files)
    for name in entries.folders:
        if not (folder / name).is_symlink():
            yield from folders_of_files(folder / name)


SOURCE = Source(
    scheme="files",
    kinds=("image", "text"),
    argument="PATH",
    argument_is_path=True,
    absolute=absolute_path,
    summary="your own files without classes, for training without labels",
    read=read,
    short_name=lambda argument: Path(argument).name,
)
