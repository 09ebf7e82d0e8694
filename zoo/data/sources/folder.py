"""The source `folder`: files in one folder for each class, or train/, val/ and test/ with such folders."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo import input as inputs
from zoo.data import folder_index
from zoo.data.entries import Listing, files_of, listing
from zoo.data.example import Example, RawDataset, Unreadable
from zoo.data.names import composed, quoted, shown
from zoo.data.prefetch import map_ahead
from zoo.data.source import Source, absolute_path
from zoo.data.splits import SPLIT_NAMES, like_a_split
from zoo.data.store_copy import folder_of
from zoo.errors import ZooError, listed
from zoo.input import Input
from zoo.provenance import usable_cpus
from zoo.text import Say, is_printable

AT_ONCE = 32
"""The number of files that a thread reads as one task: a separate task would take longer than reading a small file."""

MOST_HIDDEN = 100
"""The most files of a hidden folder that are read in search of an example."""


@dataclass(frozen=True)
class ClassFolder:
    """The folder of a class in a split.

    Attributes:
        split: the split.
        target: the index of the class among the labels.
        path: the folder.
        listing: its entries; the visible ones should be examples.
    """

    split: str
    target: int
    path: Path
    listing: Listing


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file in a class folder, which should be an example.

    Attributes:
        split: the split.
        target: the index of the class among the labels.
        path: the file.
        name: the path from the root to it.
    """

    split: str
    target: int
    path: str
    name: str


def read(argument: str, say: Say, kind: str, labeled: bool = True) -> RawDataset:
    """Describe every example below a folder; a file that is new or has changed is read whole, to find damage.

    Every visible file in a class folder should be an example of the kind, whatever its name; a file that cannot be
    decoded is an unreadable example. The facts about the files of a large folder are kept, see `zoo.data.folder_index`.
    `say` is called for files next to the class folders, for examples and folders of examples whose names begin with a
    dot, for a class that has the name of a split, and before many files are read.

    Raises:
        ZooError: the folder is missing or has another layout, a class has no files, the splits have different classes
            although these are learned (`labeled`), or not a single file is an example of the kind.
    """
    input_kind = inputs.find(kind)
    root, recorded = folder_of(argument, say)
    if not root.is_dir():
        raise ZooError(f"there is no folder {root}: {layout(input_kind)}")
    started = time.time_ns()
    splits = {
        split: class_folders(folder, input_kind) for split, folder in split_folders(root, input_kind, say).items()
    }
    labels = common_labels(root, splits) if labeled else all_labels(splits)
    numbers = {composed(name): number for number, name in enumerate(labels)}
    pairs = [(split, folder) for split, folders in splits.items() for folder in folders]
    listings = map_ahead(lambda pair: files_of_class(pair[1], input_kind), pairs, ahead=len(pairs))
    classes = [
        ClassFolder(split, numbers[composed(folder.name)], folder, class_listing)
        for (split, folder), class_listing in zip(pairs, listings, strict=True)
    ]
    for line in left_out(root, classes, input_kind):
        say(line)
    results = described(root, classes, input_kind, started, say)
    examples = [result for result in results if isinstance(result, Example)]
    unreadable = tuple(result for result in results if isinstance(result, Unreadable))
    if not examples:
        first = unreadable[0]
        raise ZooError(
            f"{root} holds no {input_kind.plural}: none of its {len(unreadable)} files can be read "
            f"({first.name}: {first.reason}): {layout(input_kind)}"
        )
    return RawDataset(kind, labels, examples, unreadable, argument=recorded)


def described(
    root: Path, classes: Sequence[ClassFolder], kind: Input, started: int, say: Say
) -> list[Example | Unreadable]:
    """Describe every file of the classes in order; files that the folder's index does not have are read.

    `started` is the time in nanoseconds at which listing the files began.
    """
    files = [
        Candidate(folder.split, folder.target, f"{folder.path}{os.sep}{name}", f"{below}{os.sep}{name}")
        for folder in classes
        for below in [folder.path.relative_to(root)]
        for name in folder.listing.visible
    ]
    names = [file.name for file in files]
    stamps = np.array([stamp for folder in classes for stamp in folder.listing.stamps], np.int64).reshape(-1, 3)
    indexed = len(files) >= folder_index.FEWEST
    index = folder_index.read(root, kind, say) if indexed else None
    rows = index.rows(names, stamps) if index else np.full(len(files), -1, np.int64)
    results: list[Example | Unreadable | None] = [None] * len(files)
    if index:
        unchanged = np.flatnonzero(rows >= 0)
        facts = index.known(rows[unchanged], (files[position].path for position in unchanged))
        for position, (content, size, digest, traits) in zip(unchanged.tolist(), facts, strict=True):
            file = files[position]
            results[position] = Example(file.split, file.target, shown(file.name), content, size, digest, traits)
    new = np.flatnonzero(rows < 0).tolist()
    if indexed and new:
        say(f"reading {len(new):,} of {len(files):,} {kind.plural}, which are new or have changed")
    try:
        for position, result in zip(new, inspected(kind, [files[position] for position in new]), strict=True):
            results[position] = result
    finally:
        # The files that an interrupted start has read are recorded, too.
        files_are_gone = index is not None and len(index.places) > len(files) - len(new)
        if indexed and (files_are_gone or any(isinstance(results[position], Example) for position in new)):
            kept = {position: result for position, result in enumerate(results) if isinstance(result, Example)}
            kept_columns = [names[position] for position in kept], stamps[[*kept]], [*kept.values()]
            folder_index.write(root, kind, *kept_columns, started, say)
    return [result for result in results if result is not None]


def layout(kind: Input) -> str:
    """Say how a folder of examples should look."""
    return f"it should hold one folder of {kind.plural} per class, or train/, val/ and test/ of those"


def split_folders(root: Path, kind: Input, say: Say) -> dict[str, Path]:
    """Return the folder of each split; if the root itself contains the class folders, only the root, as `train`.

    A folder with the name `train` is a split if it contains folders; otherwise it is a class.

    Raises:
        ZooError: folders look like splits, but have other names, or contain files instead of class folders.
    """
    folders = {name: root / name for name in listing(root).folders}
    if "train" in folders and holds_folders(folders["train"]):
        unknown = [name for name in folders if name not in SPLIT_NAMES]
        if unknown:
            like = like_a_split(unknown[0])
            raise ZooError(
                f"{root} holds train/ and also '{shown(unknown[0])}': beside train/ there may be val/ and test/ only"
                + (f"; if it is a split, call it {like}/" if like else "")
            )
        if "val" in folders and "validation" in folders:
            raise ZooError(f"{root} holds val/ and validation/: keep one of them")
        return {SPLIT_NAMES[name]: folder for name, folder in folders.items()}
    likely = {name: like for name in folders if (like := like_a_split(name))}
    with_classes = [name for name in likely if holds_folders(folders[name])]
    if with_classes:
        renames = listed((f"'{shown(name)}' to {likely[name]}/" for name in with_classes), most=3)
        raise ZooError(
            f"{root} holds what looks like splits with other names: rename {renames}, "
            f"and call the folder of the training {kind.plural} train/"
        )
    if len(likely) > 1:
        names = listed((f"'{shown(name)}'" for name in likely), most=3)
        raise ZooError(f"{root} holds {names}, which look like splits but hold no class folders: {layout(kind)}")
    for name in likely:
        say(f"'{shown(name)}' is read as a class, although it has the name of a split")
    return {"train": root}


def holds_folders(folder: Path) -> bool:
    """Return whether any visible entry of a folder is a folder."""
    return bool(listing(folder).folders)


def class_folders(folder: Path, kind: Input) -> list[Path]:
    """Return the class folders of a split, in natural order.

    Raises:
        ZooError: there are none, or their names cannot be printed or differ only in Unicode's normalization form.
    """
    folders = [folder / name for name in listing(folder).folders]
    if not folders:
        raise ZooError(f"{folder} holds no folders: {layout(kind)}")
    names: dict[str, str] = {}
    for entry in folders:
        if not is_printable(entry.name):
            raise ZooError(f"{shown(entry)} cannot be the name of a class: use printable characters")
        other = names.setdefault(composed(entry.name), entry.name)
        if other != entry.name:
            raise ZooError(
                f"{folder} holds {quoted(other)} and {quoted(entry.name)}, one name in two Unicode forms: "
                f"put their {kind.plural} into one folder"
            )
    return folders


def common_labels(root: Path, splits: dict[str, list[Path]]) -> tuple[str, ...]:
    """Return the names of the classes as they are in train.

    Raises:
        ZooError: the classes of the splits differ (Unicode normalization forms do not count).
    """
    names = {split: {composed(folder.name): folder.name for folder in folders} for split, folders in splits.items()}
    labels = names["train"]
    for split, split_labels in names.items():
        differing = [
            *(f"{split} lacks {quoted(name)}" for key, name in labels.items() if key not in split_labels),
            *(f"train lacks {quoted(name)}" for key, name in split_labels.items() if key not in labels),
        ]
        if differing:
            raise ZooError(
                f"the classes differ between the splits of {root}: {listed(differing)}: give all splits the same"
            )
    return tuple(labels.values())


def all_labels(splits: dict[str, list[Path]]) -> tuple[str, ...]:
    """Return the names of the classes of all splits, each once, first those of train."""
    names: dict[str, str] = {}
    for folder in (*splits["train"], *(folder for folders in splits.values() for folder in folders)):
        names.setdefault(composed(folder.name), folder.name)
    return tuple(names.values())


def files_of_class(folder: Path, kind: Input) -> Listing:
    """List a class folder, every visible file of which should be an example.

    Raises:
        ZooError: the folder is empty or contains folders.
    """
    entries = listing(folder)
    if not entries.visible:
        raise ZooError(f"class '{folder.name}' has no {kind.plural}: add some to {folder}, or remove it")
    if entries.folders:
        raise ZooError(
            f"{folder}, which should hold {kind.plural}, holds the folder '{shown(entries.folders[0])}': {layout(kind)}"
        )
    return entries


def left_out(root: Path, classes: Sequence[ClassFolder], kind: Input) -> Iterator[str]:
    """Yield lines about the files and folders that are left out although they may belong to the data."""
    above = {
        folder: listing(folder)
        for folder in dict.fromkeys([root, *(class_folder.path.parent for class_folder in classes)])
    }
    for folder, folder_listing in above.items():
        folders = set(folder_listing.folders)
        loose = [name for name in folder_listing.visible if name not in folders]
        if loose:
            yield f"left out: {len(loose)} files beside the folders of {folder}: {listed(map(shown, loose), most=3)}"
    inside = [*above.items(), *((class_folder.path, class_folder.listing) for class_folder in classes)]
    entries = (folder / name for folder, folder_listing in inside for name in folder_listing.hidden)
    hidden = [entry for entry in entries if holds_example(entry, kind)]
    for entry in hidden:
        if entry.is_dir():
            description = f"{shown(entry)}/, a hidden folder of {kind.plural}"
            yield f"left out: {description}: if it is a class, rename it without the dot"
    files = [shown(entry.relative_to(root)) for entry in hidden if not entry.is_dir()]
    if files:
        yield f"left out: {len(files)} {kind.plural} whose names begin with a dot: {listed(files, most=3)}"


def holds_example(entry: Path, kind: Input) -> bool:
    """Return whether a file is an example, or a folder has an example among its first files."""
    candidates = (Candidate("train", 0, str(file), "") for file in files_of(entry)[:MOST_HIDDEN])
    return any(isinstance(inspect(candidate, kind), Example) for candidate in candidates)


def inspected(kind: Input, files: Sequence[Candidate]) -> Iterable[Example | Unreadable]:
    """Inspect files in threads, and yield the results in order."""
    parts = [files[start : start + AT_ONCE] for start in range(0, len(files), AT_ONCE)]
    for part in map_ahead(lambda part: [inspect(file, kind) for file in part], parts, ahead=2 * usable_cpus()):
        yield from part


def inspect(file: Candidate, kind: Input) -> Example | Unreadable:
    """Read a file whole, to find damage."""
    name = shown(file.name)
    try:
        return kind.data.inspect(Path(file.path), split=file.split, target=file.target, name=name)
    except ZooError as error:
        return Unreadable(file.split, file.target, name, str(error))


SOURCE = Source(
    scheme="folder",
    kinds=("image", "audio", "text"),
    argument="PATH",
    argument_is_path=True,
    absolute=absolute_path,
    summary="your own files, one folder per class",
    read=read,
    labels_optional=True,
    short_name=lambda argument: Path(argument).name,
)
