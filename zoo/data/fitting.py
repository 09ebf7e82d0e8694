"""Leave out examples that a model's preprocessing cannot take, before training starts and fails on one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.data.dataset import Dataset
from zoo.errors import ZooError, listed
from zoo.input import Input, kind_of


def fitting(dataset: Dataset, preprocessing: Any, *, labeled: bool = True) -> Dataset:
    """Leave out the examples that the preprocessing cannot take, and name them in `Dataset.skipped`.

    Raises:
        ZooError: no example is left in a split, or, if the targets are learned (`labeled`), in a class of the training
            split.
    """
    kind = kind_of(preprocessing)
    train, without_train = kind.data.kept(dataset.train, preprocessing)
    validation, without_validation = kind.data.kept(dataset.validation, preprocessing)
    test, without_test = kind.data.kept(dataset.test, preprocessing)
    without_unlabeled: Sequence[str] = ()
    if dataset.unlabeled is not None:
        unlabeled, without_unlabeled = kind.data.kept(dataset.unlabeled, preprocessing)
        dataset = dataclasses.replace(dataset, unlabeled=unlabeled)
    left_out = (*without_train, *without_validation, *without_test, *without_unlabeled)
    if not left_out and (train, validation, test) == (dataset.train, dataset.validation, dataset.test):
        return dataset
    before, after = dataset.train.classes, train.classes
    gone = np.empty(0, np.int64)
    if labeled and before is not None and after is not None:
        gone = np.setdiff1d(before, after)
    if len(gone) or not (len(train) and len(validation) and len(test)):
        group = f"class '{dataset.labels[gone[0]]}'" if len(gone) else "a split"
        raise ZooError(f"no {kind.noun} of {group} fits the network's input: {listed(left_out, most=3)}")
    return dataclasses.replace(
        dataset, train=train, validation=validation, test=test, skipped=(*dataset.skipped, *left_out)
    )


def refuse_left_out(left_out: Sequence[str], kind: Input) -> None:
    """Raise ZooError if examples do not fit the network's input; `left_out` names them, with the reasons."""
    if left_out:
        raise ZooError(
            f"the network cannot take {len(left_out)} of the {kind.plural}: {listed(left_out, most=3)}: "
            "fix or remove them, or go on without them with --bad-examples skip"
        )
