"""Datasets as training and evaluation use them: three splits of examples with targets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo import container
from zoo.data.example import Example, Unreadable
from zoo.data.sampling import ALL, Sampling
from zoo.data.targets import array_of, classes_of
from zoo.description import Data, Part

SHARE_OF_MEMORY = 4
"""Raw examples are kept in memory if their total size is below the available memory divided by this number."""


def _no_file(index: int) -> str:
    return ""


@dataclass(frozen=True, eq=False)
class Examples:
    """The examples of one split, with random access.

    Attributes:
        targets: classes, int64 [examples]; values, float32 [examples, values]; texts, object [examples]; or, if there
            are several targets, the class or value of each, float32 [examples, targets].
        read: returns the raw example at an index, see `zoo.input`.
        names: returns the name of the example at an index, for messages.
        traits: returns what the kind of input knows about the example at an index, such as an image's size.
        sizes: int64 [examples], bytes of the raw examples.
        digests: uint64 [examples], the first 8 bytes of the SHA-256 of each example as the source has it.
        fitted_digests: likewise, of the part of each example that a network takes, if another source may have the same
            part in another form, such as columns in another order; None if not.
        unrecognizable: why equal examples of another source are not recognized; None if they are.
        in_memory: whether `read` finds every example in memory.
        files: returns the path of a file that is read like the raw example at an index; empty if there is none.
        sampling: how the examples of an epoch of training are drawn.
    """

    targets: np.ndarray
    read: Callable[[int], Any]
    names: Callable[[int], str]
    traits: Callable[[int], Any]
    sizes: np.ndarray
    digests: np.ndarray
    fitted_digests: np.ndarray | None = None
    unrecognizable: str | None = None
    in_memory: bool = False
    files: Callable[[int], str] = _no_file
    sampling: Sampling = ALL

    @staticmethod
    def of(examples: Sequence[Example]) -> Examples:
        """Combine a list of examples of one split."""
        return Examples(
            targets=array_of([example.target for example in examples]),
            read=lambda index: examples[index].read(),
            names=lambda index: examples[index].name,
            traits=lambda index: examples[index].traits,
            sizes=np.array([example.size for example in examples], np.int64),
            digests=np.frombuffer(b"".join(example.digest[:8] for example in examples), "<u8").astype(np.uint64),
            in_memory=all(example.in_memory for example in examples),
            files=lambda index: examples[index].file,
        )

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.targets)

    @property
    def classes(self) -> np.ndarray | None:
        """The class of each example, int64 [examples]; None if targets are not classes."""
        return classes_of(self.targets)

    @property
    def every_digest(self) -> np.ndarray:
        """All digests of the examples, sorted and without repetitions."""
        return np.unique(self.digests if self.fitted_digests is None else [self.digests, self.fitted_digests])

    def known(self, digests: np.ndarray) -> np.ndarray:
        """Return whether each example has one of these digests, bool [examples]."""
        is_known = np.isin(self.digests, digests)
        return is_known if self.fitted_digests is None else is_known | np.isin(self.fitted_digests, digests)

    @property
    def total_bytes(self) -> int:
        """The size of all raw examples together, in bytes."""
        return int(self.sizes.sum())

    def epoch(self, generator: np.random.Generator, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw an epoch of training: the draws in their order, and the example of each draw, see `Sampling.epoch`.

        An example may be drawn several times; its augmentation depends on the draw.
        """
        return self.sampling.epoch(len(self), batch_size, generator)

    def only(self, index: np.ndarray) -> Examples:
        """Return the examples at the indices `index`, int64 [n], in that order."""
        return Examples(
            targets=self.targets[index],
            read=lambda number: self.read(int(index[number])),
            names=lambda number: self.names(int(index[number])),
            traits=lambda number: self.traits(int(index[number])),
            sizes=self.sizes[index],
            digests=self.digests[index],
            fitted_digests=None if self.fitted_digests is None else self.fitted_digests[index],
            unrecognizable=self.unrecognizable,
            in_memory=self.in_memory,
            files=lambda number: self.files(int(index[number])),
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples with targets, divided into three splits.

    Attributes:
        kind: the kind of input.
        task: the kind of answer.
        source: `--data` for these data, with version or absolute path.
        data_dir: `--data-dir` for these data, None if their source takes none.
        options: other options of their source, such as the column to predict.
        labels: the names of the classes, in the order of their numbers; or the names of the values.
        train: the examples to train on.
        validation: the examples that choose among the weights of a training.
        test: the examples that the score is measured on.
        form: the properties that all examples have in common, as their kind states them.
        fingerprint: SHA-256 over the labels and every split's targets and bytes, as the source has them.
        skipped: a line for each example that is left out: its name and the reason.
        license: the license of the data.
        parts: the targets, if there are several.
        unlabeled: examples to train on whose targets are not read; None if there are none.
        loaded: the number of examples that each split had when it was loaded, before any were left out.
    """

    kind: str
    task: str
    source: str
    data_dir: str | None
    options: dict[str, str]
    labels: tuple[str, ...]
    train: Examples
    validation: Examples
    test: Examples
    form: Any
    fingerprint: str
    skipped: tuple[str, ...]
    license: str
    parts: tuple[Part, ...] = ()
    unlabeled: Examples | None = None
    loaded: dict[str, int] = dataclasses.field(default_factory=dict)

    def description(self) -> Data:
        """Return the record of the dataset for runs and artifacts."""
        return Data(
            source=self.source,
            data_dir=self.data_dir,
            fingerprint=self.fingerprint,
            counts={"train": len(self.train), "validation": len(self.validation), "test": len(self.test)},
            skipped=self.skipped,
            license=self.license,
            overlap=overlap(self),
            options=self.options,
            columns=self.form if isinstance(self.form, tuple) else (),
            loaded=self.loaded,
        )


def overlap(dataset: Dataset) -> dict[str, int]:
    """Count the validation examples that are also in train, and the test examples that are in train or validation."""
    earlier = np.union1d(dataset.train.digests, dataset.validation.digests)
    return {
        "validation": int(np.isin(dataset.validation.digests, dataset.train.digests).sum()),
        "test": int(np.isin(dataset.test.digests, earlier).sum()),
    }


def in_memory(
    inspected: Iterable[tuple[Example, Any] | Unreadable],
) -> tuple[list[Example], tuple[Unreadable, ...]]:
    """Separate the examples that can be read from the others, and keep them in memory if all of them fit.

    Args:
        inspected: each example with its raw form, or the reason why it cannot be read.

    Returns:
        The readable examples, whose content is the raw form if all fit in memory, else unchanged; and the others.
    """
    budget = container.available_memory() // SHARE_OF_MEMORY
    examples: list[Example] = []
    contents: list[Any] = []
    unreadable: list[Unreadable] = []
    for result in inspected:
        if isinstance(result, Unreadable):
            unreadable.append(result)
            continue
        example, content = result
        examples.append(example)
        budget -= example.size
        if budget >= 0:
            contents.append(content)
        else:
            contents.clear()
    if budget >= 0:
        examples = [dataclasses.replace(example, content=raw) for example, raw in zip(examples, contents, strict=True)]
    return examples, tuple(unreadable)
