"""Digests of the examples that a model was trained on, kept with the model so that it is not evaluated on them.

The file has 8 bytes for each example. Two examples count as equal if their bytes in the source are equal; an image that
was saved again counts as another example. Rows of tables also count as equal if a network reads the same values from
both, and texts if they have the same words; the file then has 16 bytes for each.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo import array_file, files
from zoo.data.dataset import Dataset, Examples
from zoo.errors import Refused, ZooError, listed, one_line
from zoo.schema import record

SPLITS = ("train", "validation", "test")
LISTS = (*SPLITS, "initial")
COMPLETE, FITTED = "complete", "fitted"

SAME_SOURCE_ONLY = (
    "some or all examples of the training are recognized only in the same file, because the run has no other digests "
    "of them"
)

FILE, EARLIER = "digests.npz", "images.npz"
"""The name of the file in runs and artifacts, and its name in earlier versions, which supported only images."""

LARGEST = 2**29
"""The most bytes that a file may unpack to, enough for 67 million examples: a small archive may unpack to any size."""


@dataclass(frozen=True, eq=False)
class Digests:
    """The digests of a model's examples by split, each list sorted and without repetitions; see `Examples.digests`.

    Attributes:
        train: uint64 [examples], and so are the next three.
        validation: the examples that chose among the weights.
        test: the examples that the score was measured on.
        initial: the known examples that the initial weights and a teacher depend on; empty if there are neither.
        complete: whether the initial weights and a teacher depend on no other examples.
        fitted: whether there are also digests of what the network takes of each of these examples, see
            `Examples.fitted_digests`.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    initial: np.ndarray
    complete: bool
    fitted: bool = False

    @property
    def seen(self) -> np.ndarray:
        """The digests of all examples that the weights depend on: those of training, validation and `initial`."""
        return np.union1d(np.union1d(self.train, self.validation), self.initial)


@record
class Overlap:
    """The number of examples to evaluate on that the model has seen in training or validation.

    Attributes:
        examples: the number of examples that it has seen; None if nothing is known about its training examples.
        of: the number of all examples to evaluate on.
        left_out: whether the examples that it has seen were left out.
        unknown: why some or all of its training examples are unknown, or not recognized; None if all are known.
    """

    examples: int | None
    of: int
    left_out: bool
    unknown: str | None = None


def digests_of(dataset: Dataset, *, origins: Iterable[Digests | None] = ()) -> Digests:
    """Return the digests of a model that is trained on a dataset.

    Digests of what the network takes are included only if every split has them, because `leave_out_seen` concludes from
    one known digest that it recognizes all examples of the training.

    Args:
        dataset: the data that it is trained on.
        origins: the digests of each model that it learns from, such as the model of its initial weights; None for a
            model whose training examples are unknown.
    """
    examples = [getattr(dataset, split) for split in SPLITS]
    if dataset.unlabeled is not None:
        examples.append(dataset.unlabeled)
    fitted = all(split_examples.fitted_digests is not None for split_examples in examples)
    train, validation, test, *others = (
        split_examples.every_digest if fitted else np.unique(split_examples.digests) for split_examples in examples
    )
    train = functools.reduce(np.union1d, others, train)
    all_origins = list(origins)
    known_origins = [origin for origin in all_origins if origin is not None]
    initial = functools.reduce(np.union1d, (origin.seen for origin in known_origins), np.empty(0, np.uint64))
    complete = len(known_origins) == len(all_origins) and all(origin.complete for origin in known_origins)
    fitted = fitted and all(origin.fitted for origin in known_origins)
    return Digests(train, validation, test, initial, complete, fitted)


def found(folder: Path) -> Path:
    """Return the path of the digests of a run or artifact; the file may be missing."""
    earlier = folder / EARLIER
    return earlier if earlier.exists() else folder / FILE


def write(path: Path, digests: Digests) -> None:
    """Write the digests whole or not at all, as named arrays: uint64 for each list, and bools for the others."""
    arrays = {name: getattr(digests, name) for name in LISTS}
    with files.staged_file(path) as staging:
        flags = {COMPLETE: np.array(digests.complete), FITTED: np.array(digests.fitted)}
        np.savez(staging, allow_pickle=False, **flags, **arrays)


def read(path: Path) -> Digests:
    """Read the digests that `write` wrote.

    Raises:
        Refused: the file is damaged or holds something else.
    """
    try:
        arrays = array_file.read(path, LARGEST)
        # Files of earlier versions do not say whether they are fitted, and are not.
        arrays.setdefault(FITTED, np.array(False))
        if set(arrays) != {*LISTS, COMPLETE, FITTED}:
            raise ValueError(f"it holds {listed(arrays, most=3)}")
        flags = {name: arrays.pop(name) for name in (COMPLETE, FITTED)}
        for name, flag in flags.items():
            if flag.dtype != np.bool_ or flag.shape != ():
                raise ValueError(f"{name} is not a bool")
        if any(array.dtype != np.uint64 or array.ndim != 1 for array in arrays.values()):
            raise ValueError("its arrays are not lists of uint64")
    except Exception as error:  # zipfile, zlib and numpy raise more than ten kinds
        reason = one_line(error, 120)
        raise Refused(
            f"{path} cannot be read ({reason}): remove it to continue without knowing the training examples"
        ) from None
    return Digests(**arrays, complete=bool(flags[COMPLETE]), fitted=bool(flags[FITTED]))


def leave_out_seen(
    examples: Examples, digests: Digests | None, unknown: str | None, include: bool
) -> tuple[Examples, Overlap]:
    """Leave out the examples that a model has seen in training or validation, and count them.

    Args:
        examples: the examples to evaluate on.
        digests: those of the model's training examples; None if nothing is known about them: then nothing is left out.
        unknown: why some or all of them are unknown.
        include: whether to keep the examples that the model has seen.

    Raises:
        ZooError: no example is left.
    """
    if digests is None:
        return examples, Overlap(None, len(examples), left_out=False, unknown=unknown)
    seen = examples.known(digests.seen)
    # A known fitted digest shows that all examples are recognized only if the model has the fitted digests of all.
    compared = examples if digests.fitted else dataclasses.replace(examples, fitted_digests=None)
    if not compared.known(np.union1d(digests.seen, digests.test)).any():
        # They are from another source.
        older = examples.fitted_digests is not None and not digests.fitted
        unknown = unknown or examples.unrecognizable or (SAME_SOURCE_ONLY if older else None)
    overlap = Overlap(int(seen.sum()), len(examples), left_out=not include and bool(seen.any()), unknown=unknown)
    if not overlap.left_out:
        return examples, overlap
    if seen.all():
        raise ZooError(
            f"all {len(examples)} examples were used to train or validate the model: name other data, or measure on "
            "them anyway with --include-training"
        )
    return examples.only(np.flatnonzero(~seen)), overlap


def overlap_remarks(dataset: Dataset, digests: Digests, origin: str = "an origin") -> Iterator[str]:
    """Yield a line for each pair of splits that share examples, and for test examples that `digests.initial` has.

    `origin` is the name of the models that `digests.initial` belongs to, for the messages.
    """
    for name, examples, others, other_digests in (
        ("validation", dataset.validation, "training examples", digests.train),
        ("test", dataset.test, "training examples", digests.train),
        ("test", dataset.test, "validation examples", digests.validation),
        ("test", dataset.test, f"training examples of {origin}", digests.initial),
    ):
        shared = np.flatnonzero(examples.known(other_digests))
        if len(shared):
            names = listed((examples.names(int(index)) for index in shared), most=3)
            yield f"{len(shared)} of {len(examples)} {name} examples are also {others}: {names}"
