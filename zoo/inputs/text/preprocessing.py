"""The definition of text preprocessing, and its implementation for clients with the library `tokenizers`.

A text becomes the ids of WordPiece tokens (Wu et al. 2016, https://arxiv.org/abs/1609.08144), as BERT's tokenizer makes
them: the text is normalized, split into words at white space and around punctuation, and each word is cut into the
longest tokens of the vocabulary. A text is never read for special tokens: `[SEP]` in it is three words.

`zoo.inputs.text.graph` implements the same as TensorFlow operations, with the same ids.
"""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from zoo.contract import BATCH
from zoo.errors import ZooError, listed
from zoo.schema import record
from zoo.signature import Tensor

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TEXT, INPUT_IDS, ATTENTION_MASK = "text", "input_ids", "attention_mask"
"""Names of the tensors of the contract."""

LONGEST_TEXT = 1 << 20
"""Bytes of UTF-8. A longer text is refused, so that one request cannot take all memory."""

MOST_TOKENS = 1 << 16
"""The highest `max_length`."""

SPECIAL = 2
"""The number of special tokens around a text: `cls_token` before it and `sep_token` after it."""

NOT_UTF8 = "not valid UTF-8: convert it from its own encoding"
TOO_LONG = f"longer than {LONGEST_TEXT} bytes: cut it"
"""Reasons to refuse a text, in words that follow 'is'."""


@record
class TextPreprocessing:
    """The preprocessing of a network's texts. Names of the normalizer's options are those of `BertNormalizer`.

    Attributes:
        vocabulary: the tokens; the index of a token is its id.
        max_length: the most tokens of a text, with the special ones. The rest of a longer text is dropped.
        clean_text: remove control characters.
        handle_chinese_chars: make a word of each Chinese character.
        strip_accents: decompose letters and remove their accents.
        lowercase: replace capital letters.
        cls_token: the token before a text.
        sep_token: the token after a text.
        pad_token: the token that fills up the shorter texts of a batch.
        unk_token: the token of a word that the vocabulary cannot compose.
        continuing: the first characters of each token that continues a word.
        longest_word: the most characters of a word; a longer one becomes `unk_token`.
        column: the column of tables that holds the texts.
    """

    vocabulary: tuple[str, ...]
    max_length: Annotated[int, Field(gt=SPECIAL, le=MOST_TOKENS)]
    kind: Literal["text"] = "text"
    clean_text: bool = True
    handle_chinese_chars: bool = True
    strip_accents: bool = True
    lowercase: bool = True
    cls_token: str = "[CLS]"
    sep_token: str = "[SEP]"
    pad_token: str = "[PAD]"
    unk_token: str = "[UNK]"
    continuing: str = "##"
    longest_word: Annotated[int, Field(ge=1, le=1000)] = 100
    column: str = TEXT

    def __post_init__(self) -> None:
        if invalid_tokens := [token for token in (*self.vocabulary, self.continuing) if not _is_unicode(token)]:
            raise ZooError(
                f"the vocabulary has lone surrogates ({invalid_tokens[0]!a:.60}): write its tokens as Unicode"
            )
        tokens = set(self.vocabulary)
        if missing_tokens := [token for token in self.special_tokens if token not in tokens]:
            raise ZooError(f"the vocabulary lacks {listed(missing_tokens)}: add each special token to it")
        if len(tokens) < len(self.vocabulary):
            repeated_token = next(token for token, count in Counter(self.vocabulary).items() if count > 1)
            raise ZooError(f"the vocabulary has '{repeated_token:.100}' twice: keep one")

    @property
    def special_tokens(self) -> tuple[str, str, str, str]:
        """The tokens of padding, of unknown words, of the beginning and of the end, in this order."""
        return self.pad_token, self.unk_token, self.cls_token, self.sep_token

    def id_of(self, token: str) -> int:
        """Return the id of a token of the vocabulary."""
        return self.vocabulary.index(token)


def encode(texts: Sequence[str], preprocessing: TextPreprocessing) -> dict[str, np.ndarray]:
    """Return the network's inputs for texts, as `tokenizers` makes them.

    Returns:
        `input_ids` and `attention_mask`, int64 [batch, length], where `length` is that of the longest text in tokens.

    Raises:
        ZooError: a text is not a string, not valid Unicode, or too long to be read.
    """
    tokenizer = tokenizer_of(preprocessing)
    ids_of_texts = []
    for number, text in enumerate(texts, 1):
        if reason := refusal(text):
            raise ZooError(f"text {number} of {len(texts)} is {reason}")
        ids_of_texts.append(tokenizer.encode(text).ids)
    length = max((len(ids) for ids in ids_of_texts), default=SPECIAL)
    input_ids = np.full((len(ids_of_texts), length), preprocessing.id_of(preprocessing.pad_token), np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, ids in enumerate(ids_of_texts):
        input_ids[row, : len(ids)], attention_mask[row, : len(ids)] = ids, 1
    return {INPUT_IDS: input_ids, ATTENTION_MASK: attention_mask}


def raw_arrays(texts: Sequence[str], preprocessing: TextPreprocessing) -> dict[str, np.ndarray]:
    """Return texts as an object array of bytes; lone surrogates become bytes that are not valid UTF-8."""
    encoded = np.empty(len(texts), object)
    encoded[:] = [text.encode("utf-8", "surrogatepass") for text in texts]
    return {TEXT: encoded}


def refusal(text: Any) -> str:
    """Return the reason why a text cannot be read, in words that follow 'is'; empty if it can."""
    if not isinstance(text, str):
        return f"of type {type(text).__name__}: give a string"
    if not _is_unicode(text):
        return NOT_UTF8
    return TOO_LONG if len(text.encode()) > LONGEST_TEXT else ""


def _is_unicode(text: str) -> bool:
    """Return whether a string has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@functools.cache
def tokenizer_of(preprocessing: TextPreprocessing) -> Tokenizer:
    """Return the tokenizer of `tokenizers` that the record describes; it truncates and does not pad."""
    tokenizers = import_tokenizers()
    tokenizer = tokenizers.Tokenizer.from_str(tokenizer_json(preprocessing))
    tokenizer.no_padding()
    return tokenizer


def import_tokenizers() -> Any:
    """Import `tokenizers` and return it, set to one thread.

    With more threads, tokenizers 0.23 would write a warning to standard error in each process that is forked later.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    return tokenizers


def tokenizer_json(preprocessing: TextPreprocessing) -> str:
    """Return the content of a `tokenizer.json`, with which `tokenizers` makes the same ids and the same padding.

    It lists no added tokens, because a client of `tokenizers` would find those within texts.
    """
    ids = {token: number for number, token in enumerate(preprocessing.vocabulary)}

    def with_id(token: str) -> list[Any]:
        return [token, ids[token]]

    content = {
        "version": "1.0",
        "truncation": {
            "direction": "Right",
            "max_length": preprocessing.max_length,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": "BatchLongest",
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": ids[preprocessing.pad_token],
            "pad_type_id": 0,
            "pad_token": preprocessing.pad_token,
        },
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": preprocessing.clean_text,
            "handle_chinese_chars": preprocessing.handle_chinese_chars,
            "strip_accents": preprocessing.strip_accents,
            "lowercase": preprocessing.lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "BertProcessing",
            "sep": with_id(preprocessing.sep_token),
            "cls": with_id(preprocessing.cls_token),
        },
        "decoder": {"type": "WordPiece", "prefix": preprocessing.continuing, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": preprocessing.unk_token,
            "continuing_subword_prefix": preprocessing.continuing,
            "max_input_chars_per_word": preprocessing.longest_word,
            "vocab": ids,
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


def tensors(preprocessing: TextPreprocessing) -> dict[str, Tensor]:
    """Return the inputs of the contract: token ids, and 1 for each token that is not a padding."""
    return {name: Tensor("int64", (BATCH, "length")) for name in (INPUT_IDS, ATTENTION_MASK)}


def raw_tensors(preprocessing: TextPreprocessing) -> dict[str, Tensor]:
    """Return the input of the raw signature: UTF-8."""
    return {TEXT: Tensor("string", (BATCH,))}


def network_tensors(preprocessing: TextPreprocessing) -> dict[str, Tensor]:
    """Return the inputs of the network: those of the contract."""
    return tensors(preprocessing)


def random(preprocessing: TextPreprocessing, count: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Return `count` examples of `max_length` random tokens each, for measurements of latency."""
    input_ids = generator.integers(0, len(preprocessing.vocabulary), (count, preprocessing.max_length), np.int64)
    input_ids[:, 0] = preprocessing.id_of(preprocessing.cls_token)
    input_ids[:, -1] = preprocessing.id_of(preprocessing.sep_token)
    return {INPUT_IDS: input_ids, ATTENTION_MASK: np.ones_like(input_ids)}


def noise(preprocessing: TextPreprocessing, count: int, generator: np.random.Generator) -> list[str]:
    """Return `count` texts of random tokens and random characters, among them some that tokenizers disagree about."""
    from zoo.inputs.text.hard import random_text

    return [random_text(preprocessing.vocabulary, preprocessing.max_length, generator) for _ in range(count)]
