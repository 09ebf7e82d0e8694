"""Training that starts from the weights of a finished run: what of them is taken, and what must fit."""

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
    """The family and size that are asked for; those of the run `weights` where they are not named.

    Raises:
        ZooError: nothing says them, there is no such family, size or finished run, or the run's are others.
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
    """What goes into a network with the weights of a run: the same as there, but for what `image` changes.

    Raises:
        ZooError: it asks for other channels.
    """
    if image.channels not in (0, source.channels):
        raise ZooError(
            f"image.channels={image.channels}: the weights take {source.channels}: "
            "leave it out, and images of any kind are brought to that"
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
    """What the network `model` starts with: the arrays of the run `weights`, by `layer/variable`, and where from.

    The logits' layer is not among them when the classes or their order are others. Position embeddings are resampled
    to the network's grid of patches.

    Raises:
        ZooError: there is no such finished run, or its weights do not fit; all that does not is listed.
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
    """Give the network of the run at `folder` the weights that it starts with, which are kept there.

    Raises:
        ZooError: they are missing, damaged or of another network.
    """
    arrays, _ = weights_file.read(folder / run.INITIAL)
    weights_file.assign(_wanted(model, initial.new_head), arrays, str(folder / run.INITIAL))


def freeze(model: Any) -> None:
    """Leave the logits' layer as the only one that is trained."""
    for layer in model.layers:
        layer.trainable = layer.name == LOGITS


def _wanted(model: Any, new_head: bool) -> dict[str, Any]:
    variables = weights_file.weights(model)
    return _without_head(variables) if new_head else variables


def _without_head(named: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if not name.startswith(f"{LOGITS}/")}


def _grid(model: Model) -> tuple[int, int]:
    """The rows and columns of patches that a ViT makes of an image."""
    height, width, _ = model.preprocessing.shape
    patch = 2 ** factory.structure_of(model).halvings
    return height // patch, width // patch
