"""Folders of images: one folder a class, or train/ (with val/ or validation/, and test/) of those."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo.data.example import Example, Found, examine, held_where_they_fit
from zoo.data.image_files import content, hidden_images, visible
from zoo.data.jpeg import JPEG, complaint
from zoo.data.names import composed, quoted, shown
from zoo.data.prefetch import map_ahead
from zoo.errors import ZooError, listed
from zoo.preprocess import open_image
from zoo.text import is_printable

SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
"""What the folder of a split may be called, and the split that it is."""

LIKE_A_SPLIT = re.compile(
    r"((images?|imgs?|data)[\W_]*)?"
    r"((?P<train>train|training|trn)|(?P<val>val|valid|validation|validate|dev|development)"
    r"|(?P<test>test|testing|tst|eval|evaluation|holdout))"
    r"([\W_]*(set|data|images?|imgs?|split))?[\W_]*[0-9]*",
    re.IGNORECASE,
)
"""What people call the folders of splits; the group that matches is what zoo calls them."""

LAYOUT = "it should hold one folder of images a class, or train/, val/ and test/ of those"
NAMED_BAD_IMAGES = 3
READ_AHEAD = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that should be an image."""

    split: str
    label: int
    path: Path
    name: str


def find(path: Path, bad_images: Literal["error", "skip"], say: Callable[[str], None]) -> Found:
    """Every image below `path`, each decoded once.

    Every visible file in a class's folder should be an image, whatever it is called; what cannot be read as one is a
    bad image. `say` is told in a line each what is left out: files beside the classes' folders, images and folders of
    images whose names begin with a dot; and of a class that is called like a split.

    Raises:
        ZooError: the folder is missing or laid out in another way, fewer than two classes, a class without images,
            splits with different classes, images that cannot be read when `bad_images` is `error`.
    """
    root = path.expanduser().resolve()
    if not root.is_dir():
        raise ZooError(f"there is no folder {root}: {LAYOUT}")
    splits = {split: class_folders(folder) for split, folder in split_folders(root, say).items()}
    labels = agreed_labels(root, splits)
    numbers = {composed(name): number for number, name in enumerate(labels)}
    candidates = [
        Candidate(split, numbers[composed(folder.name)], file, shown(file.relative_to(root)))
        for split, folders in splits.items()
        for folder in folders
        for file in files_of_class(folder)
    ]
    for line in overlooked(root, splits):
        say(line)
    bad: list[str] = []
    examples = held_where_they_fit(readable(candidates, bad))
    if bad and bad_images == "error":
        first = "; ".join(bad[:NAMED_BAD_IMAGES]) + ("; …" if len(bad) > NAMED_BAD_IMAGES else "")
        raise ZooError(
            f"{len(bad)} of {len(candidates)} images in {root} cannot be read: {first}: "
            "mend or remove them, or go on without them with --bad-images skip"
        )
    left = {(example.split, example.label) for example in examples}
    for candidate in candidates:
        if (candidate.split, candidate.label) not in left:
            raise ZooError(f"no image in {candidate.path.parent} can be read: mend them, or remove the class")
    return Found(f"folder:{root}", None, labels, examples, skipped=tuple(bad), license="not stated")


def split_folders(root: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """The folder of each split; the root alone, as train, where it holds the classes themselves.

    A folder called train is a split when it holds folders, else it is a class.

    Raises:
        ZooError: folders look like splits and are called otherwise, or hold loose images.
    """
    folders = {folder.name: folder for folder in visible(root) if folder.is_dir()}
    if "train" in folders and holds_folders(folders["train"]):
        strangers = [name for name in folders if name not in SPLITS]
        if strangers:
            like = like_a_split(strangers[0])
            raise ZooError(
                f"{root} holds train/ and also '{shown(strangers[0])}': beside train/ there may be val/ and test/ only"
                + (f"; if it is a split, call it {like}/" if like else "")
            )
        if "val" in folders and "validation" in folders:
            raise ZooError(f"{root} holds val/ and validation/: keep one of them")
        return {SPLITS[name]: folder for name, folder in folders.items()}
    likely = {name: like for name in folders if (like := like_a_split(name))}
    of_classes = [name for name in likely if holds_folders(folders[name])]
    if of_classes:
        calls = listed((f"'{shown(name)}' {likely[name]}/" for name in of_classes), most=3)
        raise ZooError(
            f"{root} holds what looks like a split of classes: call {calls}, and the training images' folder train/"
        )
    if len(likely) > 1:
        names = listed((f"'{shown(name)}'" for name in likely), most=3)
        raise ZooError(f"{root} holds {names}, which look like splits but hold no folders of classes: {LAYOUT}")
    for name in likely:
        say(f"'{shown(name)}' is taken for a class, though it is called as splits are")
    return {"train": root}


def like_a_split(name: str) -> str | None:
    """What zoo would call the folder, where its name is one that people give to splits: Train, test1, valid, dev."""
    match = LIKE_A_SPLIT.fullmatch(name)
    return next((name for name, text in match.groupdict().items() if text), None) if match else None


def holds_folders(folder: Path) -> bool:
    """Whether any visible entry of a folder is a folder."""
    return any(entry.is_dir() for entry in visible(folder))


def class_folders(folder: Path) -> list[Path]:
    """The folders of the classes of a split, in natural order."""
    folders = [entry for entry in visible(folder) if entry.is_dir()]
    if not folders:
        raise ZooError(f"{folder} holds no folders: {LAYOUT}")
    known: dict[str, str] = {}
    for entry in folders:
        if not is_printable(entry.name):
            raise ZooError(f"{shown(entry)} cannot be the name of a class: use characters that can be printed")
        other = known.setdefault(composed(entry.name), entry.name)
        if other != entry.name:
            raise ZooError(
                f"{folder} holds {quoted(other)} and {quoted(entry.name)}, two spellings of one name in Unicode: "
                "put their images into one folder"
            )
    return folders


def agreed_labels(root: Path, splits: dict[str, list[Path]]) -> tuple[str, ...]:
    """The names of the classes as train has them; every split must have them, in any of Unicode's spellings."""
    names = {split: {composed(folder.name): folder.name for folder in folders} for split, folders in splits.items()}
    labels = names["train"]
    for split, others in names.items():
        differing = [
            *(f"{split} lacks {quoted(name)}" for key, name in labels.items() if key not in others),
            *(f"train lacks {quoted(name)}" for key, name in others.items() if key not in labels),
        ]
        if differing:
            raise ZooError(f"the classes differ between the splits of {root}: {listed(differing)}: give all the same")
    if len(labels) < 2:
        only = next(iter(labels.values()))
        raise ZooError(f"{root} has one class only, '{only}': {LAYOUT}, and at least two classes")
    return tuple(labels.values())


def files_of_class(folder: Path) -> list[Path]:
    """Every visible file of a class, in natural order."""
    files = visible(folder)
    if not files:
        raise ZooError(f"class '{folder.name}' has no images: add some to {folder}, or remove it")
    for file in files:
        if file.is_dir():
            raise ZooError(f"{folder}, which should hold images, holds the folder '{shown(file.name)}': {LAYOUT}")
    return files


def overlooked(root: Path, splits: dict[str, list[Path]]) -> Iterator[str]:
    """What is left out though it may belong to the data, in a line each kind and place."""
    above = dict.fromkeys([root, *(folder.parent for folders in splits.values() for folder in folders)])
    for folder in above:
        loose = [entry.name for entry in visible(folder) if not entry.is_dir()]
        if loose:
            yield f"left out: {len(loose)} files beside the folders of {folder}: {listed(map(shown, loose), most=3)}"
    classes = [folder for folders in splits.values() for folder in folders]
    hidden = [entry for folder in (*above, *classes) for entry in hidden_images(folder)]
    for entry in hidden:
        if entry.is_dir():
            yield f"left out: {shown(entry)}/, which holds images: if it is a class, let its name not begin with a dot"
    files = [shown(entry.relative_to(root)) for entry in hidden if not entry.is_dir()]
    if files:
        yield f"left out: {len(files)} images whose names begin with a dot: {listed(files, most=3)}"


def readable(candidates: Sequence[Candidate], bad: list[str]) -> Iterator[tuple[Example, bytes]]:
    """What `examine` says of each candidate that can be read; `bad` receives the others, each with the reason."""
    for candidate, result in zip(candidates, map_ahead(decoded_once, candidates, READ_AHEAD), strict=True):
        if isinstance(result, ZooError):
            bad.append(f"{candidate.name}: {result}")
        else:
            yield result


def decoded_once(candidate: Candidate) -> tuple[Example, bytes] | ZooError:
    """The example that a candidate makes, when all of it can be decoded."""
    try:
        encoded = content(candidate.path)
        open_image(encoded)
        return examine(
            encoded,
            split=candidate.split,
            label=candidate.label,
            name=candidate.name,
            path=str(candidate.path),
            complaint=complaint(encoded) if encoded.startswith(JPEG) else "",
        )
    except ZooError as error:
        return error
