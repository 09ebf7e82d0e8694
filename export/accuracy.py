"""Accuracy of exported files on images, each image computed once per file, and of two files on the same images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo.artifact import Accuracy, PairedAccuracy
from zoo.contract import LOGITS
from zoo.data.dataset import Images
from zoo.data.pipeline import pixel_batches
from zoo.finite import finite
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.intervals import paired_difference, wilson

Run = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From uint8 images [batch, height, width, channels] to arrays by output name."""

NO_CLASS = -1
"""The prediction for an image whose logits are not all finite: their argmax would be class 0."""


def predictions(run: Run, images: Images, preprocessing: Preprocessing, batch_size: int) -> np.ndarray:
    """int64 [n]: the class with the largest logit for each image, or `NO_CLASS`."""
    found = []
    for pixels, _ in pixel_batches(images, preprocessing, batch_size=batch_size):
        logits = run(pixels)[LOGITS]
        found.append(np.where(finite(logits), logits.argmax(-1), NO_CLASS))
    return np.concatenate(found)


def accuracy(correct: np.ndarray) -> Accuracy:
    """The accuracy with its 95 % interval, from bool [n]: whether each image is predicted correctly."""
    count, total = int(correct.sum()), len(correct)
    low, high = wilson(count, total)
    return Accuracy(accuracy=count / total, low=low, high=high, correct=count, images=total)


def paired(split: str, float32: np.ndarray, int8: np.ndarray) -> PairedAccuracy:
    """The accuracy that int8 loses on the images of a split, from bool [n] of each file: correct predictions."""
    lost, gained = int((float32 & ~int8).sum()), int((int8 & ~float32).sum())
    drop, low, high = (100 * value for value in paired_difference(lost, gained, len(int8)))
    return PairedAccuracy(split, len(int8), float(float32.mean()), float(int8.mean()), lost, gained, drop, low, high)
