"""The stages of a training whose inputs grow: each has inputs of one size, the last those of the described network.

The network of a stage uses the layers of the described network on inputs of another size. Keras 3.15 refuses inputs of
another size than a functional network was built for, and some layers depend on that size. Therefore, the network of a
stage is built for its own inputs, with the structure of the described network, and then gets that network's layers.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from zoo import factory, weights_file
from zoo.description import Model
from zoo.errors import ZooError, listed
from zoo.input import kind_of
from zoo.recipe import Recipe


def of_epoch(description: Model, recipe: Recipe, epoch: int) -> Model:
    """Return the description of the network that an epoch, counted from 0, trains: only its input may differ."""
    by_epoch = _preprocessing(description, recipe)
    return _with_preprocessing(description, by_epoch[min(epoch, len(by_epoch) - 1)])


def stages(description: Model, recipe: Recipe) -> list[Model]:
    """Return the descriptions of the networks of a training, in the order of its stages."""
    return [
        _with_preprocessing(description, preprocessing)
        for preprocessing, _ in itertools.groupby(_preprocessing(description, recipe))
    ]


def _preprocessing(description: Model, recipe: Recipe) -> Sequence[Any]:
    """Return the preprocessing of each epoch."""
    kind = kind_of(description.preprocessing)
    return kind.by_epoch(description.preprocessing, recipe.input or kind.settings(), recipe.epochs)


def _with_preprocessing(description: Model, preprocessing: Any) -> Model:
    if preprocessing == description.preprocessing:
        return description
    structure = factory.structure_of(description)
    return dataclasses.replace(description, preprocessing=preprocessing, structure=structure)


def check(network: Any, description: Model, recipe: Recipe) -> None:
    """Check that a network can be trained in the stages of a recipe.

    Args:
        network: the network that `description` describes.
        description: its description.
        recipe: the recipe.

    Raises:
        ZooError: the section of the input does not fit, no such network takes the inputs of the first stage, or some
            of its weights depend on the size of the inputs.
    """
    first, *later = stages(description, recipe)
    if not later:
        return
    kind = kind_of(description.preprocessing)
    key = f"{kind.kind}.{kind.grown_by}"
    try:
        smaller = factory.build(first, rates=recipe.network)
    except ZooError as error:
        raise ZooError(f"{key}: {error}") from None
    shapes, smaller_shapes = _shapes(network), _shapes(smaller)
    depending = [name for name in shapes | smaller_shapes if shapes.get(name) != smaller_shapes.get(name)]
    if depending:
        raise ZooError(
            f"{description.family} {description.size} cannot begin with smaller {kind.plural}, because weights depend "
            f"on their size ({listed(depending)}): --set {key}=0, or train another network"
        )


def _shapes(network: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(variable.shape) for name, variable in weights_file.variables(network).items()}


def with_layers_of(network: Any, built: Any) -> Any:
    """Copy the network `built`, with the layers of `network` in place of all layers that have variables."""
    import keras

    def layer(source: Any) -> Any:
        # A layer without variables is copied, because its references would keep the layers of `built` in memory.
        return network.get_layer(source.name) if source.variables else type(source).from_config(source.get_config())

    return keras.models.clone_model(built, clone_function=layer)
