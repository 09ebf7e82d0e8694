"""Leave out images that cannot be resized to a network's input, before training starts and fails on one."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.data.dataset import Dataset, Images
from zoo.errors import ZooError, listed
from zoo.inputs.image.preprocessing import Preprocessing, covering


def resizable_images(images: Images, preprocessing: Preprocessing) -> tuple[Images, tuple[str, ...]]:
    """Return the images that can be resized to the network's input, and a line for each other one: name and reason."""
    shapes, places = np.unique(images.shapes, axis=0, return_inverse=True)
    reasons = [_reason(int(height), int(width), preprocessing) for height, width in shapes]
    if not any(reasons):
        return images, ()
    refused = np.array([bool(reason) for reason in reasons])[places]
    named = tuple(f"{images.names(int(index))}: {reasons[places[index]]}" for index in np.flatnonzero(refused))
    return images.only(np.flatnonzero(~refused)), named


def resizable_dataset(dataset: Dataset, preprocessing: Preprocessing) -> Dataset:
    """Leave out the images that cannot be resized to the network's input, and name them in `Dataset.skipped`.

    Raises:
        ZooError: nothing is left of a split, or of a class in the training split.
    """
    train, without_train = resizable_images(dataset.train, preprocessing)
    validation, without_validation = resizable_images(dataset.validation, preprocessing)
    test, without_test = resizable_images(dataset.test, preprocessing)
    left_out = (*without_train, *without_validation, *without_test)
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
