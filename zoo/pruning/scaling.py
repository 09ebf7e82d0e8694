"""Networks that are wider or narrower than their families' own."""

from __future__ import annotations

from collections import Counter

from zoo import factory
from zoo.description import Model
from zoo.errors import ZooError
from zoo.pruning.channel_map import channel_map

MULTIPLE = 8
"""The number of channels of a scaled layer is a multiple of this."""


def scaled_widths(model: Model, factor: float) -> dict[str, int]:
    """Return `Model.widths` for a described network with `factor` times the channels in every layer.

    A group of channels that are removed together gets the nearest multiple of `MULTIPLE`, and at least that many; a
    group that has fewer keeps its number. The channels of the input and of the answer stay.

    Args:
        model: the description; widths that it has already are scaled in turn.
        factor: above 0, such as 0.5.

    Raises:
        ZooError: the factor is not above 0, or the channels of the network cannot be followed.
    """
    if not factor > 0:
        raise ZooError(f"a network cannot have {factor:g} times its channels: name a number above 0, such as 0.5")
    channels = channel_map(factory.build(model))
    group_of = {channel: number for number, group in enumerate(channels.groups) for channel in group.tolist()}
    scaled = [_scaled(len(group), factor) for group in channels.groups]
    widths = dict(model.widths)
    for layer, made in channels.made.items():
        inside = Counter(group_of[channel] for channel in made.tolist() if channel in group_of)
        # A layer has each channel of a group equally often.
        width = len(made) - inside.total()
        width += sum(count // len(channels.groups[number]) * scaled[number] for number, count in inside.items())
        if width != len(made):
            widths[layer] = width
    return widths


def _scaled(count: int, factor: float) -> int:
    if count < MULTIPLE or factor == 1:
        return count
    return max(MULTIPLE, round(count * factor / MULTIPLE) * MULTIPLE)
