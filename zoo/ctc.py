"""Transcripts from the logits of connectionist temporal classification (CTC, Graves et al. 2006), in numpy.

A network gives each frame logits of symbols, one of which is the blank, which stands for no symbol.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

import numpy as np

from zoo.errors import ZooError

SEPARATOR = "|"
"""The symbol between two words, as transformers writes it."""


def likeliest_symbols(logits: np.ndarray, blank: int = 0) -> list[int]:
    """Return the indices of the symbols of one clip's logits [frames, symbols], by greedy decoding.

    The likeliest symbol of each frame is taken, the first of equal ones. Frames in a row with the same symbol count
    once, unless a blank stands between them; then blanks are left out.

    Raises:
        ZooError: the logits do not have rank 2, or the blank is not the index of a symbol.
    """
    if logits.ndim != 2 or not 0 <= blank < logits.shape[1]:
        raise ZooError(
            f"logits of shape {list(logits.shape)} have no transcript with blank {blank}: "
            "give [frames, symbols], and a blank from 0 to symbols - 1"
        )
    return [symbol for symbol, _ in groupby(logits.argmax(1).tolist()) if symbol != blank]


def transcript(
    logits: np.ndarray,
    symbols: Sequence[str],
    *,
    blank: int = 0,
    separator: str = SEPARATOR,
    silent: Collection[str] = (),
) -> str:
    """Return the text of one clip's logits [frames, symbols], by greedy decoding, with one space between words.

    Args:
        logits: float [frames, symbols].
        symbols: the text of each symbol, in the order of the logits.
        blank: the index of the blank.
        separator: the symbol between two words.
        silent: symbols that are not written, such as `<s>`.

    Raises:
        ZooError: the number of symbols is not the number of a frame's logits, or `likeliest_symbols` refuses them.
    """
    indices = likeliest_symbols(logits, blank)
    if logits.shape[1] != len(symbols):
        raise ZooError(f"{logits.shape[1]} logits for {len(symbols)} symbols: name one symbol for each")
    texts = (" " if symbols[index] == separator else symbols[index] for index in indices)
    return " ".join("".join(text for text in texts if text not in silent).split())
