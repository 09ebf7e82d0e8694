"""The choice of the channels that stay, by their importance and by what they cost."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from zoo import complexity
from zoo.errors import ZooError
from zoo.pruning.channel_map import ChannelMap

FEWEST = 8
"""The fewest channels that a group keeps; it also keeps at least an eighth of its channels."""


class OutOfReach(ZooError):
    """A network cannot be pruned to a share of its multiply-adds; `least` is the smallest share that it can reach."""

    least = 1.0


def chosen(network: Any, channels: ChannelMap, importance: np.ndarray, share: float, multiple: int) -> np.ndarray:
    """Return which channels stay, bool [channels], so that at most `share` of the multiply-adds are left.

    The least important channels of all groups go first, in blocks that leave a multiple of `multiple` in their group.

    Args:
        network: the functional model that `channels` maps.
        channels: its channels.
        importance: of each channel, float64 [channels], comparable between groups.
        share: of the multiply-adds, as `zoo.complexity` counts them; between 0 and 1.
        multiple: of the channels of a group from which some are removed.

    Raises:
        OutOfReach: so few multiply-adds cannot be reached.
    """
    costs = _Costs(network, channels)
    whole = costs.total()
    kept = np.ones(channels.count, bool)
    blocks = [block for group in channels.groups for block in _blocks(group, importance, multiple)]
    for block in sorted(blocks, key=lambda block: float(importance[block].mean())):
        if costs.total() <= share * whole:
            break
        kept[block] = False
        costs.remove(block)
    if costs.total() > share * whole:
        least = math.ceil(costs.total() / whole * 1000) / 1000
        advice = "name another network" if least == 1 else f"ask for {least:g} or more"
        error = OutOfReach(f"{network.name} cannot be pruned to {share:g} of its multiply-adds: {advice}")
        error.least = costs.total() / whole
        raise error
    return kept


def _blocks(group: np.ndarray, importance: np.ndarray, multiple: int) -> list[np.ndarray]:
    """Return the channels of a group that can be removed, the least important ones first, a block at a time."""
    least = max(FEWEST, multiple, len(group) // 8)
    ordered = group[np.argsort(importance[group], kind="stable")]
    ends = [len(group) - left for left in range(len(group) - 1, 0, -1) if left % multiple == 0 and left >= least]
    return np.split(ordered, ends)[: len(ends)]


class _Costs:
    """The multiply-adds of a network that loses channels: each layer costs in proportion to what it reads and makes."""

    def __init__(self, network: Any, channels: ChannelMap) -> None:
        by_layer = complexity.multiply_adds_by_layer(network)
        self.rates: list[int] = []
        self.sizes: list[list[int]] = []
        self.uses: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        mapped = 0
        for name, axes in channels.places.items():
            layer, _, variable = name.rpartition("/")
            if variable != "kernel":
                continue
            sizes = [len(numbers) for numbers in axes.values()]
            for axis, numbers in enumerate(axes.values()):
                for channel in numbers.tolist():
                    self.uses[channel].append((len(self.sizes), axis))
            self.rates.append(by_layer[layer] // math.prod(sizes))
            self.sizes.append(sizes)
            mapped += by_layer[layer]
        self.constant = sum(by_layer.values()) - mapped

    def total(self) -> int:
        return self.constant + sum(rate * math.prod(sizes) for rate, sizes in zip(self.rates, self.sizes, strict=True))

    def remove(self, block: np.ndarray) -> None:
        for channel in block.tolist():
            for layer, axis in self.uses[channel]:
                self.sizes[layer][axis] -= 1
