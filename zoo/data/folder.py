"""Folders of pictures: one folder a class, or train/ (with val/ or validation/, and test/) of those."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoo.data.ahead import map_ahead
from zoo.data.example import Example, Found, examine, held_where_they_fit
from zoo.data.jpeg import JPEG, complaint
from zoo.errors import ZooError
from zoo.preprocess import open_picture
from zoo.text import is_printable

SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
"""What the folder of a split may be called, and the split that it is."""

LITTER = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
"""What operating systems leave in folders; ignored, as hidden files are."""

LARGEST_FILE = 256 * 2**20
"""Bytes; a larger file counts as a picture that cannot be read."""

LAYOUT = "it should hold one folder of pictures a class, or train/, val/ and test/ of those"
NAMED_BAD_PICTURES = 3
READ_AHEAD = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that should be a picture."""

    split: str
    label: int
    path: Path
    name: str


def find(path: Path, bad_images: Literal["error", "skip"]) -> Found:
    """Every picture below `path`, each decoded once.

    Every visible file in a class's folder should be a picture, whatever it is called; what cannot be read as one is a
    bad image. Files beside the classes' folders are ignored.

    Raises:
        ZooError: the folder is missing or laid out in another way, fewer than two classes, a class without pictures,
            splits with different classes, pictures that cannot be read when `bad_images` is `error`.
    """
    root = path.expanduser().resolve()
    if not root.is_dir():
        raise ZooError(f"there is no folder {root}: {LAYOUT}")
    splits = {split: class_folders(folder) for split, folder in split_folders(root).items()}
    labels = agreed_labels(root, splits)
    candidates = [
        Candidate(split, label, file, shown(file.relative_to(root)))
        for split, folders in splits.items()
        for label, folder in enumerate(folders)
        for file in files_of_class(folder)
    ]
    bad: list[str] = []
    examples = held_where_they_fit(readable(candidates, bad))
    if bad and bad_images == "error":
        first = "; ".join(bad[:NAMED_BAD_PICTURES]) + ("; …" if len(bad) > NAMED_BAD_PICTURES else "")
        raise ZooError(
            f"{len(bad)} of {len(candidates)} pictures in {root} cannot be read: {first}: "
            "mend or remove them, or go on without them with --bad-images skip"
        )
    left = {(example.split, example.label) for example in examples}
    for candidate in candidates:
        if (candidate.split, candidate.label) not in left:
            raise ZooError(f"no picture in {candidate.path.parent} can be read: mend them, or remove the class")
    return Found(f"folder:{root}", None, labels, examples, skipped=tuple(bad), licence="not stated")


def split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split; the root alone, as train, where it holds the classes themselves.

    A folder called train is a split when it holds folders, else it is a class.
    """
    folders = {folder.name: folder for folder in visible(root) if folder.is_dir()}
    if "train" not in folders or not any(entry.is_dir() for entry in visible(folders["train"])):
        return {"train": root}
    strangers = [name for name in folders if name not in SPLITS]
    if strangers:
        raise ZooError(f"{root} holds train/ and also '{strangers[0]}': beside train/ there may be val/ and test/ only")
    if "val" in folders and "validation" in folders:
        raise ZooError(f"{root} holds val/ and validation/: keep one of them")
    return {SPLITS[name]: folder for name, folder in folders.items()}


def class_folders(folder: Path) -> list[Path]:
    """The folders of the classes of a split, in natural order."""
    folders = [entry for entry in visible(folder) if entry.is_dir()]
    if not folders:
        raise ZooError(f"{folder} holds no folders: {LAYOUT}")
    for entry in folders:
        if not is_printable(entry.name):
            raise ZooError(f"{shown(entry)} cannot be the name of a class: use characters that can be printed")
    return folders


def agreed_labels(root: Path, splits: dict[str, list[Path]]) -> tuple[str, ...]:
    """The names of the classes, which every split must have."""
    names = {split: [folder.name for folder in folders] for split, folders in splits.items()}
    labels = names["train"]
    for split, others in names.items():
        differing = [
            *(f"{split} lacks '{name}'" for name in labels if name not in others),
            *(f"train lacks '{name}'" for name in others if name not in labels),
        ]
        if differing:
            raise ZooError(
                f"the classes differ between the splits of {root}: {', '.join(differing)}: give all the same"
            )
    if len(labels) < 2:
        raise ZooError(f"{root} has one class only, '{labels[0]}': {LAYOUT}, and at least two classes")
    return tuple(labels)


def files_of_class(folder: Path) -> list[Path]:
    """Every visible file of a class, in natural order."""
    files = visible(folder)
    if not files:
        raise ZooError(f"class '{folder.name}' has no pictures: add some to {folder}, or remove it")
    for file in files:
        if file.is_dir():
            raise ZooError(f"{folder}, which should hold pictures, holds the folder '{shown(file.name)}': {LAYOUT}")
    return files


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
        # A pipe would never end: only files are opened.
        if not candidate.path.is_file():
            return ZooError("no file")
        if candidate.path.stat().st_size > LARGEST_FILE:
            return ZooError(f"larger than {LARGEST_FILE >> 20} MiB")
        encoded = candidate.path.read_bytes()
        open_picture(encoded)
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
    except OSError as error:
        return ZooError(error.strerror or "cannot be read")


def visible(folder: Path) -> list[Path]:
    """What is in a folder, hidden files and litter aside, in natural order."""
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in LITTER]
    except OSError as error:
        raise ZooError(f"{folder} cannot be read ({error.strerror}): give yourself the right to") from None
    return sorted(found, key=lambda path: natural(path.name))


def natural(name: str) -> tuple[list[int | str], str]:
    """A key that sorts numbers within names by value: '1', '2', '10'."""
    # Splitting at digits leaves text at even places and numbers at odd ones, so that like is compared with like.
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def shown(path: Path | str) -> str:
    """A path on one line, whatever is in its name."""
    return "".join(letter if is_printable(letter) else letter.encode("unicode_escape").decode() for letter in str(path))
