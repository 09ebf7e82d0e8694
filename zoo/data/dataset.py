"""What a data set is to those who use it: three splits of encoded images with labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zoo.description import Data


@dataclass(frozen=True, eq=False)
class Images:
    """One split, with random access.

    `labels` is int64 [images]. `read(i)` gives one encoded image, 8-bit JPEG or PNG, that TensorFlow and Pillow
    decode alike. `names(i)` names an image to people. `sizes`, int64 [images], are those of the encoded images in
    bytes; `held` says that they are in memory, so that reading one costs nothing. `digests`, uint64 [images], are the
    first 8 bytes of the SHA-256 of each image as the source has it. `shapes`, int32 [images, 2], are heights and
    widths. `damage(i)` says what of an image is lost that can be decoded all the same, and is empty for a sound one.
    """

    labels: np.ndarray
    read: Callable[[int], bytes]
    names: Callable[[int], str]
    shapes: np.ndarray
    sizes: np.ndarray
    digests: np.ndarray
    held: bool = False
    damage: Callable[[int], str] = lambda index: ""

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def total_bytes(self) -> int:
        """The bytes that all encoded images take."""
        return int(self.sizes.sum())

    def only(self, index: np.ndarray) -> Images:
        """The images at the places `index`, int64 [n], in that order."""
        return Images(
            labels=self.labels[index],
            read=lambda number: self.read(int(index[number])),
            names=lambda number: self.names(int(index[number])),
            shapes=self.shapes[index],
            sizes=self.sizes[index],
            digests=self.digests[index],
            held=self.held,
            damage=lambda number: self.damage(int(index[number])),
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labeled images, dealt out to three splits.

    `source` is what `--data` would say, with version and absolute path. `labels` name the classes in the order of the
    integers in the splits. `shape` is height, width, channels where all images have one size. `channels` is 1 where
    every image is gray, else 3. `fingerprint` is a SHA-256 over labels and every split's labels and bytes, as the
    source has them. `skipped` names the images that could not be read, each with the reason.
    """

    source: str
    data_dir: str | None
    labels: tuple[str, ...]
    train: Images
    validation: Images
    test: Images
    shape: tuple[int, int, int] | None
    channels: int
    fingerprint: str
    skipped: tuple[str, ...]
    license: str

    def description(self) -> Data:
        """What a run and an artifact record of it."""
        return Data(
            source=self.source,
            data_dir=self.data_dir,
            fingerprint=self.fingerprint,
            counts={"train": len(self.train), "validation": len(self.validation), "test": len(self.test)},
            skipped=self.skipped,
            license=self.license,
            overlap=overlap(self),
        )


def overlap(dataset: Dataset) -> dict[str, int]:
    """How many images of the validation split are in train too, and of the test split in either."""
    earlier = np.union1d(dataset.train.digests, dataset.validation.digests)
    return {
        "validation": int(np.isin(dataset.validation.digests, dataset.train.digests).sum()),
        "test": int(np.isin(dataset.test.digests, earlier).sum()),
    }
