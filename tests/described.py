"""Descriptions of networks that tests build themselves."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.description import Model
from zoo.inputs.image.preprocessing import Preprocessing


def described(preprocessing: Preprocessing, labels: Sequence[str] = "abc") -> Model:
    """Return the description of a network of this preprocessing that tells these labels apart."""
    return Model("small", "small", tuple(labels), preprocessing, parameters=0, multiply_adds=0)
