"""The importance of channels, from the size of all weights that belong to each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zoo.pruning.channel_map import ChannelMap

MEASURED = ("kernel", "gamma")
"""The variables that count: kernels and the scales of norms. Offsets do not: a large one may change nothing."""


def importance(channels: ChannelMap, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the importance of each channel, float64 [channels]: 1 is the mean of its group.

    In each weight where a channel has a position, the L2 norm of its part is divided by the mean norm of all channels
    there. The importance is the mean of these ratios, so that layers of large and of small weights count alike (Fang et
    al. 2023). The scales of norms count among the weights, as a channel that is scaled to almost nothing adds nothing
    (Liu et al. 2017, arXiv:1708.06519).

    Args:
        channels: of the network.
        arrays: its weights by `layer/variable`; those of a head that is replaced may be missing.
    """
    sums, weights = np.zeros(channels.count), np.zeros(channels.count)
    for name, axes in channels.places.items():
        if name not in arrays or name.rpartition("/")[2] not in MEASURED:
            continue
        for axis, numbers in axes.items():
            array = arrays[name].astype(np.float64)
            squares = np.zeros(channels.count)
            others = tuple(other for other in range(array.ndim) if other != axis)
            np.add.at(squares, numbers, (array**2).sum(others))
            present = np.unique(numbers)
            norms = np.sqrt(squares[present])
            if norms.mean() > 0:
                sums[present] += norms / norms.mean()
                weights[present] += 1
    measured = sums / np.maximum(weights, 1)
    for group in channels.groups:
        measured[group] /= measured[group].mean() or 1
    return measured
