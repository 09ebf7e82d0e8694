"""Fine-tuning: training that starts from the weights of a finished run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from zoo import factory, files, run, weights_file
from zoo.contract import LOGITS
from zoo.data.names import composed
from zoo.description import InitialWeights, Model
from zoo.errors import ZooError
from zoo.preprocess import Preprocessing
from zoo.recipe import ImageInput
from zoo.registry import Family, Size, resolve
from zoo.weights.timm_reader import POSITIONS, resampling


def network(name: str | None, size: str | None, weights: Path | None) -> tuple[Family, Size]:
    """Find the family and size to train; those of the run `weights` where they are not named.

    Raises:
        ZooError: neither is given, there is no such family, size or finished run, or the run has other ones.
    """
    if weights is None and name is None:
        raise ZooError(
            "name a family, such as 'zoo train resnet', or a run to --resume or to take --weights from; "
            "'zoo list' shows the families"
        )
    if weights is None:
        return resolve(name or "", size)
    source = run.read_finished(weights).model
    named = name or source.family
    family, row = resolve(named, size or (source.size if named == source.family else None))
    if (family.name, row.name) != (source.family, source.size):
        raise ZooError(
            f"{weights} holds weights of {source.family} {source.size}, not of {family.name} {row.name}: "
            "leave FAMILY and --size out, or name another run"
        )
    return family, row


def preprocessing(source: Preprocessing, image: ImageInput) -> Preprocessing:
    """Return the preprocessing of a fine-tuned network: that of the run, with the changes that `image` asks for.

    Raises:
        ZooError: `image` asks for other channels.
    """
    if image.channels not in (0, source.channels):
        raise ZooError(
            f"image.channels={image.channels}: the weights take {source.channels}: "
            "leave it out; images with other channels are converted"
        )
    height, width = (image.size, image.size) if image.size else (source.height, source.width)
    return dataclasses.replace(
        source,
        height=height,
        width=width,
        crop_pct=image.crop_pct or source.crop_pct,
        white_level=image.white_level or source.white_level,
        background=source.background if image.background == "auto" else image.background,
    )


def take(weights: Path, model: Model) -> tuple[InitialWeights, dict[str, np.ndarray]]:
    """Read the initial weights of the network `model` from the finished run `weights`.

    The head (the layer `logits`) is left out when the classes or their order differ. Position embeddings are resampled
    to the network's grid of patches.

    Returns:
        What the run records of them, and the arrays by `layer/variable`.

    Raises:
        ZooError: there is no such finished run, or its weights do not fit; the message lists what does not.
    """
    source, path = run.read_finished(weights), weights / run.WEIGHTS
    new_head = [*map(composed, source.model.labels)] != [*map(composed, model.labels)]
    arrays, _ = weights_file.read(path)
    old, new = _grid(source.model), _grid(model)
    if POSITIONS in arrays and old != new and arrays[POSITIONS].shape[1] == 1 + old[0] * old[1]:
        arrays[POSITIONS] = resampling(old, new)(arrays[POSITIONS])
    if new_head:
        arrays = _without_head(arrays)
    height, width, _ = model.preprocessing.shape
    advice = f"leave image.size out, or name a run of {model.family} {model.size} that takes {height}×{width} pixels"
    weights_file.check(_wanted(factory.build(model), new_head), arrays, str(path), advice)
    record = InitialWeights(
        run=weights.resolve().name,
        sha256=files.sha256(path),
        family=source.model.family,
        size=source.model.size,
        license=run.license_of_weights(source),
        new_head=new_head,
    )
    return record, arrays


def assign(model: Any, folder: Path, initial: InitialWeights) -> None:
    """Assign the initial weights that are kept in the run at `folder` to its network.

    Raises:
        ZooError: they are missing, damaged or of another network.
    """
    arrays, _ = weights_file.read(folder / run.INITIAL)
    weights_file.assign(_wanted(model, initial.new_head), arrays, str(folder / run.INITIAL))


def freeze(model: Any) -> None:
    """Make the head (the layer `logits`) the only layer that is trained."""
    for layer in model.layers:
        layer.trainable = layer.name == LOGITS


def _wanted(model: Any, new_head: bool) -> dict[str, Any]:
    variables = weights_file.weights(model)
    return _without_head(variables) if new_head else variables


def _without_head(named: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if not name.startswith(f"{LOGITS}/")}


def _grid(model: Model) -> tuple[int, int]:
    """Return the rows and columns of patches into which a ViT cuts an image."""
    height, width, _ = model.preprocessing.shape
    patch = 2 ** factory.structure_of(model).halvings
    return height // patch, width // patch
