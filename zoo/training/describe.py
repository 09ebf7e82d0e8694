"""The description of the network to train, which suits the data, or the weights that the training starts from."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from zoo import complexity, factory
from zoo import task as tasks
from zoo.data.dataset import Dataset
from zoo.description import Model, Scale
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.input import kind_of
from zoo.recipe import Recipe
from zoo.training import stages
from zoo.training.devices import check_compiler
from zoo.training.fine_tuning import keeps_head


def describe(
    family: Family,
    size: Size,
    dataset: Dataset,
    recipe: Recipe,
    like: Model | None = None,
    method: str | None = None,
) -> Model:
    """Describe the network to train: input, task, labels, structure and number of parameters.

    The network suits the data, or, if `like` is given, the weights of that network. With a `method`, it is pretrained,
    without labels.

    Raises:
        ZooError: no network takes such an input, the network has no place for the recipe's dropout or drop-path, it
            cannot begin with smaller inputs as the recipe asks, or XLA cannot compile it as the recipe asks.
    """
    data = kind_of(recipe.input).data
    preprocessing = data.suiting(dataset, recipe.input, like.preprocessing if like else None)
    model = Model(
        family.name,
        size.name,
        () if method else dataset.labels,
        preprocessing,
        parameters=0,
        multiply_adds=0,
        task=method or dataset.task,
        scales=() if method else scales(dataset),
        widths=like.widths if like else {},
        parts=() if method else dataset.parts,
    )
    if like and keeps_head(model, like):
        # The weights of the head give answers in these scales.
        model = dataclasses.replace(model, scales=like.scales)
    # Weights fit only the structure that they were trained with, whatever the size of the input.
    model = dataclasses.replace(model, structure=factory.structure_of(like or model))
    if recipe.network.width != 1 and not like:
        model = dataclasses.replace(model, widths=_scaled_widths(model, recipe.network.width))
    network = factory.build(model, rates=recipe.network)
    stages.check(network, model, recipe)
    check_compiler(recipe, network)
    if recipe.optimizer.layer_decay < 1:
        _check_layer_decay(model)
    return dataclasses.replace(
        model, parameters=complexity.parameters(network), multiply_adds=complexity.multiply_adds(network)
    )


def deciding(recipe: Recipe) -> tuple[Any, ...]:
    """Return the parts of a recipe that decide what `describe` returns, and whether it raises."""
    compiler = (recipe.xla, recipe.deterministic, recipe.freeze)
    return recipe.input, recipe.network, recipe.epochs, recipe.optimizer.layer_decay, *compiler


def _check_layer_decay(model: Model) -> None:
    """Raise ZooError if a network has no feature maps, by which layers get their learning rates."""
    try:
        factory.layer_depths(model)
    except ZooError:
        raise ZooError(
            f"optimizer.layer_decay counts feature maps, and {model.family} {model.size} has none: leave it out"
        ) from None


def _scaled_widths(model: Model, factor: float) -> dict[str, int]:
    """Return the channels of each layer of a network that is `factor` times as wide, by layer name.

    Raises:
        ZooError: its layers cannot have other channels.
    """
    from zoo.pruning.scaling import scaled_widths

    try:
        widths = scaled_widths(model, factor)
    except ZooError as error:
        raise ZooError(f"network.width={factor:g}: {error}") from None
    if not widths and not scaled_widths(model, 1000 * factor):
        raise ZooError(f"{model.family} {model.size} has no layers of other widths: leave network.width out")
    return widths


def scales(dataset: Dataset) -> tuple[Scale, ...]:
    """Return the scale of each value over the training examples; an empty tuple if targets are classes or texts.

    If there are several targets, each class has a scale, with mean 0 and std 1.
    """
    if dataset.train.targets.ndim == 1:
        return ()
    values = dataset.train.targets.astype(np.float64)
    target_scales = [
        Scale(float(mean), float(std) or 1.0) for mean, std in zip(values.mean(0), values.std(0), strict=True)
    ]
    if not dataset.parts:
        return tuple(target_scales)
    label_scales = [
        (Scale(0.0, 1.0),) * len(part.labels) if tasks.find(part.task).has_labels else (scale,)
        for part, scale in zip(dataset.parts, target_scales, strict=True)
    ]
    return tuple(scale for each in label_scales for scale in each)
