"""How networks that were designed for 224×224 pixels treat smaller pictures: they keep their resolution."""

from __future__ import annotations

SMALLEST_MAP = 4
"""The shortest side, in pixels, that the last feature map keeps."""


def strides(shape: tuple[int | None, int, int, int], steps: int) -> tuple[int, ...]:
    """The stride of each of a network's `steps` halvings, in order: 2, or 1 for those that a small picture loses.

    Every halving stays as long as the shortest side of the last map is at least `SMALLEST_MAP` pixels; the halvings
    that go are the first ones, as in the CIFAR form of ResNet (He et al. 2015, section 4.2), so that early layers see
    detail. At 224, 128 pixels and up nothing changes; at 32, three halvings stay; at 8, one.

    Args:
        shape: batch, height, width, channels of the picture.
        steps: how often the network halves its input at full size.
    """
    side, kept = min(shape[1], shape[2]), 0
    while kept < steps and -(-side // 2 ** (kept + 1)) >= SMALLEST_MAP:
        kept += 1
    return (1,) * (steps - kept) + (2,) * kept
