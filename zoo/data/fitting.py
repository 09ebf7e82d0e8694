"""What of a data set can become a network's input: an image that no decoder scales is found before training starts."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.data.dataset import Dataset, Images
from zoo.errors import ZooError, listed
from zoo.preprocess import Preprocessing, covering


def fitting(images: Images, preprocessing: Preprocessing) -> tuple[Images, tuple[str, ...]]:
    """The images that can be scaled to the network's input; and the names of the others, each with the reason."""
    shapes, places = np.unique(images.shapes, axis=0, return_inverse=True)
    reasons = [_reason(int(height), int(width), preprocessing) for height, width in shapes]
    if not any(reasons):
        return images, ()
    refused = np.array([bool(reason) for reason in reasons])[places]
    named = tuple(f"{images.names(int(index))}: {reasons[places[index]]}" for index in np.flatnonzero(refused))
    return images.only(np.flatnonzero(~refused)), named


def fitted(dataset: Dataset, preprocessing: Preprocessing) -> Dataset:
    """The data set without the images that cannot be scaled to the network's input, which are named in `skipped`.

    Raises:
        ZooError: nothing is left of a split, or of a class in the training split.
    """
    train, left_of_train = fitting(dataset.train, preprocessing)
    validation, left_of_validation = fitting(dataset.validation, preprocessing)
    test, left_of_test = fitting(dataset.test, preprocessing)
    left_out = (*left_of_train, *left_of_validation, *left_of_test)
    if not left_out:
        return dataset
    gone = set(dataset.train.labels.tolist()) - set(train.labels.tolist())
    if gone or not (len(validation) and len(test)):
        what = f"class '{dataset.labels[min(gone)]}'" if gone else "a split"
        raise ZooError(f"no image of {what} can be scaled to the network's input: {listed(left_out, most=3)}")
    return dataclasses.replace(
        dataset, train=train, validation=validation, test=test, skipped=(*dataset.skipped, *left_out)
    )


def _reason(height: int, width: int, preprocessing: Preprocessing) -> str:
    try:
        covering(height, width, preprocessing)
    except ZooError as error:
        return str(error)
    return ""
