"""Keep only a share of the training examples, to measure training with few labels."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.data.dataset import Dataset, Examples


def labeled_fraction(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Examples]:
    """Return a dataset with a share of its training examples, in their order, and the examples that are left out.

    The share is drawn from each class, or from all examples if targets are not classes; at least one example is kept. A
    share of 1 changes nothing.
    """
    train = dataset.train
    if share == 1:
        return dataset, train.only(np.empty(0, np.int64))
    classes = np.zeros(len(train), np.int64) if train.classes is None else train.classes
    generator, kept = np.random.default_rng(seed), np.zeros(len(train), bool)
    for number in np.unique(classes):
        members = generator.permutation(np.flatnonzero(classes == number))
        kept[members[: max(1, round(share * len(members)))]] = True
    smaller = dataclasses.replace(dataset, train=train.only(np.flatnonzero(kept)))
    return smaller, train.only(np.flatnonzero(~kept))
