"""The structure of a network: which of its halvings it keeps. It is chosen once, and recorded with the weights."""

from __future__ import annotations

from zoo.schema import record

SMALLEST_MAP = 4
"""The shortest side, in pixels, that the last feature map keeps where the structure suits the size of the images."""


@record
class Structure:
    """The form in which a network was built, the same at every image size that it is used at.

    `halvings` is how often it halves its input; the last ones are kept. `window` is the height and width of the map
    that the first dense layer of AlexNet and VGG sees, None for other networks.
    """

    halvings: int
    window: tuple[int, int] | None = None


def strides(structure: Structure, steps: int) -> tuple[int, ...]:
    """The stride of each of a network's `steps` halvings, in order: 2, or 1 for those that the structure leaves out."""
    return (1,) * (steps - structure.halvings) + (2,) * structure.halvings


def kept_halvings(side: int, steps: int) -> int:
    """The number of halvings, of at most `steps`, after which `side` pixels are still at least `SMALLEST_MAP`.

    The halvings that go are the first ones, as in the CIFAR form of ResNet (He et al. 2015, section 4.2), so that early
    layers see detail. At 97 pixels and up, all five halvings of a usual network are kept; at 32, three; at 8, one.
    """
    kept = 0
    while kept < steps and -(-side // 2 ** (kept + 1)) >= SMALLEST_MAP:
        kept += 1
    return kept
