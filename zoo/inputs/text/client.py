"""The functions of `zoo.input.Client` for texts; a raw example is a string."""

from __future__ import annotations

from typing import Any

from zoo.inputs.text.preprocessing import (
    TEXT,
    TextPreprocessing,
    encode,
    network_tensors,
    noise,
    random,
    raw_arrays,
    raw_tensors,
    tensors,
    tokenizer_json,
)

__all__ = [
    "encode",
    "facts",
    "files",
    "network_tensors",
    "noise",
    "problems",
    "python",
    "random",
    "raw_arrays",
    "raw_tensors",
    "rest",
    "tensors",
]

SENTENCE = "A sentence to classify."
"""The text of examples in documents."""


def facts(preprocessing: TextPreprocessing) -> dict[str, str]:
    """Return the most tokens of a text, and the vocabulary they are of."""
    case = "uncased" if preprocessing.lowercase else "cased"
    vocabulary = f"a vocabulary of {len(preprocessing.vocabulary):,}, {case}"
    return {"input": f"up to {preprocessing.max_length} WordPiece tokens of {vocabulary}"}


def problems(preprocessing: TextPreprocessing) -> list[str]:
    """Return nothing: the record itself refuses contradictions."""
    return []


def python(preprocessing: TextPreprocessing) -> str:
    """Return `SENTENCE` as an expression."""
    return repr(SENTENCE)


def rest(preprocessing: TextPreprocessing) -> dict[str, Any]:
    """Return `SENTENCE`."""
    return {TEXT: SENTENCE}


def files(preprocessing: TextPreprocessing) -> dict[str, str]:
    """Return the `tokenizer.json` that gives clients without zoo the same ids."""
    return {"tokenizer.json": tokenizer_json(preprocessing)}
