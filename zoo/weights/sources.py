"""Who weights come from: for each source, what it has published, which files hold it and what reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, did_you_mean
from zoo.preprocess import Preprocessing
from zoo.weights import pretrained
from zoo.weights.keras_names import ANOTHER, PEERS
from zoo.weights.keras_reader import read_keras
from zoo.weights.pretrained import Input, Network, Tag
from zoo.weights.timm_reader import Reading, read_timm


@dataclass(frozen=True)
class Source:
    """Somebody's networks by family and size, how their files of weights end, and what gives a model such a file.

    `read(path, model, family, size)` assigns everything or nothing, and raises ZooError with the list of what does not
    fit, the number of classes that the file has, and the family and size that would fit. `fetched`: whether its tags
    are on the hub; else they say whose weights a file has. `others` says of networks of the same name why they are not
    zoo's.
    """

    networks: Mapping[tuple[str, str], Network]
    suffixes: tuple[str, ...]
    read: Callable[[Path, Any, str, str], Reading]
    fetched: bool
    others: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def network(self, family: str, size: str) -> Network:
        """The source's own network of this family and size.

        Raises:
            ZooError: it has none.
        """
        if (family, size) not in self.networks:
            having = ", ".join(dict.fromkeys(f"{name} {row}" for name, row in self.networks))
            reason = self.others.get((family, size), "it is not there")
            raise ZooError(f"no weights of {family} {size} are read from here ({reason}): there are those of {having}")
        return self.networks[family, size]


KERAS = {
    key: Network(peer.network, (Tag("imagenet", peer.license, peer.input),) if peer.license else (), peer.input)
    for key, peer in PEERS.items()
}
"""Networks of keras.applications; `imagenet` is what Keras calls the weights that it publishes."""

SOURCES: dict[str, Source] = {
    "timm": Source(pretrained.TIMM, (".safetensors",), read_timm, fetched=True),
    "keras": Source(KERAS, (".weights.h5", ".keras"), read_keras, fetched=False, others=ANOTHER),
}

REASONS = {
    **dict.fromkeys((".bin", ".pt", ".pth", ".ckpt", ".tar", ".pkl", ".pickle"), "is a pickle, which can run code"),
    **dict.fromkeys((".npz", ".npy"), "may hold a pickle, which can run code"),
    ".keras": "holds a Keras network",
    **dict.fromkeys((".h5", ".hdf5"), "holds a Keras network, perhaps an old one, which can hold code"),
}
"""What is the matter with files that people have instead."""


def source(name: str) -> Source:
    """The source of this name.

    Raises:
        ZooError: there is none.
    """
    if name not in SOURCES:
        raise ZooError(f"no weights are read from '{name}': {did_you_mean(name, SOURCES)}")
    return SOURCES[name]


def check_file(path: Path, name: str) -> None:
    """Raise ZooError unless the file is there and may hold the source's weights; what can run code is not opened."""
    suffixes = source(name).suffixes
    wanted = " or ".join(f"*{suffix}" for suffix in suffixes)
    if not path.name.endswith(suffixes):
        reason = REASONS.get(path.suffix.lower(), "is no such file")
        raise ZooError(f"{path} {reason}: weights from {name} are read of {wanted} only")
    if not path.is_file():
        raise ZooError(f"there is no file {path}: name one, {wanted}")


def preprocessing(wanted: Input, side: int, channels: int) -> Preprocessing:
    """How images become what the weights expect, at a size and number of channels that may be others than theirs.

    Statistics of colors follow the weights of the stem (`read_timm`): for one channel, which takes their sum, the mean
    of the three; otherwise red, green, blue and red again.
    """

    def spread(three: pretrained.Triple) -> tuple[float, ...]:
        return (sum(three) / len(three),) if channels == 1 else tuple(three[i % len(three)] for i in range(channels))

    return Preprocessing(
        side,
        side,
        channels,
        mean=spread(wanted.mean),
        std=spread(wanted.std),
        crop_pct=wanted.crop_pct,
        interpolation=wanted.interpolation,
        resize_mode=wanted.resize_mode,
    )
