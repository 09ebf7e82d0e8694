"""Records of published weights: the publisher's names of networks, and the image preprocessing that each tag needs.

The rows themselves stand in each family's record. Those of timm are from the `pretrained_cfg` of timm 1.0.31, which
states the license, image size and preprocessing of every tag: the tags with 1000 classes, timm's own choice first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.schema import record
from zoo.weights.names import Names

CLASSES = 1000
"""The number of classes of ImageNet-1k, for which the weights of networks of images are published."""

Triple = tuple[float, float, float]
Above0 = Annotated[float, Field(gt=0)]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
HALF: Triple = (0.5, 0.5, 0.5)

APACHE, BSD, NON_COMMERCIAL = "Apache-2.0", "BSD-3-Clause", "CC-BY-NC-4.0"


@record
class PublishedInput:
    """The images that weights want: `side` by `side` pixels of three channels, the rest as in `Preprocessing`."""

    side: Annotated[int, Field(ge=1)]
    crop_pct: Annotated[float, Field(gt=0, le=1)] = 0.875
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    resize_mode: Literal["shortest", "squash"] = "shortest"
    mean: Triple = IMAGENET_MEAN
    std: tuple[Above0, Above0, Above0] = IMAGENET_STD


USUAL = PublishedInput(224)
"""The input that timm takes for a network whose weights state none."""

TORCHVISION = PublishedInput(224, interpolation="bilinear")
"""The input of torchvision's weights, whatever the network."""


@dataclass(frozen=True)
class Tag:
    """One training of a network that somebody published; `license` is an SPDX identifier."""

    name: str
    license: str
    input: PublishedInput


@dataclass(frozen=True)
class Published:
    """A network as a publisher of weights has it.

    `model` is the publisher's name for it, and `names` maps its layers to zoo's. `tags` are the weights that are
    published, the usual ones first. `reference` is the input that the network's definition names, for weights that
    nobody published.
    """

    model: str
    names: Names
    tags: tuple[Tag, ...] = ()
    reference: PublishedInput = USUAL

    @property
    def input(self) -> PublishedInput:
        """The input of the first tag; that of the published network if there are no tags."""
        return self.tags[0].input if self.tags else self.reference

    def refusal(self, path: Path) -> str | None:
        """Say why a file with another ending than the publisher's is not read, and how to fix that.

        The text follows the path. It is None if the publisher has no older format of this ending.
        """
        return None


OLDER, NEWER = (".h5", ".hdf5"), ".weights.h5"
"""The endings of HDF5 files of Keras 2, and of those of Keras 3."""

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
"""The variables of a batch normalization, in the order in which Keras stores them."""


@dataclass(frozen=True)
class KerasApplication(Published):
    """A network of keras.applications (Keras 3.15).

    `model` is the function that builds it, called with `alpha` where that is not 1. Its batch normalizations add
    `epsilon` to the variance and lack the variables `norm_lacks`. `bgr`: the first layer sees blue first.
    `pads_one_side`: a map of even side is padded below and to the right where it is halved, and not all around as in
    zoo.
    """

    alpha: float = 1.0
    epsilon: float = 1e-3
    norm_lacks: tuple[str, ...] = ()
    bgr: bool = False
    pads_one_side: bool = False

    @property
    def lacks_norms(self) -> bool:
        """True if the network has no batch normalization, and zoo's has."""
        return self.norm_lacks == NORM

    def refusal(self, path: Path) -> str | None:
        """Say how to save an HDF5 file of Keras 2, as keras.applications fetches them, in the format that zoo reads."""
        return f"is in Keras' older HDF5 format: {self.resaving(path)}" if path.suffix.lower() in OLDER else None

    def resaving(self, path: Path) -> str:
        """Say how to save an older file again with Keras, in the format that zoo reads."""
        stem = path.stem.removesuffix(".weights")
        # Keras 3.15 reads the older format only from files with these endings.
        is_loadable = path.name.endswith(OLDER) and not path.name.endswith(NEWER)
        name = path.name if is_loadable else f"{stem}{OLDER[0]}"
        alpha = "" if self.alpha == 1 else f"alpha={self.alpha:g}, "
        call = f"keras.applications.{self.model}({alpha}weights='{name}').save_weights('{stem}{NEWER}')"
        return f"{'' if is_loadable else f'rename it to {name}; then, '}in Keras, {call} writes what zoo reads"


@dataclass(frozen=True)
class TransformersModel(Published):
    """A network of transformers (5.x); `model` is the repository of the hub with its usual weights.

    Attributes:
        license: the license of the usual weights.
        config: the keys and values that the `config.json` of such a network has.
        assumed: keys that `config.json` may lack; if it has them, it must have these values.
        prefix: the beginning of the tensors' names if the network has a head.
        fresh: layers that keep their random weights if the file has none of their tensors.
        cut: variables of which the file may have more rows than the network, which are left out.
        refused: layers of other networks, each with the reason why a file that has it is refused.
        pooling: how the vector of a text is made, in the words of the family's builder.
        reader: the dotted name of a module whose `read` reads the file, if its tensors are not stored as they are used.
    """

    license: str = APACHE
    config: Mapping[str, Any] = field(default_factory=dict)
    assumed: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    fresh: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    pooling: str = ""
    reader: str = ""


KERAS_TAG = "imagenet"
"""The name under which Keras publishes its weights."""
