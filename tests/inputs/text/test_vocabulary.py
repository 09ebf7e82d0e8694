"""Vocabularies: trained, the same ones each time; read from files of transformers, or refused with the reason."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from tests.inputs.text.vocabularies import preprocessing
from zoo.errors import ZooError
from zoo.inputs.text.hard import LINES
from zoo.inputs.text.preprocessing import INPUT_IDS, TextPreprocessing, encode, tokenizer_json
from zoo.inputs.text.vocabulary import read, trained

SENTENCES = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "cats and dogs sat together on mats and logs",
    "Ein Käfer saß auf der Matte",
]
TRAIN = """
import hashlib, sys
from zoo.inputs.text.vocabulary import trained
texts = sys.stdin.read().splitlines()
print(hashlib.sha256("\\n".join(trained(texts, 500, 32).vocabulary).encode()).hexdigest())
"""


def test_words_that_are_seen_often_become_tokens() -> None:
    found = trained(SENTENCES * 3, 500, 32)
    assert found.vocabulary[:4] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    assert {"the", "cat", "sat", "kafer"} <= set(found.vocabulary)
    assert found.lowercase
    assert found.strip_accents
    ids = encode(SENTENCES, found)[INPUT_IDS]
    assert found.id_of("[UNK]") not in ids
    assert [found.vocabulary[number] for number in ids[0][:7]] == ["[CLS]", "the", "cat", "sat", "on", "the", "mat"]


def test_a_cased_vocabulary_keeps_case_and_accents() -> None:
    found = trained(SENTENCES * 3, 500, 32, lowercase=False)
    assert "Käfer" in found.vocabulary
    assert not found.strip_accents


def test_the_same_texts_give_the_same_vocabulary_in_any_order_and_process() -> None:
    texts = [line.replace("\n", " ") for line in (*SENTENCES, *LINES[4:6])] * 3
    texts = [" ".join(text.split()) for text in texts]
    expected = hashlib.sha256("\n".join(trained(texts, 500, 32).vocabulary).encode()).hexdigest()
    for order in (texts, texts[::-1], sorted(texts)):
        done = subprocess.run(
            [sys.executable, "-c", TRAIN],
            input="\n".join(order),
            env={**os.environ, "PYTHONHASHSEED": "random", "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected


def test_thousands_of_chinese_characters_are_tokens() -> None:
    characters = [chr(0x4E00 + number) for number in range(3000)]
    found = trained(["".join(characters[start : start + 100]) for start in range(0, 3000, 100)], 8000, 128)
    assert {*characters} <= {*found.vocabulary}
    few = trained(["".join(characters)], 1000, 128)
    assert 400 < len({*characters} & {*few.vocabulary}) <= 500, "half of the vocabulary is left for other words"


def test_a_vocabulary_has_no_more_tokens_than_asked_for() -> None:
    many = [chr(code) + chr(code + 1) for code in range(0x4E00, 0x6E00, 2)] * 2
    assert len(trained(many, 100, 32).vocabulary) <= 100
    assert len(trained([*LINES, *SENTENCES] * 2, 150, 32).vocabulary) == 150


@pytest.mark.parametrize(
    ("texts", "size", "message"),
    [
        (["a"], 4, "a vocabulary of 4 tokens is too small: ask for 100 or more"),
        ([], 500, "no text has a word to train a vocabulary on: name other texts"),
        (["", " \n", "\0"], 500, "no text has a word to train a vocabulary on: name other texts"),
        (["a", "\ud800"], 500, "text 2 is not valid UTF-8: convert it from its own encoding"),
    ],
)
def test_texts_that_give_no_vocabulary_are_refused(texts: list[str], size: int, message: str) -> None:
    with pytest.raises(ZooError) as refusal:
        trained(texts, size, 32)
    assert str(refusal.value) == message


Edit = Callable[[dict[str, Any]], Any]


def written(folder: Path, edit: Edit = lambda document: None, **config: Any) -> Path:
    """A folder with the `tokenizer.json` of a BERT as transformers writes it, edited, and its configuration."""
    document = json.loads(tokenizer_json(preprocessing("trained", cased=False)))
    document |= {"truncation": None, "padding": None}
    document["normalizer"]["strip_accents"] = None
    document["added_tokens"] = [
        {"id": number, "content": token, "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for number, token in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]"))
    ]
    edit(document)
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 40, **config}), encoding="utf-8")
    return folder


TEMPLATE: dict[str, Any] = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {
        "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
        "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
    },
}


@pytest.mark.parametrize("edit", [lambda document: None, lambda document: document.update(post_processor=TEMPLATE)])
def test_the_tokenizer_of_a_bert_is_read(tmp_path: Path, edit: Edit) -> None:
    assert read(written(tmp_path, edit)) == preprocessing("trained", cased=False)


def test_a_normalizer_that_only_lowercases_is_read(tmp_path: Path) -> None:
    found = read(written(tmp_path, lambda document: document.update(normalizer={"type": "Lowercase"})))
    assert (found.lowercase, found.strip_accents, found.clean_text, found.handle_chinese_chars) == (True, *[False] * 3)


def test_no_normalizer_is_read(tmp_path: Path) -> None:
    found = read(written(tmp_path, lambda document: document.update(normalizer=None)))
    changes = (found.lowercase, found.strip_accents, found.clean_text, found.handle_chinese_chars)
    assert changes == (False,) * 4


def test_a_list_of_tokens_and_its_configuration_are_read(tmp_path: Path) -> None:
    expected = preprocessing("trained", cased=False)
    (tmp_path / "vocab.txt").write_text("\n".join(expected.vocabulary) + "\n", encoding="utf-8")
    config = {"do_lower_case": True, "cls_token": {"content": "[CLS]"}, "tokenizer_class": "BertTokenizerFast"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": 10**30}))
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 40}))
    assert read(tmp_path) == expected
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    found = read(tmp_path, max_length=12)
    assert (found.lowercase, found.strip_accents, found.max_length) == (False, False, 12)


def test_the_length_of_sentence_transformers_goes_first(tmp_path: Path) -> None:
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 17}')
    assert read(written(tmp_path)).max_length == 17


def sequence(*types: str) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": [{"type": each} for each in types]}


def added(**token: Any) -> Edit:
    settings = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return lambda document: document["added_tokens"].append({**settings, "id": 4, "special": False, **token})


UNFIT: dict[str, tuple[Edit, str]] = {
    "NFC": (lambda document: document.update(normalizer={"type": "NFC"}), "normalizes texts with NFC"),
    "NFKC": (
        lambda document: document.update(normalizer=sequence("NFKC", "Lowercase")),
        "normalizes texts with Sequence(NFKC, Lowercase)",
    ),
    "white space": (lambda document: document.update(pre_tokenizer={"type": "WhitespaceSplit"}), "splits words with"),
    "no splitting": (lambda document: document.update(pre_tokenizer=None), "splits words with nothing"),
    "Unigram": (
        lambda document: document.update(model={"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0]]}),
        "is a tokenizer of type Unigram",
    ),
    "byte-level BPE": (
        lambda document: document.update(
            model={"type": "BPE", "vocab": {"a": 0}, "merges": []},
            pre_tokenizer={"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        ),
        "is a tokenizer of type BPE",
    ),
    "RoBERTa's": (
        lambda document: document.update(
            post_processor={
                "type": "RobertaProcessing",
                "sep": ["[SEP]", 3],
                "cls": ["[CLS]", 2],
                "trim_offsets": True,
                "add_prefix_space": False,
            }
        ),
        "puts tokens around texts with RobertaProcessing",
    ),
    "nothing around": (lambda document: document.update(post_processor=None), "puts tokens around texts with nothing"),
    "one after": (
        lambda document: document.update(post_processor={**TEMPLATE, "single": TEMPLATE["single"][1:]}),
        "puts other tokens around texts than one before and one after",
    ),
    "other ids": (
        lambda document: document["post_processor"].update(sep=["[SEP]", 7]),
        "has other ids for [CLS], [SEP] around texts than in its vocabulary",
    ),
    "added words": (added(content="the", special=False), "finds added tokens within texts (the)"),
    "added tokens": (added(content="<user>", special=True), "adds tokens that its vocabulary lacks (<user>)"),
    "gaps": (lambda document: document["model"]["vocab"].update(far=10**6), "tokens with gaps or twice"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_tokenizer_that_does_not_fit_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    edit, reason = UNFIT[name]
    with pytest.raises(ZooError) as refusal:
        read(written(tmp_path, edit))
    message = str(refusal.value)
    assert message.startswith(f"{tmp_path / 'tokenizer.json'} {'' if name == 'gaps' else reason}")
    assert reason in message
    assert message.endswith(
        ", which does not fit: zoo reads WordPiece with BertNormalizer or Lowercase, "
        "BertPreTokenizer, and a special token on each side"
    )
    assert "\n" not in message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"do_lower_case": False}, "disagree about do_lower_case"),
        ({"do_basic_tokenize": False}, "splits no words"),
        ({"never_split": ["a"]}, "names words that are never split"),
        ({"model_max_length": 10**30}, "does not state the most tokens of a text"),
        ({"model_max_length": "many"}, "its tokenizer: max_length should be"),
        ({"pad_token": "<pad>"}, "the vocabulary lacks <pad>"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ZooError, match=message):
        read(written(tmp_path, **config))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has neither tokenizer.json nor tokenizer_config.json"),
        ({"vocab.txt": b"a"}, "has neither tokenizer.json nor tokenizer_config.json"),
        ({"tokenizer_config.json": b"{}"}, "has neither tokenizer.json nor vocab.txt"),
        ({"tokenizer_config.json": b"[]"}, "holds no JSON object"),
        ({"tokenizer_config.json": b"\xff"}, "cannot be read"),
        ({"tokenizer.json": b"{"}, "cannot be read"),
        ({"tokenizer.json": b""}, "cannot be read"),
        ({"tokenizer.json": b"\xff\xfe"}, "cannot be read"),
        ({"tokenizer.json": b"[" * 100_000}, "cannot be read"),
        ({"tokenizer_config.json": b"{}", "vocab.txt": b"\xff"}, "cannot be read"),
        ({"tokenizer_config.json": b'{"model_max_length": 9}', "vocab.txt": b""}, "the vocabulary lacks"),
        ({"tokenizer_config.json": b'{"model_max_length": 9}', "vocab.txt": b"a\na"}, "the vocabulary"),
        ({"tokenizer_config.json": b'{"tokenizer_class": "T5Tokenizer"}', "vocab.txt": b"a"}, "of a tokenizer of T5"),
        ({"tokenizer_config.json": b'{"added_tokens_decoder": 3}', "vocab.txt": b"a"}, "holds no tokens"),
        (
            {"tokenizer_config.json": b'{"added_tokens_decoder": {"9": {"content": "a"}}}', "vocab.txt": b"a"},
            "finds added tokens within texts",
        ),
    ],
)
def test_files_that_are_missing_or_damaged_are_refused(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ZooError, match=message) as refusal:
        read(tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_tokenizer_that_is_read_gives_the_ids_of_the_file(tmp_path: Path) -> None:
    found = read(written(tmp_path))
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    theirs.encode_special_tokens = True
    theirs.enable_truncation(40)
    theirs.enable_padding(pad_id=0)
    assert isinstance(found, TextPreprocessing)
    assert [each.ids for each in theirs.encode_batch(list(LINES))] == encode(LINES, found)[INPUT_IDS].tolist()
