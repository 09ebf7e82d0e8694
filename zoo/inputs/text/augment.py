"""Augmentation of training texts: word dropout."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.inputs.text.tokens import Tokens


def with_words_hidden(
    tokens: Tokens, preprocessing: TextPreprocessing, share: float, generator: np.random.Generator
) -> Tokens:
    """Replace a random share of tokens by the unknown one, but not those that begin and end a text.

    Word dropout of Iyyer et al. 2015 (Deep Unordered Composition Rivals Syntactic Methods, section 3.1), which removes
    words. Here the unknown token replaces a token instead, so that texts keep their lengths and their batches.
    """
    hidden = generator.random(len(tokens.ids), np.float32) < share
    end_ids = [preprocessing.id_of(token) for token in (preprocessing.cls_token, preprocessing.sep_token)]
    hidden &= ~np.isin(tokens.ids, end_ids)
    unknown = preprocessing.id_of(preprocessing.unk_token)
    return dataclasses.replace(tokens, ids=np.where(hidden, np.int32(unknown), tokens.ids))
