"""Digests of the images that a model was trained on, kept beside the model so that they are not evaluated on.

The file has 8 bytes an image. Two images count as the same if their bytes in the source are the same; an image that was
saved again counts as another one.
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
"""The most bytes that a file may unpack to, enough for 67 million images: a small archive may claim any size."""


@dataclass(frozen=True, eq=False)
class Digests:
    """The digests of a model's images by split, each list sorted and without repetitions; see `Images.digests`.

    Attributes:
        train: uint64 [images], and so are the next three.
        validation: the images that chose among the weights.
        test: the images that accuracy was measured on.
        initial: the known images that the initial weights depend on; empty if training started from random weights.
        complete: whether the initial weights depend on no other images.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    initial: np.ndarray
    complete: bool

    @property
    def seen(self) -> np.ndarray:
        """The digests of all images that the weights depend on: those of training, validation and `initial`."""
        return np.union1d(np.union1d(self.train, self.validation), self.initial)


@record
class Overlap:
    """The number of images to evaluate on that the model has seen in training or validation.

    Attributes:
        images: how many, None if nothing is known of its training images.
        of: how many images there are to evaluate on.
        left_out: whether the images that it has seen were left out.
        unknown: why its training images are unknown or not all known; None if all are known.
    """

    images: int | None
    of: int
    left_out: bool
    unknown: str | None = None


def digests_of(dataset: Dataset, *, initial: Digests | None = None, complete: bool = True) -> Digests:
    """Return the digests of a model that is trained on a dataset.

    Args:
        dataset: what it is trained on.
        initial: the digests of the model whose weights training starts from.
        complete: whether those weights depend on no other images than the ones of `initial`.
    """
    train, validation, test = (np.unique(getattr(dataset, split).digests) for split in SPLITS)
    before = np.empty(0, np.uint64) if initial is None else initial.seen
    return Digests(train, validation, test, before, complete and (initial is None or initial.complete))


def write(path: Path, digests: Digests) -> None:
    """Write the digests whole or not at all, as named arrays: of uint64, and `complete`, a bool."""
    arrays = {name: getattr(digests, name) for name in LISTS}
    with files.staged_file(path) as staging:
        np.savez(staging, allow_pickle=False, complete=np.array(digests.complete), **arrays)


def read(path: Path) -> Digests:
    """Read the digests that `write` wrote.

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
    except Exception as error:  # zipfile, zlib and numpy raise more than ten kinds
        reason = " ".join(str(error).split())[:120]
        raise Refused(
            f"{path} cannot be read ({reason}): remove it to go on without knowing the training images"
        ) from None
    return Digests(**arrays, complete=bool(complete))


def leave_out_seen(
    images: Images, digests: Digests | None, unknown: str | None, include: bool
) -> tuple[Images, Overlap]:
    """Leave out the images that a model has seen in training or validation, and count them.

    Args:
        images: the images to evaluate on.
        digests: of the model's training images, None if nothing is known of them: then nothing is left out.
        unknown: why they are unknown or not all known.
        include: whether to keep the images all the same.

    Raises:
        ZooError: no image is left.
    """
    if digests is None:
        return images, Overlap(None, len(images), left_out=False, unknown=unknown)
    seen = np.isin(images.digests, digests.seen)
    overlap = Overlap(int(seen.sum()), len(images), left_out=not include and bool(seen.any()), unknown=unknown)
    if not overlap.left_out:
        return images, overlap
    if seen.all():
        raise ZooError(
            f"the model has seen all {len(images)} images to measure on in training or validation: bring others, or "
            "measure on them nevertheless with --include-training"
        )
    return images.only(np.flatnonzero(~seen)), overlap


def overlap_remarks(dataset: Dataset, digests: Digests) -> Iterator[str]:
    """Say which splits share images, and how many test images the initial weights were trained on."""
    for name, images, what, others in (
        ("validation", dataset.validation, "training images", digests.train),
        ("test", dataset.test, "training images", digests.train),
        ("test", dataset.test, "validation images", digests.validation),
        ("test", dataset.test, "images that the initial weights were trained on", digests.initial),
    ):
        shared = np.flatnonzero(np.isin(images.digests, others))
        if len(shared):
            names = listed((images.names(int(place)) for place in shared), most=3)
            yield f"{len(shared)} of {len(images)} {name} images are also {what}: {names}"
