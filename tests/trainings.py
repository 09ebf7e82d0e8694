"""The way in which tests train: on one device, without exporting the untrained network."""

from __future__ import annotations

from zoo.description import Model
from zoo.training.request import Execution

SINGLE = Execution(strategy="single")


def passes(model: Model) -> None:
    """Let every network pass for one that can be exported."""
