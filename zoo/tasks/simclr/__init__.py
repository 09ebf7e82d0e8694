"""SimCLR: a network learns to tell which two views are of the same image (Chen et al. 2020, arXiv:2002.05709)."""

from __future__ import annotations

from collections.abc import Mapping

from zoo import pretext

VIEWS = 2
"""The views of each image in a batch."""


def metrics(sums: Mapping[str, float], count: int) -> dict[str, float]:
    """Return the mean loss, and the share of the views that are most like the other view of their image."""
    return {"loss": sums["loss"] / count, "matches": sums["matches"] / count}


TASK = pretext.task(
    "simclr",
    f"{__name__}.graph",
    "zoo.inputs.image.simclr",
    metrics=metrics,
    titles={"loss": "NT-Xent loss", "matches": "views that are matched"},
)
