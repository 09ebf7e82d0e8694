"""Load images that a model was not trained on, with their classes numbered as the model numbers them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.data import imagenet
from zoo.data.dataset import Images
from zoo.data.load import BadImages, fingerprint, read_source, silent, skipped
from zoo.data.names import composed, look_alike, quoted
from zoo.data.source import Say
from zoo.description import Data
from zoo.errors import ZooError, listed

PREFERRED_SPLITS = ("test", "validation", "train")
"""The first of these splits that the source has is evaluated on."""


def load_for_evaluation(
    labels: Sequence[str],
    source: str,
    data_dir: Path | None = None,
    bad_images: BadImages = "error",
    say: Say = silent,
) -> tuple[Images, Data]:
    """Load the images of a source to evaluate a model on: its test split, else its validation split, else all.

    Names of classes are compared in any Unicode normalization form. Those of ImageNet may also be WordNet identifiers.

    Args:
        labels: the model's labels, in the order of its logits.
        source: `--data`; it and the other arguments are those of `zoo.data.load.load`.
        data_dir: `--data-dir`.
        bad_images: `--bad-images`.
        say: called with one line about everything that is left out.

    Returns:
        The images, with labels that are places in `labels`, and the description of the data.

    Raises:
        ZooError: there is no such source, or it has a class that the model does not have.
    """
    origin, raw = read_source(source, data_dir, bad_images, say)
    given = {image.split for image in raw.images}
    split = next(name for name in PREFERRED_SPLITS if name in given)
    chosen = [image for image in raw.images if image.split == split]
    if len(given) > 1:
        say(f"measuring on the {split} split: {len(chosen)} of {len(raw.images)} images")
    numbers = _numbers(labels)
    unknown = [name for name in raw.labels if composed(name) not in numbers]
    if unknown:
        few = listed((_with_look_alike(name, numbers) for name in unknown), most=3)
        raise ZooError(
            f"{len(unknown)} of the {len(raw.labels)} classes of {source} are none of the model's ({few}): "
            "leave them out, or give them the names of the model's labels"
        )
    renumbered = np.array([numbers[composed(name)] for name in raw.labels], np.int64)
    images = Images.of(chosen)
    data = Data(
        source=origin.text(raw.argument),
        data_dir=raw.data_dir,
        fingerprint=fingerprint(raw.labels, [chosen]),
        counts={"test": len(chosen)},
        skipped=skipped(raw),
        license=raw.license or origin.license,
    )
    return dataclasses.replace(images, labels=renumbered[images.labels]), data


def _numbers(labels: Sequence[str]) -> Mapping[str, int]:
    """Map every name that a class may have, in Unicode's form NFC, to its place among the model's logits."""
    numbers = {composed(label): number for number, label in enumerate(labels)}
    if tuple(labels) == imagenet.labels():
        numbers |= {synset: number for number, synset in enumerate(imagenet.classes())}
    return numbers


def _with_look_alike(name: str, numbers: Mapping[str, int]) -> str:
    """Quote a name that the model does not have, with the model's name that looks like it."""
    known = look_alike(name, numbers)
    return f"{quoted(name)} for the model's {quoted(known)}" if known else quoted(name)
