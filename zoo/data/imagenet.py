"""The names of the classes of ImageNet-1k, the labels of published weights."""

from __future__ import annotations

import functools
from importlib import resources

TABLE = "imagenet.tsv"


@functools.cache
def classes() -> dict[str, str]:
    """Return the names of the 1000 classes by WordNet identifier, in the order of the logits."""
    lines = (resources.files("zoo.data") / TABLE).read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if not line.startswith("#"))


def labels() -> tuple[str, ...]:
    """Return the names of the classes in the order of the logits. No two are the same."""
    return tuple(classes().values())
