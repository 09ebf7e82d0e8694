"""The tokens of all texts of a split, which are computed once and kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from zoo.data.dataset import Examples
from zoo.inputs.text.preprocessing import TextPreprocessing, tokenizer_of


@dataclass(frozen=True)
class Tokens:
    """The tokens of texts, one text after the other.

    Attributes:
        ids: int32, the ids of the tokens of all texts, with the special tokens.
        lengths: int64 [texts], the number of ids of each text.
        is_cut: bool [texts], whether a text has more tokens than the network takes.
    """

    ids: np.ndarray
    lengths: np.ndarray
    is_cut: np.ndarray

    def of(self, index: np.ndarray) -> Tokens:
        """Return the tokens of the texts at `index`, int64 [n], which may hold the number of a text several times."""
        lengths = self.lengths[index]
        # For each text, the index of a token here less its index in the result.
        moves = (np.cumsum(self.lengths) - self.lengths)[index] - (np.cumsum(lengths) - lengths)
        token_indices = np.arange(lengths.sum()) + np.repeat(moves, lengths)
        return Tokens(self.ids[token_indices], lengths, self.is_cut[index])


_tokens_of_splits: WeakKeyDictionary[Examples, tuple[TextPreprocessing, Tokens]] = WeakKeyDictionary()


def tokenized(texts: Examples, preprocessing: TextPreprocessing) -> Tokens:
    """Return the tokens of a split's texts."""
    tokenized_with, tokens = _tokens_of_splits.get(texts, (None, None))
    if tokens is None or tokenized_with != preprocessing:
        tokens = _tokenized(texts, preprocessing)
        _tokens_of_splits[texts] = preprocessing, tokens
    return tokens


def _tokenized(texts: Examples, preprocessing: TextPreprocessing) -> Tokens:
    tokenizer = tokenizer_of(preprocessing)
    parts, is_cut = [np.empty(0, np.int32)], []
    for number in range(len(texts)):
        encoding = tokenizer.encode(texts.read(number))
        parts.append(np.array(encoding.ids, np.int32))
        is_cut.append(bool(encoding.overflowing))
    lengths = np.array([len(part) for part in parts[1:]], np.int64)
    return Tokens(np.concatenate(parts), lengths, np.array(is_cut, bool))
