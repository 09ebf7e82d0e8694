"""Which images a model has seen: the digests of its data, kept beside the model in a file of 8 bytes an image.

Two images are the same when their bytes in the source are; an image that was saved again is another one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo import files
from zoo.data.dataset import Dataset, Images
from zoo.errors import Refused, ZooError, listed
from zoo.schema import record

SPLITS = ("train", "validation", "test")
LISTS = (*SPLITS, "initial")
COMPLETE = "complete"

LARGEST = 2**29
"""Bytes of a file of digests, unpacked: 67 million images. A small archive may claim any size."""


@dataclass(frozen=True, eq=False)
class Digests:
    """The digests of a model's data by split, each as `Images.digests` has them, sorted, each once.

    `initial` are those of all that is known to have been seen by the weights that its training started from; there are
    none where it started from nothing. `complete` says that they had seen nothing else.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    initial: np.ndarray
    complete: bool

    @property
    def seen(self) -> np.ndarray:
        """The digests of what the weights depend on: trained on, or, for validation, what chose among them."""
        return np.union1d(np.union1d(self.train, self.validation), self.initial)


@record
class Overlap:
    """How many of `of` images to measure on the model had seen, and whether they were left out.

    `images` is None where nothing is known of what it had seen. `unknown` says what is not known, and why.
    """

    images: int | None
    of: int
    left_out: bool
    unknown: str | None = None


def images_of(dataset: Dataset, *, initial: Digests | None = None, complete: bool = True) -> Digests:
    """The digests of a data set, for a model that started from weights that had seen `initial`.

    `complete` says that they had seen nothing beside that.
    """
    train, validation, test = (np.unique(getattr(dataset, split).digests) for split in SPLITS)
    before = np.empty(0, np.uint64) if initial is None else initial.seen
    return Digests(train, validation, test, before, complete and (initial is None or initial.complete))


def write(path: Path, digests: Digests) -> None:
    """Write the digests, whole or not at all: arrays of uint64, and of one bool, by name."""
    arrays = {name: getattr(digests, name) for name in LISTS}
    with files.staged_file(path) as staging:
        np.savez(staging, allow_pickle=False, complete=np.array(digests.complete), **arrays)


def read(path: Path) -> Digests:
    """The digests that `write` wrote.

    Raises:
        Refused: the file is damaged or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"{size} bytes unpacked are more than {LARGEST}")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if set(arrays) != {*LISTS, COMPLETE}:
            raise ValueError(f"it holds {listed(arrays, most=3)}")
        complete = arrays.pop(COMPLETE)
        if complete.dtype != np.bool_ or complete.shape != ():
            raise ValueError(f"{COMPLETE} is no bool")
        if any(array.dtype != np.uint64 or array.ndim != 1 for array in arrays.values()):
            raise ValueError("its arrays are no lists of uint64")
    except Exception as error:  # zipfile, zlib and numpy each raise their own, ten kinds and more
        reason = " ".join(str(error).split())[:120]
        raise Refused(f"{path} cannot be read ({reason}): remove it, and what was seen is unknown") from None
    return Digests(**arrays, complete=bool(complete))


def unseen(images: Images, digests: Digests | None, unknown: str | None, include: bool) -> tuple[Images, Overlap]:
    """The images that a model can be measured on, and how many of all it had seen.

    Those that it had seen are left out unless `include`; where nothing is known of that, none are.

    Raises:
        ZooError: nothing is left.
    """
    if digests is None:
        return images, Overlap(None, len(images), left_out=False, unknown=unknown)
    had_seen = np.isin(images.digests, digests.seen)
    overlap = Overlap(int(had_seen.sum()), len(images), left_out=not include and bool(had_seen.any()), unknown=unknown)
    if not overlap.left_out:
        return images, overlap
    if had_seen.all():
        raise ZooError(
            f"the model has seen all {len(images)} images to measure on in training or validation: bring others, or "
            "measure on them nevertheless with --include-training"
        )
    return images.only(np.flatnonzero(~had_seen)), overlap


def remarks(dataset: Dataset, digests: Digests) -> Iterator[str]:
    """A line for each pair of splits that share images, and for test images that the initial weights had seen."""
    for name, images, what, known in (
        ("validation", dataset.validation, "training images", digests.train),
        ("test", dataset.test, "training images", digests.train),
        ("test", dataset.test, "validation images", digests.validation),
        ("test", dataset.test, "images that the initial weights were trained on", digests.initial),
    ):
        shared = np.flatnonzero(np.isin(images.digests, known))
        if len(shared):
            names = listed((images.names(int(place)) for place in shared), most=3)
            yield f"{len(shared)} of {len(images)} {name} images are also {what}: {names}"
