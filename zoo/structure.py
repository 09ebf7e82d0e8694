"""The structure of a network: the sizes of images that it takes, and which of its halvings it keeps.

The halvings are chosen once, when training starts from scratch, and recorded with the weights.
"""

from __future__ import annotations

from zoo.schema import record

SMALLEST_SIDE, LARGEST_SIDE = 8, 4096
"""The shortest and the longest side of an image that networks take, in pixels."""

MOST_CHANNELS = 4
"""The most channels of an image that networks take; the least is 1."""

SMALLEST_MAP = 4
"""The shortest side, in pixels, of the last feature map where the structure suits the size of the images."""


@record
class Structure:
    """The form of a network, which it keeps at every image size.

    `halvings` is how often it halves its input: the network keeps that many of the reference network's last halvings.
    `window` is the height and width of the map that the first dense layer sees, in networks with such a head; None for
    others.
    """

    halvings: int
    window: tuple[int, int] | None = None


def strides(structure: Structure, steps: int) -> tuple[int, ...]:
    """Return the strides of a network's `steps` halvings, in order: 2, or 1 for those that the structure leaves out."""
    return (1,) * (steps - structure.halvings) + (2,) * structure.halvings


def kept_halvings(side: int, steps: int) -> int:
    """Count the halvings, at most `steps`, after which `side` pixels are still at least `SMALLEST_MAP`.

    A network leaves out the others. They are its first ones, as in the CIFAR form of ResNet (He et al. 2015, section
    4.2), so that early layers see detail. From 97 pixels on, all five halvings of a usual network are kept; at 32 three
    are, and at 8 one is.
    """
    kept = 0
    while kept < steps and -(-side // 2 ** (kept + 1)) >= SMALLEST_MAP:
        kept += 1
    return kept
