"""Images that grow during a training (Tan & Le 2021, arXiv:2104.00298, section 4.2, algorithm 1)."""

from __future__ import annotations

import dataclasses

from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings

FIRST_SIZE = "first_size"
"""The setting that lets training begin with smaller images."""


def by_epoch(preprocessing: Preprocessing, settings: ImageSettings, epochs: int) -> tuple[Preprocessing, ...]:
    """Return the preprocessing of each epoch of a training; only heights and widths differ.

    The shorter side grows linearly over the stages, and the longer one with it. The last stage has the full size.

    Raises:
        ZooError: the images would not grow, or there are more stages than epochs.
    """
    first_size, stages = settings.first_size, settings.size_stages
    if not first_size:
        return (preprocessing,) * epochs
    full_size = min(preprocessing.height, preprocessing.width)
    if first_size >= full_size:
        raise ZooError(
            f"image.first_size={first_size} is not below the {full_size} pixels of the full size: "
            "--set image.first_size to fewer, or to 0 for one size"
        )
    if stages > epochs:
        raise ZooError(
            f"image.size_stages={stages} is more than the epochs, {epochs}: --set image.size_stages to at most these, "
            "or image.first_size=0 for one size"
        )
    shares = [(first_size + (full_size - first_size) * stage / (stages - 1)) / full_size for stage in range(stages)]
    by_stage = [_scaled(preprocessing, share) for share in shares]
    return tuple(by_stage[epoch * stages // epochs] for epoch in range(epochs))


def _scaled(preprocessing: Preprocessing, share: float) -> Preprocessing:
    height, width = (round(share * side) for side in (preprocessing.height, preprocessing.width))
    return dataclasses.replace(preprocessing, height=height, width=width)
