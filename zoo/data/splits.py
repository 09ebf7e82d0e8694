"""Divide labeled images into training, validation and test images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from zoo.errors import ZooError
from zoo.inputs.image.labeled_image import LabeledImage
from zoo.recipe import Split

SPLIT_NAMES = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
"""The names that a source may give a split, and zoo's name for it."""


def split_images(
    images: Sequence[LabeledImage], labels: Sequence[str], split: Split
) -> tuple[list[LabeledImage], list[LabeledImage], list[LabeledImage]]:
    """Return the training, validation and test images.

    Splits that the source has are kept. A validation split without a test split becomes the test split, because the
    reported accuracy must not come from the images that chose the weights. Splits that are then missing are drawn from
    train, test first.

    Raises:
        ZooError: a class has too few images to draw from.
    """
    given: dict[str, list[LabeledImage]] = defaultdict(list)
    for image in images:
        given[image.split].append(image)
    train, validation, test = given["train"], given["validation"], given["test"]
    if not test:
        test, validation = validation, []
    if not test:
        train, test = draw(train, labels, split.test, split)
    if not validation:
        train, validation = draw(train, labels, split.validation, split)
    return train, validation, test


def draw(
    images: Sequence[LabeledImage], labels: Sequence[str], share: float, split: Split
) -> tuple[list[LabeledImage], list[LabeledImage]]:
    """Draw `share` of each class, at least one image; return the images that are left and those that were drawn.

    The order of the images is kept. With `split.copies_together`, all copies of an image go with the first of them.

    Raises:
        ZooError: no image of a class would be left.
    """
    generator = np.random.default_rng(split.seed)
    classes = np.array([image.label for image in images])
    first = np.arange(len(images))
    if split.copies_together:
        places: dict[bytes, int] = {}
        first = np.array([places.setdefault(image.digest, place) for place, image in enumerate(images)])
    drawn = np.zeros(len(images), bool)
    for label in np.unique(classes):
        members = np.flatnonzero((classes == label) & (first == np.arange(len(images))))
        if len(members) < 2:
            copies = int((classes == label).sum()) - len(members)
            raise ZooError(
                f"'{labels[label]}' has too few images to draw a split from"
                + (f" ({copies} are copies of others)" if copies else "")
                + ": add some, or bring val and test splits"
            )
        drawn[generator.permutation(members)[: max(1, round(share * len(members)))]] = True
    drawn = drawn[first]
    left = [image for image, out in zip(images, drawn, strict=True) if not out]
    return left, [image for image, out in zip(images, drawn, strict=True) if out]
