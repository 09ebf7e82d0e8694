"""Training from the weights of a finished run: checking that they fit, adapting and assigning them."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from zoo import factory, files, run, weights_file
from zoo.data.names import composed
from zoo.description import InitialWeights, Model
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.input import kind_of
from zoo.registry import resolve
from zoo.weights import positions


def family_and_size(name: str | None, size: str | None, weights: Path | None) -> tuple[Family, Size]:
    """Return the requested family and size, or those of the run `weights`.

    Raises:
        ZooError: neither a family nor a run is named; there is no such family, size or finished run; or the run has
            another family or size than the request.
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


def keeps_head(model: Model, source: Model) -> bool:
    """Return whether a network that starts from the weights of `source` keeps its head: it gives the same answers."""

    def answers(of: Model) -> tuple[Any, ...]:
        return of.task, [*map(composed, of.labels)], [part.task for part in of.parts]

    return answers(model) == answers(source)


def take(weights: Path, model: Model) -> tuple[InitialWeights, dict[str, np.ndarray]]:
    """Take the weights of a finished run for the network that `model` describes.

    The head is left out if the task, the classes or their order differ. Position embeddings are resampled to the
    network's grid.

    Returns:
        The record of the weights for the new run, and the arrays by `layer/variable`.

    Raises:
        ZooError: there is no such finished run, or its weights do not fit; the message lists what does not.
    """
    source, path = run.read_finished(weights), weights / run.WEIGHTS
    family, _ = resolve(model.family, model.size)
    new_head = not keeps_head(model, source.model)
    arrays = weights_file.in_float32(weights_file.read(path)[0])
    network = factory.build(model)
    if family.resampled and source.model.preprocessing != model.preprocessing:
        arrays |= _resampled(arrays, family, factory.build(source.model), network)
    if new_head:
        arrays = _without(family.head, arrays)
    input_facts = "; ".join(kind_of(model.preprocessing).client.facts(model.preprocessing).values())
    advice = (
        f"name a run of {model.family} {model.size} with the same input ({input_facts}), or do not change the input"
    )
    wanted = _wanted(network, family, new_head)
    if not wanted:
        raise ZooError(
            f"{family.name} {model.size} has only a head, which other targets cannot use, so nothing of {weights} "
            "can be used: leave --weights out"
        )
    weights_file.check(wanted, arrays, str(path), advice)
    record = InitialWeights(
        run=weights.resolve().name,
        sha256=files.sha256(path),
        family=source.model.family,
        size=source.model.size,
        license=run.license_of_weights(source),
        new_head=new_head,
        source=run.publisher_of_weights(source),
    )
    return record, arrays


def _resampled(arrays: dict[str, np.ndarray], family: Family, old: Any, new: Any) -> dict[str, np.ndarray]:
    """Return a run's position embeddings for the grid of a new network; `old` is the run's own network."""
    resampled = {}
    for name in family.resampled:
        old_grid, new_grid = positions.grid(old, name), positions.grid(new, name)
        fits = name in arrays and arrays[name].shape[1:2] == (old_grid.others + math.prod(old_grid.sides),)
        if fits and old_grid.sides != new_grid.sides:
            resampled[name] = positions.resampling(old_grid.sides, new_grid)(arrays[name])
    return resampled


def assign(model: Any, folder: Path, description: Model, initial: InitialWeights) -> None:
    """Give the network of the run at `folder` its initial weights, of which the run keeps a copy.

    Raises:
        ZooError: the weights are missing, damaged or belong to another network.
    """
    family, _ = resolve(description.family)
    wanted, (arrays, _) = _wanted(model, family, initial.new_head), weights_file.read(folder / run.INITIAL)
    # `take` returns float32, and a training in float64 has variables of float64.
    for name in arrays.keys() & wanted.keys():
        if arrays[name].dtype == np.float32 and wanted[name].dtype == "float64":
            arrays[name] = arrays[name].astype(np.float64)
    weights_file.assign(wanted, arrays, str(folder / run.INITIAL))


def freeze(model: Any, description: Model) -> None:
    """Freeze all layers of a network but its head."""
    family, _ = resolve(description.family)
    for layer in model.layers:
        layer.trainable = layer.name in family.head


def _wanted(model: Any, family: Family, new_head: bool) -> dict[str, Any]:
    variables = weights_file.weights(model)
    return _without(family.head, variables) if new_head else variables


def _without(layers: Collection[str], named: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if name.partition("/")[0] not in layers}
