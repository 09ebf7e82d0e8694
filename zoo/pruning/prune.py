"""Pruning: from the description and the weights of a network to those of a smaller one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from zoo import complexity, factory
from zoo.description import Model, Pruning
from zoo.pruning.channel_map import ChannelMap, channel_map
from zoo.pruning.choice import chosen
from zoo.pruning.importance import importance
from zoo.recipe import Prune


def prune(
    model: Model, arrays: Mapping[str, np.ndarray], settings: Prune
) -> tuple[Model, dict[str, np.ndarray], Pruning]:
    """Remove the least important channels of a network, so that a share of its multiply-adds is left.

    Args:
        model: the description of the network.
        arrays: its weights by `layer/variable`; those of a head that is replaced may be missing.
        settings: the share, and how channels are chosen.

    Returns:
        The description of the smaller network, its weights, and the record of what was done.

    Raises:
        ZooError: channels cannot be followed through the network, or so small a share cannot be reached.
    """
    network = factory.build(model)
    channels = channel_map(network)
    kept = chosen(network, channels, importance(channels, arrays), settings.share, settings.multiple)
    smaller = narrowed(model, channels, kept)
    record = Pruning(
        share=settings.share,
        reached=smaller.multiply_adds / model.multiply_adds,
        multiply_adds_before=model.multiply_adds,
        multiply_adds_after=smaller.multiply_adds,
        parameters_before=model.parameters,
        parameters_after=smaller.parameters,
    )
    return smaller, sliced(arrays, channels, kept), record


def narrowed(model: Model, channels: ChannelMap, kept: np.ndarray) -> Model:
    """Describe the network that has only the channels for which `kept`, bool [channels], is True."""
    smaller = dataclasses.replace(model, widths={**model.widths, **channels.widths(kept)})
    network = factory.build(smaller)
    return dataclasses.replace(
        smaller, parameters=complexity.parameters(network), multiply_adds=complexity.multiply_adds(network)
    )


def sliced(arrays: Mapping[str, np.ndarray], channels: ChannelMap, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Return the weights without the positions of removed channels; `kept`, bool [channels], is True for the others."""
    remaining = dict(arrays)
    for name, axes in channels.places.items():
        if name in remaining:
            for axis, numbers in axes.items():
                remaining[name] = np.compress(kept[numbers], remaining[name], axis)
    return remaining
