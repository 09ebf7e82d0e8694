"""Divide examples into training, validation and test examples."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from zoo.data.example import Example
from zoo.data.targets import is_class
from zoo.errors import ZooError
from zoo.recipe import Split
from zoo.text import Say, silent

SPLIT_NAMES = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
"""The names that sources use for splits, and zoo's name for each."""

LIKE_A_SPLIT = re.compile(
    r"((images?|imgs?|clips?|audio|data)[\W_]*)?"
    r"((?P<train>train|training|trn)|(?P<val>val|valid|validation|validate|dev|development)"
    r"|(?P<test>test|testing|tst|eval|evaluation|holdout))"
    r"([\W_]*(set|data|images?|imgs?|clips?|audio|split))?[\W_]*[0-9]*",
    re.IGNORECASE,
)
"""Names that people give to splits; the group that matches is zoo's name for the split."""

FEWEST = 10
"""The fewest examples with values from which splits are drawn; if there are fewer, all are used in every split."""


def like_a_split(name: str) -> str | None:
    """Return zoo's name for a split that a name looks like, such as Train, test1, valid or dev; else None."""
    match = LIKE_A_SPLIT.fullmatch(name)
    return next((name for name, text in match.groupdict().items() if text), None) if match else None


def split_examples(
    examples: Sequence[Example], labels: Sequence[str], split: Split, plural: str, say: Say = silent
) -> tuple[list[Example], list[Example], list[Example]]:
    """Return the training, validation and test examples.

    The splits of the source are kept. A validation split without a test split becomes the test split, because the
    reported score must not come from the examples that chose the weights. The splits that are then missing are drawn
    from train, test first.

    Raises:
        ZooError: there are too few examples to draw from.
    """
    by_split: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_split[example.split].append(example)
    train, validation, test = by_split["train"], by_split["validation"], by_split["test"]
    if len(train) == len(examples) < FEWEST and not is_class(train[0].target):
        say(f"{len(train)} {plural} are too few to draw splits from: training, validation and test use all of them")
        return train, train, train
    if not test:
        test, validation = validation, []
    if not test:
        train, test = draw(train, labels, split.test, split, plural)
    if not validation:
        train, validation = draw(train, labels, split.validation, split, plural)
    return train, validation, test


def draw(
    examples: Sequence[Example], labels: Sequence[str], share: float, split: Split, plural: str
) -> tuple[list[Example], list[Example]]:
    """Draw a `share` of each class, or of all examples if targets are not classes; at least one example.

    The order of the examples is kept. With `split.copies_together`, all copies of an example go with the first of them.

    Returns:
        The examples that are left, and those that were drawn.

    Raises:
        ZooError: no example of a class would be left.
    """
    generator = np.random.default_rng(split.seed)
    classes = np.array([example.target if is_class(example.target) else 0 for example in examples])
    first = np.arange(len(examples))
    if split.copies_together:
        first_positions: dict[bytes, int] = {}
        first = np.array(
            [first_positions.setdefault(example.digest, position) for position, example in enumerate(examples)]
        )
    drawn = np.zeros(len(examples), bool)
    for number in np.unique(classes):
        members = np.flatnonzero((classes == number) & (first == np.arange(len(examples))))
        if len(members) < 2:
            copies = int((classes == number).sum()) - len(members)
            subject = f"'{labels[number]}' has" if is_class(examples[0].target) else "there are"
            raise ZooError(
                f"{subject} too few {plural} to draw a split from"
                + (f" ({copies} are copies of others)" if copies else "")
                + ": add some, or provide val and test splits"
                + (", or draw from the copies, too, with --set split.copies_together=false" if copies else "")
            )
        drawn[generator.permutation(members)[: max(1, round(share * len(members)))]] = True
    drawn = drawn[first]
    left = [example for example, out in zip(examples, drawn, strict=True) if not out]
    return left, [example for example, out in zip(examples, drawn, strict=True) if out]
