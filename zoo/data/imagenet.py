"""The names of ImageNet-1k's classes, which published weights answer with."""

from __future__ import annotations

import functools
from importlib import resources

TABLE = "imagenet.tsv"


@functools.cache
def classes() -> dict[str, str]:
    """What people call each of the 1000 classes, by its WordNet identifier, in the order of the logits."""
    lines = (resources.files("zoo.data") / TABLE).read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if not line.startswith("#"))


def labels() -> tuple[str, ...]:
    """The names of the classes, all different, in the order of the logits."""
    return tuple(classes().values())
