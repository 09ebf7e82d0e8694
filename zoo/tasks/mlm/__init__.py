"""Masked language modeling: a network learns to find hidden tokens of texts (Devlin et al. 2018, arXiv:1810.04805)."""

from __future__ import annotations

from collections.abc import Mapping

from zoo import pretext


def metrics(sums: Mapping[str, float], count: int) -> dict[str, float]:
    """Return the mean loss of the hidden tokens of a text, and the share of hidden tokens that the network finds."""
    return {"loss": sums["loss"] / count, "found": sums["found"] / count}


TASK = pretext.task(
    "mlm",
    f"{__name__}.graph",
    "zoo.inputs.text.masking",
    metrics=metrics,
    titles={"loss": "cross-entropy of hidden tokens", "found": "hidden tokens found"},
)
