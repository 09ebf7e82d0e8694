"""Data that a model was not trained on, with the classes that it knows by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from zoo.data import imagenet
from zoo.data.dataset import Images
from zoo.data.load import find, fingerprint, images, silent
from zoo.data.names import composed, nearly, quoted
from zoo.description import Data
from zoo.errors import ZooError, listed

PREFERRED = ("test", "validation", "train")
"""The splits, in the order in which one is taken to measure on."""


def find_for(
    labels: Sequence[str],
    source: str,
    data_dir: Path | None = None,
    bad_images: Literal["error", "skip"] = "error",
    say: Callable[[str], None] = silent,
) -> tuple[Images, Data]:
    """The images of `source` to measure a model on, labeled as the model numbers its classes, and what they are.

    All of its test split; where it has none, of its validation split; else all that there is. The other arguments are
    as for `zoo.data.load.load`. Names are compared in any of Unicode's spellings; ImageNet's classes may go by name or
    by WordNet identifier.

    Raises:
        ZooError: there is no such source, or it has a class that the model does not know.
    """
    found = find(source, data_dir, bad_images, say)
    given = {example.split for example in found.examples}
    split = next(name for name in PREFERRED if name in given)
    examples = [example for example in found.examples if example.split == split]
    if len(given) > 1:
        say(f"measuring on the {split} split: {len(examples)} of {len(found.examples)} images")
    numbers = _numbers(labels)
    unknown = [name for name in found.labels if composed(name) not in numbers]
    if unknown:
        few = listed((_beside(name, numbers) for name in unknown), most=3)
        raise ZooError(
            f"{len(unknown)} of the {len(found.labels)} classes of {source} are none of the model's ({few}): "
            "leave them out, or name them as its labels are named"
        )
    chosen = images(examples)
    renumbered = np.array([numbers[composed(name)] for name in found.labels], np.int64)
    data = Data(
        source=found.source,
        data_dir=found.data_dir,
        fingerprint=fingerprint(found.labels, [examples]),
        counts={"test": len(examples)},
        skipped=found.skipped,
        license=found.license,
    )
    return dataclasses.replace(chosen, labels=renumbered[chosen.labels]), data


def _numbers(labels: Sequence[str]) -> Mapping[str, int]:
    """The place of each class among the model's logits, by every name that it goes by, in Unicode's form NFC."""
    numbers = {composed(label): number for number, label in enumerate(labels)}
    if tuple(labels) == imagenet.labels():
        numbers |= {synset: number for number, synset in enumerate(imagenet.classes())}
    return numbers


def _beside(name: str, numbers: Mapping[str, int]) -> str:
    """A name that the model does not know, beside the one that it may be meant for."""
    near = nearly(name, numbers)
    return f"{quoted(name)} for the model's {quoted(near)}" if near else quoted(name)
