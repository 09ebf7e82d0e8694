"""Dealing examples out to train, validation and test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from zoo.data.example import Example
from zoo.errors import ZooError
from zoo.recipe import Split


def deal(
    examples: Sequence[Example], labels: Sequence[str], split: Split
) -> tuple[list[Example], list[Example], list[Example]]:
    """Train, validation and test examples.

    Splits that the source has are kept. A validation split without a test split becomes the test split: figures that
    people read must not come from what chose the weights. What is then missing is drawn from train, test first.

    Raises:
        ZooError: a class has too few images to draw from.
    """
    given: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        given[example.split].append(example)
    train, validation, test = given["train"], given["validation"], given["test"]
    if not test:
        test, validation = validation, []
    if not test:
        train, test = carved(train, labels, split.test, split)
    if not validation:
        train, validation = carved(train, labels, split.validation, split)
    return train, validation, test


def carved(
    examples: Sequence[Example], labels: Sequence[str], share: float, split: Split
) -> tuple[list[Example], list[Example]]:
    """What is left, and what was drawn: `share` of each class, at least one image, each in the order it had.

    With `split.copies_together`, the first of equal images is drawn or left, and its copies go where it goes.

    Raises:
        ZooError: a class would have nothing left.
    """
    generator = np.random.default_rng(split.seed)
    classes = np.array([example.label for example in examples])
    first = np.arange(len(examples))
    if split.copies_together:
        places: dict[bytes, int] = {}
        first = np.array([places.setdefault(example.digest, place) for place, example in enumerate(examples)])
    drawn = np.zeros(len(examples), bool)
    for label in np.unique(classes):
        members = np.flatnonzero((classes == label) & (first == np.arange(len(examples))))
        if len(members) < 2:
            copies = int((classes == label).sum()) - len(members)
            raise ZooError(
                f"'{labels[label]}' has too few images to draw a split from"
                + (f" ({copies} are copies of others)" if copies else "")
                + ": add some, or bring val and test splits"
            )
        drawn[generator.permutation(members)[: max(1, round(share * len(members)))]] = True
    drawn = drawn[first]
    left = [example for example, out in zip(examples, drawn, strict=True) if not out]
    return left, [example for example, out in zip(examples, drawn, strict=True) if out]
