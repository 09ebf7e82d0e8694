"""The functions of `zoo.input.Client` for texts; a raw example is a string."""

from __future__ import annotations

from zoo.inputs.text.preprocessing import (
    TextPreprocessing,
    encode,
    network_tensors,
    noise,
    random,
    raw_arrays,
    raw_tensors,
    tensors,
)

__all__ = [
    "encode",
    "facts",
    "network_tensors",
    "noise",
    "problems",
    "python",
    "random",
    "raw_arrays",
    "raw_tensors",
    "tensors",
]


def facts(preprocessing: TextPreprocessing) -> dict[str, str]:
    """Return the most tokens of a text, and the vocabulary they are of."""
    case = "uncased" if preprocessing.lowercase else "cased"
    vocabulary = f"a vocabulary of {len(preprocessing.vocabulary):,}, {case}"
    return {"input": f"up to {preprocessing.max_length} WordPiece tokens of {vocabulary}"}


def problems(preprocessing: TextPreprocessing) -> list[str]:
    """Return nothing: the record itself refuses contradictions."""
    return []


def python(artifact: str) -> str:
    """Return Python lines that end with `input_ids` and `attention_mask`, the tokens of a text."""
    return f"""import numpy as np
import tokenizers

tokenizer = tokenizers.Tokenizer.from_file("{artifact}/tokenizer.json")
tokens = tokenizer.encode_batch(["A sentence to classify."])
input_ids = np.array([text.ids for text in tokens])
attention_mask = np.array([text.attention_mask for text in tokens])"""
