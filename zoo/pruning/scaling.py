"""Networks that are wider or narrower than their families' own."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

from zoo import factory
from zoo.description import Model
from zoo.errors import ZooError
from zoo.pruning.channel_map import channel_map
from zoo.registry import resolve
from zoo.task import task_of

MULTIPLE = 8
"""The number of channels of a scaled layer is a multiple of this, unless the family's record has another number."""

LABELS = ("0", "1")
"""The labels of the temporary head with which a network that is pretrained without a head is scaled."""


def scaled_widths(model: Model, factor: float) -> dict[str, int]:
    """Return `Model.widths` for a described network with `factor` times the channels in every layer.

    Each number of channels becomes the nearest multiple of `MULTIPLE`, or of the number in the family's record, and at
    least that number; a smaller number of channels stays. The channels of the input and of the answer stay. A network
    that is pretrained gets the same widths as one with a head.

    Args:
        model: the description; widths that it has already are scaled in turn.
        factor: above 0, such as 0.5.

    Raises:
        ZooError: the factor is not above 0, or the channels of the network cannot be followed.
    """
    if not factor > 0:
        raise ZooError(f"a network cannot have {factor:g} times its channels: name a number above 0, such as 0.5")
    family, _ = resolve(model.family, model.size)
    if task_of(model).pretext_module:
        # Without a head, the channels of the features would be kept, as if they were those of the answer.
        model = dataclasses.replace(model, task=family.tasks[0], labels=LABELS)
    network = factory.build(model)
    changed = _of_layers(network, family.scaled, factor) if family.scaled else _of_groups(network, factor)
    return {**model.widths, **changed}


def _of_layers(network: Any, scaled: Mapping[str, int], factor: float) -> dict[str, int]:
    """Return the layers whose channels change, of those that the family's record names with their multiples."""
    counts = {layer.name: layer.output.shape[-1] for layer in network.layers if layer.name in scaled}
    widths = {layer: _scaled(count, factor, scaled[layer]) for layer, count in counts.items()}
    return {layer: count for layer, count in widths.items() if count != counts[layer]}


def _of_groups(network: Any, factor: float) -> dict[str, int]:
    """Return the layers whose channels change, of all layers; channels that are removed together are scaled as one."""
    channels = channel_map(network)
    group_of = {channel: number for number, group in enumerate(channels.groups) for channel in group.tolist()}
    scaled = [_scaled(len(group), factor, MULTIPLE) for group in channels.groups]
    widths = {}
    for layer, layer_channels in channels.made.items():
        inside = Counter(group_of[channel] for channel in layer_channels.tolist() if channel in group_of)
        # A layer has each channel of a group equally often.
        width = len(layer_channels) - inside.total()
        width += sum(count // len(channels.groups[number]) * scaled[number] for number, count in inside.items())
        if width != len(layer_channels):
            widths[layer] = width
    return widths


def _scaled(count: int, factor: float, multiple: int) -> int:
    if count < multiple or factor == 1:
        return count
    return max(multiple, round(count * factor / multiple) * multiple)
