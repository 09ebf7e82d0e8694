"""Tables for a graph: the characters to which the library `tokenizers` normalizes each code point.

BertNormalizer and BertPreTokenizer look at one character at a time, with one exception: when accents are stripped, the
canonical decomposition sorts combining characters by their class (Unicode Standard Annex 15). The tables hold a rank
for each combining character that is kept.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.inputs.text.preprocessing import TextPreprocessing, import_tokenizers

PART, ALONE, SPACE, REMOVED = range(4)
"""The role of a normalized character: part of a word, a whole word, between words, or none.

A removed character stays in the tables if combining characters must not be sorted across it.
"""

CODE_POINTS = 0x110000

CODES, ROLES, RANKS = 1 << 21, 4, 256
"""Bounds above all code points, roles and ranks. A value of the tables is `code + CODES * (role + ROLES * rank)`."""

SURROGATES = range(0xD800, 0xE000)
CHUNK = 1 << 15

SEPARATOR = "0"
"""A character that every normalizer keeps, that no other character becomes, and that is part of a word."""


@dataclass(frozen=True)
class Characters:
    """The normalized characters of each code point, in runs of code points that change alike.

    Code point `c` of run `r` becomes `lengths[r]` values, each `values[places[r] + i] + c - starts[r]`. All are int32.
    """

    starts: np.ndarray
    lengths: np.ndarray
    places: np.ndarray
    values: np.ndarray


def characters(preprocessing: TextPreprocessing) -> Characters:
    """Return the tables of a tokenizer; computing them takes seconds, once for each choice of options."""
    return _characters(
        preprocessing.clean_text,
        preprocessing.handle_chinese_chars,
        preprocessing.strip_accents,
        preprocessing.lowercase,
    )


@functools.cache
def _characters(clean: bool, chinese: bool, strip: bool, lower: bool) -> Characters:
    tokenizers = import_tokenizers()
    cleaned = _step("clean_text") if clean else {}
    spaced = _step("handle_chinese_chars") if chinese else {}
    decomposition = tokenizers.normalizers.NFD()
    decomposed = _changes(decomposition) if strip else {}
    stripped = _step("strip_accents") if strip else {}
    lowered = _step("lowercase") if lower else {}
    roles = _roles()
    removed = {character for character in stripped if not stripped[character] and character not in decomposed}
    combining = _combining(decomposition) if strip else set()
    ranks = _ranks(decomposition, combining - removed)
    barriers = removed - combining

    def values_of(character: str) -> list[int]:
        values = []
        for piece in _replaced(_replaced(_replaced([character], cleaned), spaced), decomposed):
            if piece in barriers:
                values.append(CODES * REMOVED)
            elif piece not in removed:
                codes = [ord(letter) for letter in lowered.get(piece, piece)]
                values += [code + CODES * (int(roles[code]) + ROLES * ranks.get(piece, 0)) for code in codes]
        value_roles = [value // CODES for value in values]
        if value_roles in ([SPACE, PART, SPACE], [SPACE, ALONE, SPACE]):  # a whole word
            return [values[1] % CODES + CODES * ALONE]
        return values

    lengths, firsts = np.ones(CODE_POINTS, np.int32), np.arange(CODE_POINTS, dtype=np.int32)
    firsts += CODES * roles.astype(np.int32)
    longer = {}
    deleted = {character for character, replacement in cleaned.items() if not replacement}
    lengths[[ord(character) for character in deleted]] = 0
    firsts[[ord(character) for character in deleted]] = 0
    for character in {*cleaned, *spaced, *decomposed, *removed, *ranks, *lowered} - deleted:
        code, values = ord(character), values_of(character)
        lengths[code], firsts[code] = len(values), values[0] if len(values) == 1 else 0
        if len(values) > 1:
            longer[code] = values
    lengths[SURROGATES.start : SURROGATES.stop], firsts[SURROGATES.start : SURROGATES.stop] = 0, 0
    return _runs(lengths, firsts, longer)


def _runs(lengths: np.ndarray, firsts: np.ndarray, longer: dict[int, list[int]]) -> Characters:
    """Join neighboring code points into runs: code points without values, or with single values that ascend by 1."""
    continues = (lengths[1:] == lengths[:-1]) & (lengths[1:] < 2) & (firsts[1:] - firsts[:-1] == lengths[1:])
    starts = np.flatnonzero(np.concatenate([[True], ~continues]))
    values = [longer.get(code, [int(firsts[code])])[: lengths[code]] for code in starts.tolist()]
    counts = np.array([len(run_values) for run_values in values])
    return Characters(
        starts.astype(np.int32),
        lengths[starts],
        (np.cumsum(counts) - counts).astype(np.int32),
        np.array(list(itertools.chain.from_iterable(values)), np.int32),
    )


def _replaced(sequence: Iterable[str], changes: dict[str, str]) -> Iterator[str]:
    for character in sequence:
        yield from changes.get(character, character)


def _chunks() -> Iterator[str]:
    """Yield strings that together have all characters but the separator, in order."""
    for start in range(0, CODE_POINTS, CHUNK):
        codes = np.arange(start, start + CHUNK, dtype="<u4")
        kept = (codes != ord(SEPARATOR)) & ((codes < SURROGATES.start) | (codes >= SURROGATES.stop))
        yield codes[kept].tobytes().decode("utf-32-le")


@functools.cache
def _step(option: str) -> dict[str, str]:
    """Return the replacement of each character that BertNormalizer changes with this option alone."""
    options = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    return _changes(import_tokenizers().normalizers.BertNormalizer(**{name: name == option for name in options}))


def _changes(normalizer: Any) -> dict[str, str]:
    """Return the replacement of each character that a normalizer changes."""
    replacements: dict[str, str] = {}
    for chunk in _chunks():
        text = SEPARATOR.join(chunk)
        normalized = normalizer.normalize_str(text)
        if normalized != text:
            results = normalized.split(SEPARATOR)
            replacements |= {
                character: result for character, result in zip(chunk, results, strict=True) if character != result
            }
    return replacements


@functools.cache
def _roles() -> np.ndarray:
    """Return the role that each code point has in BertPreTokenizer, uint8."""
    pre_tokenizer = import_tokenizers().pre_tokenizers.BertPreTokenizer()
    roles = np.full(CODE_POINTS, PART, np.uint8)
    for chunk in _chunks():
        text = SEPARATOR.join(["", *chunk, ""])
        covered, is_alone = np.zeros(len(text) + 1, np.int32), np.zeros(len(text), bool)
        for _, (start, end) in pre_tokenizer.pre_tokenize_str(text):
            covered[start] += 1
            covered[end] -= 1
            is_alone[start] |= end - start == 1
        text_roles = np.where(np.cumsum(covered)[:-1] == 0, SPACE, np.where(is_alone, ALONE, PART))
        roles[[ord(character) for character in chunk]] = text_roles[1::2]
    return roles


def _combining(decomposition: Any) -> set[str]:
    """Return the characters that a decomposition sorts: those whose combining class is not 0."""
    highest = "\u0345"  # the only character of class 240, the highest class
    combining = {highest}
    for chunk in _chunks():
        text = SEPARATOR.join(highest + character for character in chunk)
        sorted_text = decomposition.normalize_str(text)
        if sorted_text != text:
            results = sorted_text.split(SEPARATOR)
            combining |= {
                character for character, result in zip(chunk, results, strict=True) if result == character + highest
            }
    return combining


def _ranks(decomposition: Any, kept: set[str]) -> dict[str, int]:
    """Return a rank, from 1, for each combining character that is kept, in the order of their classes."""

    def is_after(first: str, second: str) -> bool:
        return bool(decomposition.normalize_str(first + second) == second + first)

    return {character: 1 + sum(is_after(character, other) for other in kept - {character}) for character in kept}
