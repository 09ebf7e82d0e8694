"""Building Keras models: from a name, from a run, or from a description."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo import complexity, run, weights_file
from zoo.description import Model
from zoo.errors import ZooError
from zoo.family import LARGEST_SIDE, MOST_CHANNELS, SMALLEST_SIDE, Family, Size
from zoo.keras_settings import own_settings
from zoo.registry import resolve
from zoo.structure import Structure
from zoo.weights import hub
from zoo.weights.pretrained import CLASSES, Tag
from zoo.weights.sources import TIMM

USUAL_SIDE = 224
"""The side of the input in pixels, where neither a user nor published weights say another."""


@dataclass(frozen=True)
class FeatureExtractor:
    """A model that returns its feature maps by name, and each one's stride.

    The stride is the number of the image's pixels that one pixel of the map spans.
    """

    model: Any
    strides: dict[str, int]


def create(
    name: str,
    *,
    size: str | None = None,
    classes: int = CLASSES,
    input_shape: tuple[int, int, int] | None = None,
    structure: Structure | Literal["reference"] | None = None,
    features: bool = False,
    precision: str = "float32",
    pretrained: bool | str = False,
) -> Any:
    """Build a network with fresh or with published weights.

    Args:
        name: a family (`resnet`) or an alias (`resnet50`).
        size: a size of the family, such as `base`. By default that of the alias, or `small`.
        classes: the number of logits.
        input_shape: height, width and channels (1 to 4) of the image. By default 224×224×3, or what the published
            weights take.
        structure: which of its halvings the network keeps. By default small images are halved less often, unless the
            weights are published ones. `"reference"` is the published network, which published weights fit at every
            image size.
        features: return the named feature maps instead of the logits.
        precision: a Keras dtype policy: `float32`, or `mixed_bfloat16` for training.
        pretrained: True for the weights that timm's default is, or the tag of others, such as `"a1_in1k"`;
            `zoo.info` lists them with their licenses and with how they want their images. They are fetched from the
            Hugging Face hub, unless they are in its cache. The head has fresh weights where `classes` is not 1000; the
            stem's weights are adapted where there are not 3 channels.

    Returns:
        A functional `keras.Model`: `image`, float32 [batch, height, width, channels] as the preprocessing leaves it,
        in; `logits`, float32 [batch, classes], out. With `features`, a `FeatureExtractor`.

    Raises:
        ZooError: an unknown name or size, an input that the network cannot take, Keras on another backend than
            TensorFlow, or published weights that are not there or cannot be fetched.
    """
    family, row = resolve(name, size)
    tag = TIMM.tag(TIMM.published(family, row), None if pretrained is True else pretrained) if pretrained else None
    side = tag.input.side if tag else USUAL_SIDE
    shape = input_shape or (side, side, 3)
    check_input(classes, shape)
    if structure == "reference" or (structure is None and tag):
        structure = family.reference_structure(row)
    elif structure is None:
        structure = family.structure(row, *shape[:2])
    check_size(family, row, structure, *shape[:2])
    if tag is None:
        return _built(family, row, classes, shape, structure, features, precision)
    trained = _trained(family, row, shape, structure, precision, tag)
    if classes == CLASSES and not features:
        return trained
    made = _built(family, row, classes, shape, structure, features, precision)
    _copy_weights(trained, made.model if features else made, but=family.head if classes != CLASSES else ())
    return made


def _built(
    family: Family,
    row: Size,
    classes: int,
    shape: tuple[int, int, int],
    structure: Structure,
    features: bool,
    precision: str,
) -> Any:
    title = f"{family.name}_{row.name}"
    with own_settings(precision):
        import keras

        image = keras.Input(shape, dtype="float32", name="image")
        outputs = importlib.import_module(family.builder).build(image, classes, structure, **row.options)
        if features:
            maps = {key: one.tensor for key, one in outputs.feature_maps.items()}
            strides = {key: one.stride for key, one in outputs.feature_maps.items()}
            return FeatureExtractor(keras.Model(image, maps, name=f"{title}_features"), strides)
        return keras.Model(image, outputs.logits, name=title)


def _trained(
    family: Family, row: Size, shape: tuple[int, int, int], structure: Structure, precision: str, tag: Tag
) -> Any:
    """Build the network that published weights are of, with these weights."""
    repository = TIMM.repository(TIMM.published(family, row), tag)
    assert repository is not None, "timm's weights are on the hub"
    path = hub.fetch(repository).path
    model = _built(family, row, CLASSES, shape, structure, features=False, precision=precision)
    TIMM.read(path, model, family.name, row.name)
    return model


def _copy_weights(source: Any, target: Any, but: Collection[str] = ()) -> None:
    """Give all layers of a model, `but` some, the weights of the layers with the same names in another."""
    for layer in target.layers:
        if layer.weights and layer.name not in but:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def check_input(classes: int, input_shape: tuple[int, int, int]) -> None:
    """Raise ZooError when no network takes such an input, or has so few classes."""
    height, width, channels = input_shape
    if not (min(height, width) >= SMALLEST_SIDE and max(height, width) <= LARGEST_SIDE):
        raise ZooError(
            f"an image of {height}×{width} pixels cannot be taken: "
            f"each side must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise ZooError(f"{channels} channels cannot be taken: 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA) can")
    if classes < 2:
        raise ZooError(f"{classes} class cannot be told apart: at least 2 are needed")


def check_size(family: Family, row: Size, structure: Structure, height: int, width: int) -> None:
    """Raise ZooError when images are so small that the last map of a structure would have no pixels."""
    spared = family.reference_structure(row).halvings - structure.halvings
    least = max(SMALLEST_SIDE, -(-row.smallest_side // 2**spared))
    if min(height, width) < least:
        raise ZooError(
            f"{family.name} {row.name} with {structure.halvings} halvings takes images from {least} pixels a side on, "
            f"not {height}×{width}: ask for larger ones, or train from nothing, which suits the network to them"
        )


def load(folder: str | Path, *, features: bool = False) -> Any:
    """Build the network of a finished run with its weights, in float32.

    Args:
        folder: the run.
        features: as for `create`, which also says what is returned.

    Raises:
        ZooError: there is no finished run at `folder`, it is damaged, or its network is not the one that it describes.
    """
    return load_described(Path(folder), run.read_finished(Path(folder)).model, features=features)


def load_described(folder: Path, description: Model, *, features: bool = False) -> Any:
    """The same for a run whose description was read already."""
    model = build(description)
    different = complexity.departures(model, description)
    if different:
        raise ZooError(
            f"{folder / run.DESCRIPTION} does not describe the network that is built ({'; '.join(different)}): "
            "restore the run, or train again"
        )
    arrays, _ = weights_file.read(folder / run.WEIGHTS)
    weights_file.assign(weights_file.weights(model), arrays, str(folder / run.WEIGHTS))
    if not features:
        return model
    extractor = build(description, features=True)
    _copy_weights(model, extractor.model)
    return extractor


def layer_depths(description: Model) -> dict[str, int]:
    """Return each layer's depth for layer-wise learning-rate decay: the number of feature maps that depend on it.

    Layers on which none depends, such as the logits' layer, are left out.
    """
    import keras

    extractor = build(description, features=True).model
    return Counter(
        layer.name for one in extractor.output.values() for layer in keras.Model(extractor.input, one).layers
    )


def structure_of(description: Model) -> Structure:
    """Return the structure of a described network; the one that suits its input where none was recorded."""
    if description.structure is not None:
        return description.structure
    family, row = resolve(description.family, description.size)
    height, width, _ = description.preprocessing.shape
    return family.structure(row, height, width)


def build(description: Model, *, features: bool = False, precision: str = "float32") -> Any:
    """Build the network that a run or an artifact describes, with fresh weights.

    `features` and `precision` are as for `create`, which also says what is returned.
    """
    return create(
        description.family,
        size=description.size,
        classes=len(description.labels),
        input_shape=description.preprocessing.shape,
        structure=structure_of(description),
        features=features,
        precision=precision,
    )
