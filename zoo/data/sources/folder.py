"""The source `folder`: files in one folder a class, or in train/, val/ and test/ of such folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import input as inputs
from zoo.data.dataset import in_memory
from zoo.data.entries import files_of, hidden_entries, visible_entries
from zoo.data.example import Example, RawDataset, Unreadable
from zoo.data.names import composed, quoted, shown
from zoo.data.prefetch import map_ahead
from zoo.data.source import Say, Source
from zoo.data.splits import SPLIT_NAMES
from zoo.errors import ZooError, listed
from zoo.input import Input
from zoo.text import is_printable

LIKE_A_SPLIT = re.compile(
    r"((images?|imgs?|clips?|audio|data)[\W_]*)?"
    r"((?P<train>train|training|trn)|(?P<val>val|valid|validation|validate|dev|development)"
    r"|(?P<test>test|testing|tst|eval|evaluation|holdout))"
    r"([\W_]*(set|data|images?|imgs?|clips?|audio|split))?[\W_]*[0-9]*",
    re.IGNORECASE,
)
"""Names that people give to the folders of splits; the group that matches is zoo's name for it."""

READ_AHEAD = 64

MOST_HIDDEN = 100
"""The most files of a hidden folder that are read in search of an example."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file in a class folder, which should be an example."""

    split: str
    target: int
    path: Path
    name: str


def read(argument: str, say: Say, kind: str) -> RawDataset:
    """Read every example below a folder, and decode it once to find damage.

    Every visible file in a class folder should be an example of the kind, whatever its name; a file that cannot be
    decoded is an unreadable example. `say` is called for files beside the class folders, for examples and folders of
    examples whose names begin with a dot, and for a class that has the name of a split.

    Raises:
        ZooError: the folder is missing or has another layout, there are fewer than two classes, a class has no files,
            the splits have different classes, or no file at all is of the kind.
    """
    wanted = inputs.find(kind)
    root = Path(argument).expanduser().resolve()
    if not root.is_dir():
        raise ZooError(f"there is no folder {root}: {layout(wanted)}")
    splits = {split: class_folders(folder, wanted) for split, folder in split_folders(root, wanted, say).items()}
    labels = common_labels(root, splits, wanted)
    numbers = {composed(name): number for number, name in enumerate(labels)}
    candidates = [
        Candidate(split, numbers[composed(folder.name)], file, shown(file.relative_to(root)))
        for split, folders in splits.items()
        for folder in folders
        for file in files_of_class(folder, wanted)
    ]
    for line in left_out(root, splits, wanted):
        say(line)
    examples, unreadable = in_memory(map_ahead(lambda one: inspected(one, wanted), candidates, READ_AHEAD))
    if not examples:
        first = unreadable[0]
        raise ZooError(
            f"{root} holds no {wanted.plural}: none of its {len(unreadable)} files can be read "
            f"({first.name}: {first.reason}): {layout(wanted)}"
        )
    return RawDataset(kind, labels, examples, unreadable, argument=str(root))


def layout(kind: Input) -> str:
    """Say how a folder of examples should look."""
    return f"it should hold one folder of {kind.plural} a class, or train/, val/ and test/ of those"


def split_folders(root: Path, kind: Input, say: Say) -> dict[str, Path]:
    """Return the folder of each split, or only the root, as `train`, if it holds the class folders itself.

    A folder with the name `train` is a split if it holds folders; else it is a class.

    Raises:
        ZooError: folders have names like those of splits, but other ones, or hold files instead of class folders.
    """
    folders = {folder.name: folder for folder in visible_entries(root) if folder.is_dir()}
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
        say(f"'{shown(name)}' is taken for a class, although it has the name of a split")
    return {"train": root}


def like_a_split(name: str) -> str | None:
    """Return zoo's name for a folder that looks like a split, such as Train, test1, valid or dev; else None."""
    match = LIKE_A_SPLIT.fullmatch(name)
    return next((name for name, text in match.groupdict().items() if text), None) if match else None


def holds_folders(folder: Path) -> bool:
    """Tell whether any visible entry of a folder is a folder."""
    return any(entry.is_dir() for entry in visible_entries(folder))


def class_folders(folder: Path, kind: Input) -> list[Path]:
    """Return the class folders of a split, in natural order.

    Raises:
        ZooError: there are none, or their names cannot be printed or differ only in Unicode's normalization form.
    """
    folders = [entry for entry in visible_entries(folder) if entry.is_dir()]
    if not folders:
        raise ZooError(f"{folder} holds no folders: {layout(kind)}")
    known: dict[str, str] = {}
    for entry in folders:
        if not is_printable(entry.name):
            raise ZooError(f"{shown(entry)} cannot be the name of a class: use printable characters")
        other = known.setdefault(composed(entry.name), entry.name)
        if other != entry.name:
            raise ZooError(
                f"{folder} holds {quoted(other)} and {quoted(entry.name)}, one name in two Unicode forms: "
                f"put their {kind.plural} into one folder"
            )
    return folders


def common_labels(root: Path, splits: dict[str, list[Path]], kind: Input) -> tuple[str, ...]:
    """Return the names of the classes as they are in train.

    Raises:
        ZooError: another split has other classes (any Unicode normalization form will do), or there is one class only.
    """
    names = {split: {composed(folder.name): folder.name for folder in folders} for split, folders in splits.items()}
    labels = names["train"]
    for split, others in names.items():
        differing = [
            *(f"{split} lacks {quoted(name)}" for key, name in labels.items() if key not in others),
            *(f"train lacks {quoted(name)}" for key, name in others.items() if key not in labels),
        ]
        if differing:
            raise ZooError(
                f"the classes differ between the splits of {root}: {listed(differing)}: give all splits the same"
            )
    if len(labels) < 2:
        only = next(iter(labels.values()))
        raise ZooError(f"{root} has one class only, '{only}': {layout(kind)}, and at least two classes")
    return tuple(labels.values())


def files_of_class(folder: Path, kind: Input) -> list[Path]:
    """Return every visible file of a class folder, in natural order.

    Raises:
        ZooError: it is empty or holds folders.
    """
    files = visible_entries(folder)
    if not files:
        raise ZooError(f"class '{folder.name}' has no {kind.plural}: add some to {folder}, or remove it")
    for file in files:
        if file.is_dir():
            raise ZooError(
                f"{folder}, which should hold {kind.plural}, holds the folder '{shown(file.name)}': {layout(kind)}"
            )
    return files


def left_out(root: Path, splits: dict[str, list[Path]], kind: Input) -> Iterator[str]:
    """Say in one line each what is left out although it may belong to the data."""
    above = dict.fromkeys([root, *(folder.parent for folders in splits.values() for folder in folders)])
    for folder in above:
        loose = [entry.name for entry in visible_entries(folder) if not entry.is_dir()]
        if loose:
            yield f"left out: {len(loose)} files beside the folders of {folder}: {listed(map(shown, loose), most=3)}"
    classes = [folder for folders in splits.values() for folder in folders]
    inside = (entry for folder in (*above, *classes) for entry in hidden_entries(folder))
    hidden = [entry for entry in inside if holds_example(entry, kind)]
    for entry in hidden:
        if entry.is_dir():
            what = f"{shown(entry)}/, a hidden folder of {kind.plural}"
            yield f"left out: {what}: if it is a class, rename it without the dot"
    files = [shown(entry.relative_to(root)) for entry in hidden if not entry.is_dir()]
    if files:
        yield f"left out: {len(files)} {kind.plural} whose names begin with a dot: {listed(files, most=3)}"


def holds_example(entry: Path, kind: Input) -> bool:
    """Tell whether a file is an example, or one of the first files of a folder is."""
    candidates = (Candidate("train", 0, file, "") for file in files_of(entry)[:MOST_HIDDEN])
    return any(not isinstance(inspected(one, kind), Unreadable) for one in candidates)


def inspected(candidate: Candidate, kind: Input) -> tuple[Example, Any] | Unreadable:
    """Read a candidate whole, to find damage."""
    split, target, name = candidate.split, candidate.target, candidate.name
    try:
        return kind.data.inspect(candidate.path, split=split, target=target, name=name)
    except ZooError as error:
        return Unreadable(split, target, name, str(error))


SOURCE = Source(
    scheme="folder",
    kinds=("image", "audio", "text"),
    argument="PATH",
    argument_is_path=True,
    summary="your own files, one folder a class",
    read=read,
    short_name=lambda argument: Path(argument).name,
)
