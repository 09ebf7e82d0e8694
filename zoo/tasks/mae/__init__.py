"""Masked autoencoders: a network learns to find hidden patches of images (He et al. 2021, arXiv:2111.06377)."""

from __future__ import annotations

from collections.abc import Mapping

from zoo import pretext


def metrics(sums: Mapping[str, float], count: int) -> dict[str, float]:
    """Return the mean loss: the squared error of hidden patches whose pixels have mean 0 and variance 1."""
    return {"loss": sums["loss"] / count}


TASK = pretext.task(
    "mae",
    f"{__name__}.graph",
    "zoo.inputs.image.mae",
    metrics=metrics,
    titles={"loss": "squared error of hidden patches"},
)
