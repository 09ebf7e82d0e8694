"""The publishers whose weights zoo reads: where their files are, what they look like, and what reads them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, did_you_mean
from zoo.family import Family, Size
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.registry import matching, resolve
from zoo.weights import timm_config
from zoo.weights.hub import FILE_IN_HAND
from zoo.weights.keras_reader import read_keras
from zoo.weights.pretrained import Published, PublishedInput, Tag, TransformersModel, Triple
from zoo.weights.reading import Reading
from zoo.weights.timm_reader import read_timm
from zoo.weights.transformers_reader import WEIGHTS, open_checkpoint, read_transformers


@dataclass(frozen=True)
class Publisher:
    """A publisher of weights.

    Attributes:
        name: the key of the publisher in a size's `weights`.
        suffixes: the endings of the publisher's files.
        read: called as `read(path, model, family, size)`, assigns all weights of a file or none. It raises ZooError
            with all that does not fit, the number of classes that the file has, and the family and size that would fit.
        repositories: the form of the names of the hub's repositories, with the fields `model` and `tag`. If it is
            empty, the weights are not on the hub, and tags only say whose weights a file holds.
        folders: whether weights are read from a folder, which also says how examples are prepared, what the task is,
            and the labels if there are any.
        stated_input: called as `stated_input(path, published)`, returns the input that another file in the folder of a
            file of weights states, or None. It raises ZooError if that input is not one of the published network.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Any, str, str], Reading]
    repositories: str = ""
    folders: bool = False
    stated_input: Callable[[Path, Published], PublishedInput | None] = lambda path, published: None

    def published(self, family: Family, size: Size) -> Published:
        """Return the publisher's network of this family and size.

        Raises:
            ZooError: it has none.
        """
        if self.name in size.weights:
            return size.weights[self.name]
        having = ", ".join(f"{other.name} {row.name}" for other, row in matching() if self.name in row.weights)
        reason = size.differs.get(self.name, "none are known")
        raise ZooError(
            f"no weights of {family.name} {size.name} are read from {self.name} ({reason}): zoo reads those of {having}"
        )

    def tag(self, published: Published, name: str | None = None) -> Tag:
        """Return the tag of this name; the usual one when it is None.

        Raises:
            ZooError: there is none.
        """
        if name is None and not published.tags:
            raise ZooError(f"no weights of {published.model} can be fetched from {self.name}: {FILE_IN_HAND}")
        for tag in published.tags:
            if name in (None, tag.name):
                return tag
        advice = did_you_mean(str(name), [tag.name for tag in published.tags]) if published.tags else "none are known"
        raise ZooError(f"no weights of {published.model} are tagged '{name}': {advice}")

    def repository(self, published: Published, tag: Tag) -> str | None:
        """Return the repository of the Hugging Face hub with a tag's weights; None where they are not there."""
        return self.repositories.format(model=published.model, tag=tag.name) or None


def _read_transformers(path: Path, model: Any, family: str, size: str) -> Reading:
    row = resolve(family, size)[1]
    published = row.weights["transformers"]
    assert isinstance(published, TransformersModel)
    if published.reader:
        reading: Reading = importlib.import_module(published.reader).read(open_checkpoint(path), model, row.options)
        return reading
    return read_transformers(path, model, published)


TIMM = Publisher(
    "timm",
    (".safetensors",),
    read_timm,
    repositories="timm/{model}.{tag}",
    stated_input=timm_config.stated_input,
)
KERAS = Publisher("keras", (".weights.h5", ".keras"), read_keras)
TRANSFORMERS = Publisher("transformers", (WEIGHTS,), _read_transformers, folders=True)

PUBLISHERS = {publisher.name: publisher for publisher in (TIMM, KERAS, TRANSFORMERS)}

REASONS = {
    **dict.fromkeys((".bin", ".pt", ".pth", ".ckpt", ".tar", ".pkl", ".pickle"), "is a pickle, which can run code"),
    **dict.fromkeys((".npz", ".npy"), "may hold a pickle, which can run code"),
    ".keras": "holds a Keras network",
    **dict.fromkeys((".h5", ".hdf5"), "holds a Keras network, perhaps an old one, which can hold code"),
}
"""The reasons why files of other kinds are not read, by suffix."""


def find_publisher(name: str) -> Publisher:
    """Return the publisher of this name.

    Raises:
        ZooError: there is none.
    """
    if name not in PUBLISHERS:
        raise ZooError(f"no weights are read from '{name}': {did_you_mean(name, PUBLISHERS)}")
    return PUBLISHERS[name]


def check_file(path: Path, origin: Publisher, published: Published) -> None:
    """Raise ZooError unless the file is there and may hold the publisher's weights; open none that can run code."""
    if origin.folders and path.is_dir():
        return
    patterns = " or ".join(f"*{suffix}" for suffix in origin.suffixes)
    if not path.is_file():
        missing = f"nothing at {path}: name a folder of {origin.name} or" if origin.folders else f"no file {path}: name"
        raise ZooError(f"there is {missing} a {patterns} file")
    if not path.name.endswith(origin.suffixes):
        if refusal := published.refusal(path):
            raise ZooError(f"{path} {refusal}")
        reason = REASONS.get(path.suffix.lower(), "has another format")
        raise ZooError(f"{path} {reason}: weights from {origin.name} are read only from {patterns} files")


def preprocessing(published_input: PublishedInput, side: int, channels: int) -> Preprocessing:
    """Return the preprocessing of images for weights, at a size and a number of channels that may differ from theirs.

    Mean and std are adapted as the stem's weights are (`read_timm`): for one channel, which takes the sum of the three,
    they are the three's means; for other channels they are red's, green's, blue's and red's again.
    """

    def spread(three: Triple) -> tuple[float, ...]:
        return (sum(three) / len(three),) if channels == 1 else tuple(three[i % len(three)] for i in range(channels))

    return Preprocessing(
        side,
        side,
        channels,
        mean=spread(published_input.mean),
        std=spread(published_input.std),
        crop_pct=published_input.crop_pct,
        interpolation=published_input.interpolation,
        resize_mode=published_input.resize_mode,
    )
