"""Two vocabularies for tests: one trained on the hard lines, and one of random pieces that overlap in many ways."""

from __future__ import annotations

import functools
import string

import numpy as np

from zoo.inputs.text.hard import LINES
from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.inputs.text.vocabulary import SPECIAL_TOKENS, trained

LETTERS = string.ascii_letters + string.punctuation + "éàçıσςßäöüабвÅḍ\u0301\u0323\u0b47中日本한ᄒ\u0d4e\U0001d165"


@functools.cache
def pieces() -> tuple[str, ...]:
    """Random pieces of one to five letters, and few single letters."""
    random = np.random.default_rng(0)
    found = {"".join(random.choice(list(LETTERS), random.integers(1, 6))) for _ in range(3000)}
    continuing = {"##" + "".join(random.choice(list(LETTERS), random.integers(1, 4))) for _ in range(3000)}
    return (*SPECIAL_TOKENS, *sorted({*found, *continuing, *LETTERS[::2], *(f"##{one}" for one in LETTERS[::3])}))


@functools.cache
def preprocessing(name: str, cased: bool, max_length: int = 40) -> TextPreprocessing:
    """The preprocessing with the vocabulary `trained` or `pieces`."""
    if name == "trained":
        return trained(LINES * 2, 2000, max_length, lowercase=not cased)
    return TextPreprocessing(pieces(), max_length, lowercase=not cased, strip_accents=not cased)


VARIANTS = [(name, cased) for name in ("trained", "pieces") for cased in (False, True)]
