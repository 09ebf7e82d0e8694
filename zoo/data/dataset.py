"""Datasets as training and evaluation use them: three splits of encoded images with labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.description import Data
from zoo.inputs.image.labeled_image import LabeledImage


@dataclass(frozen=True, eq=False)
class Images:
    """The images of one split, with random access.

    Attributes:
        labels: int64 [images].
        read: returns the encoded image of an index, an 8-bit JPEG or PNG that TensorFlow and Pillow decode alike.
        names: returns what messages call the image of an index.
        shapes: int32 [images, 2], height and width in pixels.
        sizes: int64 [images], bytes of the encoded images.
        digests: uint64 [images], the first 8 bytes of the SHA-256 of each image as the source has it.
        in_memory: whether `read` finds every image in memory.
        damage: returns libjpeg's complaint about the image of an index that decodes with pixels missing; empty for an
            undamaged one.
    """

    labels: np.ndarray
    read: Callable[[int], bytes]
    names: Callable[[int], str]
    shapes: np.ndarray
    sizes: np.ndarray
    digests: np.ndarray
    in_memory: bool = False
    damage: Callable[[int], str] = lambda index: ""

    @staticmethod
    def of(images: Sequence[LabeledImage]) -> Images:
        """Return the images of one split."""
        return Images(
            labels=np.array([image.label for image in images], np.int64),
            read=lambda index: images[index].read(),
            names=lambda index: images[index].name,
            shapes=np.array([(image.height, image.width) for image in images], np.int32).reshape(-1, 2),
            sizes=np.array([image.size for image in images], np.int64),
            digests=np.frombuffer(b"".join(image.digest[:8] for image in images), "<u8").astype(np.uint64),
            in_memory=all(isinstance(image.encoded, bytes) for image in images),
            damage=lambda index: images[index].damage,
        )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @property
    def total_bytes(self) -> int:
        """The size of all encoded images together, in bytes."""
        return int(self.sizes.sum())

    def only(self, index: np.ndarray) -> Images:
        """Return the images at the places `index`, int64 [n], in that order."""
        return Images(
            labels=self.labels[index],
            read=lambda number: self.read(int(index[number])),
            names=lambda number: self.names(int(index[number])),
            shapes=self.shapes[index],
            sizes=self.sizes[index],
            digests=self.digests[index],
            in_memory=self.in_memory,
            damage=lambda number: self.damage(int(index[number])),
        )


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labeled images, divided into three splits.

    Attributes:
        source: `--data` for these data, with version or absolute path.
        data_dir: `--data-dir` for these data, None if their source takes none.
        labels: the names of the classes; the labels of the splits are places in it.
        train: the images to train on.
        validation: the images that choose among the weights of a training.
        test: the images that accuracy is measured on.
        shape: height, width, channels if all images have one size, else None.
        channels: 1 if every image is gray, else 3.
        fingerprint: SHA-256 over the class names and every split's labels and bytes, as the source has them.
        skipped: a line for each image that is left out: its name and the reason.
        license: the license of the data.
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
        """Return what a run and an artifact record of the dataset."""
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
    """Count the validation images that are also in train, and the test images that are in train or validation."""
    earlier = np.union1d(dataset.train.digests, dataset.validation.digests)
    return {
        "validation": int(np.isin(dataset.validation.digests, dataset.train.digests).sum()),
        "test": int(np.isin(dataset.test.digests, earlier).sum()),
    }
