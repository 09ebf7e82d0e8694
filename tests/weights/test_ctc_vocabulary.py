"""The symbols of transcripts in folders of transformers: they equal its tokenizer's, or are refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoo.description import Symbols
from zoo.errors import ZooError
from zoo.weights.ctc_vocabulary import read_symbols
from zoo.weights.transformers_reader import Checkpoint

USUAL = ("<pad>", "<s>", "</s>", "<unk>", "|", "E", "T")


def checkpoint(folder: Path, symbols: Any = USUAL, head: int | None = None, **files: Any) -> Checkpoint:
    """Write a folder's files; `symbols` are the symbols of vocab.json, or its whole content."""
    numbers = symbols if isinstance(symbols, dict) else {symbol: number for number, symbol in enumerate(symbols)}
    for name, content in {"vocab": numbers, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return Checkpoint(folder, {"vocab_size": len(numbers) if head is None else head})


def test_the_usual_symbols(tmp_path: Path) -> None:
    assert read_symbols(checkpoint(tmp_path)) == (USUAL, Symbols(0, "|", ("<s>", "</s>", "<unk>")))


def test_the_order_is_that_of_the_numbers(tmp_path: Path) -> None:
    labels, symbols = read_symbols(checkpoint(tmp_path, {"b": 2, "<pad>": 1, "a": 0}))
    assert (labels, symbols) == (("a", "<pad>", "b"), Symbols(1, "|", ()))


@pytest.mark.parametrize("as_object", [False, True])
def test_settings_name_other_marks(as_object: bool, tmp_path: Path) -> None:
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "word_delimiter_token": " "}
    tokens = {key: {"content": mark, "lstrip": False} if as_object else mark for key, mark in named.items()}
    found = read_symbols(
        checkpoint(
            tmp_path,
            ("a", "[UNK]", "[PAD]", " "),
            tokenizer_config=tokens | {"bos_token": None, "tokenizer_class": "Wav2Vec2CTCTokenizer"},
            special_tokens_map={"pad_token": "older"},
        )
    )
    assert found == (("a", "[UNK]", "[PAD]", " "), Symbols(2, " ", ("[UNK]",)))


def test_letters_are_in_the_case_of_transcripts(tmp_path: Path) -> None:
    labels, symbols = read_symbols(checkpoint(tmp_path, ("<pad>", "|", "<UNK>", "A"), tokenizer_config={
        "do_lower_case": True, "unk_token": "<UNK>",
    }))  # fmt: skip
    assert (labels, symbols.silent) == (("<pad>", "|", "<UNK>", "a"), ("<UNK>",))


@pytest.mark.parametrize("in_settings", [False, True])
def test_added_symbols_count_where_the_head_has_them(in_settings: bool, tmp_path: Path) -> None:
    added = {"<s>": 2, "</s>": 3}
    decoder = {str(number): {"content": symbol} for symbol, number in added.items()}
    files = {"tokenizer_config": {"added_tokens_decoder": decoder}} if in_settings else {"added_tokens": added}
    base = ("<pad>", "a")
    assert read_symbols(checkpoint(tmp_path, base, 4, **files))[0] == (*base, *added)
    assert read_symbols(checkpoint(tmp_path, base, 2, **files))[0] == base


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a number too few": ({"head": 8}, "vocab.json has 7 symbols, the head of config.json 8"),
    "a number too many": ({"head": 6}, "vocab.json has 7 symbols, the head of config.json 6"),
    "no blank": ({"symbols": ("<s>", "a")}, "vocab.json lacks the blank '<pad>'"),
    "another blank": ({"tokenizer_config": {"pad_token": "[PAD]"}}, "vocab.json lacks the blank '[PAD]'"),
    "no blank is named": ({"tokenizer_config": {"pad_token": None}}, "vocab.json lacks the blank ''"),
    "languages": ({"symbols": {"eng": {"a": 0}}}, "vocab.json does not map each symbol to a number"),
    "a gap": ({"symbols": {"<pad>": 0, "a": 2}}, "vocab.json does not number its 2 symbols from 0 on"),
    "a number twice": ({"symbols": {"<pad>": 0, "a": 0}}, "vocab.json does not number its 2 symbols from 0 on"),
    "phonemes": (
        {"tokenizer_config": {"tokenizer_class": "Wav2Vec2PhonemeCTCTokenizer"}},
        "asks for Wav2Vec2PhonemeCTCTokenizer",
    ),
    "a line break": ({"symbols": ("<pad>", "a\n")}, "symbols that are empty, hold a line break or occur twice"),
    "one letter in two cases": (
        {"symbols": ("<pad>", "a", "A"), "tokenizer_config": {"do_lower_case": True}},
        "occur twice",
    ),
    "a list": ({"vocab": ["<pad>"]}, "vocab.json holds no JSON object"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_vocabulary_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    options, message = WRONG[case]
    with pytest.raises(ZooError) as said:
        read_symbols(checkpoint(tmp_path, **options))
    assert message in str(said.value)
    assert "\n" not in str(said.value)


def test_a_missing_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"there is no file .*vocab\.json"):
        read_symbols(Checkpoint(tmp_path, {}))
