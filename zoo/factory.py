"""From a name, or from a run, to a Keras model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo import complexity, run, weights_file
from zoo.description import Model
from zoo.errors import ZooError
from zoo.keras_settings import own_settings
from zoo.registry import LARGEST_SIDE, MOST_CHANNELS, SMALLEST_SIDE, Family, Size, resolve
from zoo.structure import Structure


@dataclass(frozen=True)
class Features:
    """A model that returns its feature maps by name, and how many input pixels a pixel of each spans."""

    model: Any
    strides: dict[str, int]


def create(
    name: str,
    *,
    size: str | None = None,
    classes: int = 1000,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    structure: Structure | Literal["reference"] | None = None,
    features: bool = False,
    precision: str = "float32",
) -> Any:
    """Build a network with fresh weights.

    Args:
        name: a family (`resnet`) or an alias (`resnet50`).
        size: `small`, `base` or `large`; `small` when neither this nor an alias says.
        classes: the number of logits.
        input_shape: height, width, channels of the image, 1 to 4 channels.
        structure: which of its halvings the network keeps. By default the structure that suits the size of the images:
            small ones keep their resolution. `"reference"` is the published network, which published weights fit at
            every image size.
        features: return the named feature maps instead of the logits.
        precision: a Keras dtype policy: `float32`, or `mixed_bfloat16` for training.

    Returns:
        A functional `keras.Model`: `image`, float32 [batch, height, width, channels] as the preprocessing leaves it,
        in; `logits`, float32 [batch, classes], out. With `features`, a `Features`.

    Raises:
        ZooError: an unknown name or size, an input that the network cannot take, or Keras on another backend than
            TensorFlow.
    """
    family, row = resolve(name, size)
    check_input(classes, input_shape)
    if structure is None:
        structure = family.structure(row, *input_shape[:2])
    elif structure == "reference":
        structure = family.reference_structure(row)
    check_size(family, row, structure, *input_shape[:2])
    title = f"{family.name}_{row.name}"
    with own_settings(precision):
        import keras

        image = keras.Input(input_shape, dtype="float32", name="image")
        network = family.build(image, classes, structure, **row.options)
        if features:
            maps = {key: feature.tensor for key, feature in network.features.items()}
            strides = {key: feature.stride for key, feature in network.features.items()}
            return Features(keras.Model(image, maps, name=f"{title}_features"), strides)
        return keras.Model(image, network.logits, name=title)


def check_input(classes: int, input_shape: tuple[int, int, int]) -> None:
    """Raise ZooError, saying what can be taken, when no network takes such an input."""
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
    """Raise ZooError when images of so many pixels are too small for a structure: its last map would have no pixels."""
    spared = family.reference_structure(row).halvings - structure.halvings
    least = max(SMALLEST_SIDE, -(-row.smallest_side // 2**spared))
    if min(height, width) < least:
        raise ZooError(
            f"{family.name} {row.name} with {structure.halvings} halvings takes images from {least} pixels a side on, "
            f"not {height}×{width}: ask for larger ones, or train from nothing, which suits the network to them"
        )


def load(folder: str | Path, *, features: bool = False) -> Any:
    """The network of a finished run with its weights, in float32; arguments and result as for `create`.

    Raises:
        ZooError: there is no finished run at `folder`, it is damaged, or its network is not the one that it describes.
    """
    folder = Path(folder)
    description = run.read_finished(folder).model
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
    for layer in (layer for layer in extractor.model.layers if layer.weights):
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return extractor


def depths(description: Model) -> dict[str, int]:
    """How far from the logits each layer lies, by name: the number of feature maps that depend on it, where any do."""
    import keras

    features = build(description, features=True).model
    return Counter(layer.name for one in features.output.values() for layer in keras.Model(features.input, one).layers)


def structure_of(description: Model) -> Structure:
    """The structure of a described network; the one that suits its input where none was recorded."""
    if description.structure is not None:
        return description.structure
    family, row = resolve(description.family, description.size)
    height, width, _ = description.preprocessing.shape
    return family.structure(row, height, width)


def build(description: Model, *, features: bool = False, precision: str = "float32") -> Any:
    """The network that a run or an artifact describes, with fresh weights; arguments and result as for `create`."""
    return create(
        description.family,
        size=description.size,
        classes=len(description.labels),
        input_shape=description.preprocessing.shape,
        structure=structure_of(description),
        features=features,
        precision=precision,
    )
