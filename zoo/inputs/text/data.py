"""The functions of `zoo.input.Data` for texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from zoo.data.dataset import Dataset
from zoo.inputs.text.preprocessing import LONGEST_TEXT, TextPreprocessing
from zoo.inputs.text.settings import TextSettings
from zoo.inputs.text.vocabulary import trained

USUAL_LENGTH = 128
"""The most tokens of a text, where nobody names another number."""


def suiting(dataset: Dataset, settings: TextSettings, like: TextPreprocessing | None) -> TextPreprocessing:
    """Return the preprocessing of weights `like`, or one with a vocabulary that is trained on the training split.

    Raises:
        ZooError: a text of the training split cannot be read, or none has a word.
    """
    if like:
        return dataclasses.replace(like, max_length=settings.max_length or like.max_length)
    train = dataset.train
    texts = (train.read(number) for number in range(len(train)))
    return trained(texts, settings.vocabulary, settings.max_length or USUAL_LENGTH, settings.lowercase)


def samples(raw: Sequence[str], preprocessing: TextPreprocessing) -> list[str]:
    """Return a text that has to be cut, made of the first one, and then the texts as they are."""
    return [f"{raw[0]} . " * preprocessing.max_length, *raw]


def damaged(raw: str) -> dict[str, Any]:
    """Return texts that are not valid Unicode; `raw` is a sound one."""
    return {"a lone surrogate": "\ud800", "a text with a lone surrogate": f"{raw}\udfff"}


def hostile() -> tuple[dict[str, str], dict[str, str]]:
    """Return texts longer than what is read, and those that are as long as may be."""
    units = {"one word": "a", "punctuation": ".", "spaces": " ", "short words": "a ", "accents": "e\u0301", "NUL": "\0"}
    refused = {"2 MiB": "a" * (2 * LONGEST_TEXT)}
    return refused, {f"1 MiB of {name}": unit * (LONGEST_TEXT // len(unit.encode())) for name, unit in units.items()}


def client_tolerance(preprocessing: TextPreprocessing) -> float:
    """Return 0: ids are equal or wrong."""
    return 0.0
