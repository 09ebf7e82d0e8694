"""Reading the symbols of transcripts from a folder of transformers: the vocabulary of its CTC tokenizer.

`vocab.json` numbers the symbols. `tokenizer_config.json` and `special_tokens_map.json` say which of them are the blank
(transformers calls it the padding), the separator of words, and marks that are not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.description import Symbols
from zoo.errors import ZooError
from zoo.weights.transformers_reader import CONFIG, Checkpoint, json_object

VOCABULARY, TOKENIZER, SPECIAL = "vocab.json", "tokenizer_config.json", "special_tokens_map.json"

ADDED = "added_tokens.json"
"""The file with symbols that were added to a vocabulary."""

TOKENIZERS = ("Wav2Vec2CTCTokenizer", "Wav2Vec2Tokenizer")
"""The classes of tokenizers whose transcripts are symbols side by side."""

USUAL_SIZE = 32
"""The number of symbols where `config.json` states none."""

BLANK, SEPARATOR = "pad_token", "word_delimiter_token"
"""The settings that name the blank and the separator of words."""

SILENT = ("bos_token", "eos_token", "unk_token")
"""The settings that name marks which are not written."""

USUAL = {BLANK: "<pad>", SEPARATOR: "|", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
"""The symbols where the settings name none."""


def read_symbols(checkpoint: Checkpoint) -> tuple[tuple[str, ...], Symbols]:
    """Return the symbols in the order of the logits, and which of them are not written as they are.

    Letters are in the case that transcripts have.

    Raises:
        ZooError: a file is missing or cannot be read, the vocabulary has another number of symbols than the head, the
            blank is not among them, or the tokenizer is of another class.
    """
    folder = checkpoint.folder
    settings = _settings(folder)
    tokenizer_class = settings.get("tokenizer_class")
    if tokenizer_class not in (None, *TOKENIZERS):
        raise ZooError(
            f"{folder / TOKENIZER} asks for {tokenizer_class!s:.60}: "
            f"transcripts are read by {' or '.join(TOKENIZERS)} only"
        )
    head = checkpoint.config.get("vocab_size", USUAL_SIZE)
    symbols = _vocabulary(folder, settings, head)
    blank, separator = _symbol_of(settings, BLANK), _symbol_of(settings, SEPARATOR)
    if blank not in symbols:
        raise ZooError(
            f"{folder / VOCABULARY} lacks the blank '{blank!s:.60}', which {TOKENIZER} names as pad_token: fetch both "
            "from where the weights are from"
        )
    silent = tuple(mark for mark in (_symbol_of(settings, key) for key in SILENT) if mark in symbols)
    blank_index = symbols.index(blank)
    if settings.get("do_lower_case") is True:
        unchanged = {blank, separator, *silent}
        symbols = [symbol if symbol in unchanged else symbol.lower() for symbol in symbols]
    unusable = [symbol for symbol in symbols if not symbol or "\n" in symbol or "\r" in symbol]
    if unusable or len(set(symbols)) < len(symbols):
        raise ZooError(f"{folder / VOCABULARY} has symbols that are empty, hold a line break or occur twice: fix it")
    return tuple(symbols), Symbols(blank_index, separator, silent)


def _settings(folder: Path) -> dict[str, Any]:
    """Return the settings in the tokenizer's files, each of which may be missing."""
    settings: dict[str, Any] = {}
    for name in (SPECIAL, TOKENIZER):
        if (folder / name).is_file():
            settings |= json_object(folder / name)
    return settings


def _symbol_of(settings: Mapping[str, Any], key: str) -> str:
    """Return the symbol that a setting names, as text or as an object with its content; empty where it names none."""
    value = settings.get(key, USUAL[key])
    value = value.get("content") if isinstance(value, dict) else value
    return value if isinstance(value, str) else ""


def _vocabulary(folder: Path, settings: Mapping[str, Any], head: Any) -> list[str]:
    """Return the symbols in the order of their numbers; added symbols are included only if the head has them, too.

    Raises:
        ZooError: the numbers are not 0, 1, 2 and so on, one for each symbol of the head.
    """
    path = folder / VOCABULARY
    numbers = json_object(path)
    if not all(isinstance(number, int) for number in numbers.values()):
        raise ZooError(
            f"{path} does not map each symbol to a number, as vocabularies of one language do: name another folder"
        )
    if len(numbers) != head:
        numbers = {**_added_symbols(folder, settings), **numbers}
    symbols = {number: symbol for symbol, number in numbers.items()}
    if len(numbers) != head:
        raise ZooError(f"{path} has {len(numbers)} symbols, the head of {CONFIG} {head!s:.20}: fetch both again")
    if sorted(symbols) != list(range(len(numbers))):
        raise ZooError(f"{path} does not number its {len(numbers)} symbols from 0 on: fetch it again")
    return [symbols[number] for number in range(len(symbols))]


def _added_symbols(folder: Path, settings: Mapping[str, Any]) -> dict[str, int]:
    """Return symbols that were added to the vocabulary, with their numbers."""
    added = json_object(folder / ADDED) if (folder / ADDED).is_file() else {}
    listed = settings.get("added_tokens_decoder")
    for number, token in (listed if isinstance(listed, dict) else {}).items():
        content = token.get("content") if isinstance(token, dict) else None
        if isinstance(content, str) and str(number).isdecimal():
            added[content] = int(number)
    return {symbol: number for symbol, number in added.items() if isinstance(number, int)}
