"""Load the dataset that `--data` names, and divide it into training, validation and test images."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from zoo.data.dataset import Dataset, Images
from zoo.data.source import Say, Source, checked_options, parse
from zoo.data.splits import split_images
from zoo.errors import ZooError, listed
from zoo.inputs.image.labeled_image import LabeledImage, RawDataset
from zoo.recipe import Split

BadImages = Literal["error", "skip"]
"""The treatment of images that cannot be read: an error, or left out."""


def silent(line: str) -> None:
    """Say nothing."""


def load(
    source: str,
    *,
    split: Split,
    data_dir: Path | None = None,
    bad_images: BadImages = "error",
    say: Say = silent,
) -> Dataset:
    """Load the dataset that `source` names in the words of `--data`, such as `digits` or `folder:PATH`.

    Args:
        source: `SCHEME` or `SCHEME:ARGUMENT`, see `zoo.data.source`.
        split: how to draw the splits that the source itself does not have.
        data_dir: the option `--data-dir`, for a source that takes it.
        bad_images: whether images that cannot be read are an error or are left out.
        say: called with one line about everything that is left out, and about images that are there twice.

    Raises:
        ZooError: there is no such source, or nothing can be trained on its data.
    """
    origin, raw = read_source(source, data_dir, bad_images, say)
    say_copies(raw.images, say)
    parts = split_images(raw.images, raw.labels, split)
    train, validation, test = map(Images.of, parts)
    channels = 1 if all(image.gray for image in raw.images) else 3
    sizes = {(image.height, image.width) for image in raw.images}
    return Dataset(
        source=origin.text(raw.argument),
        data_dir=raw.data_dir,
        labels=raw.labels,
        train=train,
        validation=validation,
        test=test,
        shape=(*sizes.pop(), channels) if len(sizes) == 1 else None,
        channels=channels,
        fingerprint=fingerprint(raw.labels, parts),
        skipped=skipped(raw),
        license=raw.license or origin.license,
    )


def read_source(
    source: str, data_dir: Path | None = None, bad_images: BadImages = "error", say: Say = silent
) -> tuple[Source, RawDataset]:
    """Read all labeled images of a source; the arguments are those of `load`.

    Raises:
        ZooError: there is no such source, it takes no `data_dir`, it cannot be read, images cannot be read and
            `bad_images` is `error`, or no image of a class is left.
    """
    origin, argument = parse(source)
    raw = origin.read(argument, say, **checked_options(origin, data_dir=data_dir))
    if raw.unreadable and bad_images == "error":
        count = len(raw.images) + len(raw.unreadable)
        raise ZooError(
            f"{len(raw.unreadable)} of {count} images of {origin.text(raw.argument)} cannot be read: "
            f"{listed(skipped(raw), most=3)}: mend or remove them, or go on without them with --bad-images skip"
        )
    left = {(image.split, image.label) for image in raw.images}
    for bad in raw.unreadable:
        if (bad.split, bad.label) not in left:
            raise ZooError(
                f"no image of class '{raw.labels[bad.label]}' in the {bad.split} split of "
                f"{origin.text(raw.argument)} can be read: mend them, or remove the class"
            )
    return origin, raw


def skipped(raw: RawDataset) -> tuple[str, ...]:
    """Return a line for each image that could not be read: its name and the reason."""
    return tuple(f"{bad.name}: {bad.reason}" for bad in raw.unreadable)


def say_copies(images: Sequence[LabeledImage], say: Say) -> None:
    """Count the images that are there more than once, and those among them that have several labels."""
    labels: dict[bytes, set[int]] = defaultdict(set)
    for image in images:
        labels[image.digest].add(image.label)
    if len(labels) < len(images):
        say(f"{len(images) - len(labels)} of {len(images)} images are copies of others, byte for byte")
    several = [image.name for image in images if len(labels[image.digest]) > 1]
    if several:
        say(f"{len(several)} images are in several classes: {listed(several, most=3)}: remove them from the wrong ones")


def fingerprint(labels: Sequence[str], splits: Sequence[Sequence[LabeledImage]]) -> str:
    """Return a SHA-256 over the class names and, split by split, the label and the digest of every image."""
    digest = hashlib.sha256(json.dumps(labels).encode())
    for images in splits:
        digest.update(len(images).to_bytes(8, "little"))
        for image in images:
            digest.update(image.label.to_bytes(8, "little") + image.digest)
    return digest.hexdigest()
