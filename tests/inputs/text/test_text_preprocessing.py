"""The record of text preprocessing, and its implementation with `tokenizers`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers

from tests.inputs.text.vocabularies import VARIANTS, preprocessing
from zoo import schema
from zoo.data.dataset import Examples
from zoo.errors import ZooError
from zoo.input import kind_of
from zoo.inputs.text import client, data
from zoo.inputs.text.hard import LINES
from zoo.inputs.text.preprocessing import (
    ATTENTION_MASK,
    INPUT_IDS,
    LONGEST_TEXT,
    TextPreprocessing,
    encode,
    network_tensors,
    noise,
    random,
    raw_arrays,
    raw_tensors,
    tensors,
    tokenizer_json,
)

SMALL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##b", "hello", "##ing", ".", "[", "]", "sep")


@pytest.mark.parametrize(("name", "cased"), VARIANTS)
def test_the_record_survives_json(name: str, cased: bool) -> None:
    wanted = preprocessing(name, cased)
    document = json.loads(json.dumps(schema.to_dict(wanted)))
    assert document["kind"] == "text"
    assert schema.parse(TextPreprocessing, document, "run.json") == wanted


def test_texts_are_padded_to_the_longest_and_cut_at_the_limit() -> None:
    found = encode(["ab hello.", "", "helloing hello hello hello hello"], TextPreprocessing(SMALL, 6))
    assert found[INPUT_IDS].tolist() == [[2, 4, 5, 6, 8, 3], [2, 3, 0, 0, 0, 0], [2, 6, 7, 6, 6, 3]]
    assert found[ATTENTION_MASK].tolist() == [[1] * 6, [1, 1, 0, 0, 0, 0], [1] * 6]
    assert {array.dtype for array in found.values()} == {np.dtype(np.int64)}


def test_no_texts_become_an_empty_batch() -> None:
    assert {array.shape for array in encode([], TextPreprocessing(SMALL, 6)).values()} == {(0, 2)}


def test_special_tokens_within_a_text_are_words() -> None:
    assert encode(["[SEP]"], TextPreprocessing(SMALL, 9))[INPUT_IDS].tolist() == [[2, 9, 11, 10, 3]]


def test_a_word_that_the_vocabulary_cannot_compose_is_unknown() -> None:
    wanted = TextPreprocessing(SMALL, 9, longest_word=7)
    assert encode(["ax abbbbbb abbbbbbb a"], wanted)[INPUT_IDS].tolist() == [[2, 1, 4, *[5] * 5, 3]]
    assert encode(["ax abbbbbbb a"], wanted)[INPUT_IDS].tolist() == [[2, 1, 1, 4, 3]]


@pytest.mark.parametrize(("name", "cased"), VARIANTS)
def test_the_json_for_clients_gives_the_same_inputs(name: str, cased: bool) -> None:
    wanted = preprocessing(name, cased)
    found = tokenizers.Tokenizer.from_str(tokenizer_json(wanted)).encode_batch(list(LINES))
    expected = encode(LINES, wanted)
    np.testing.assert_array_equal([each.ids for each in found], expected[INPUT_IDS])
    np.testing.assert_array_equal([each.attention_mask for each in found], expected[ATTENTION_MASK])


def test_the_special_tokens_of_a_tokenizer_change_nothing() -> None:
    """A tokenizer that knows its special tokens, set to read them as text, gives the same ids."""
    wanted = preprocessing("trained", cased=False)
    theirs = tokenizers.Tokenizer.from_str(tokenizer_json(wanted))
    theirs.add_special_tokens(list(wanted.special_tokens))
    theirs.encode_special_tokens = True
    found = theirs.encode_batch(list(LINES))
    np.testing.assert_array_equal([each.ids for each in found], encode(LINES, wanted)[INPUT_IDS])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", "\ud800"], "text 2 of 2 is not valid UTF-8: convert it from its own encoding"),
        (["\udcff\udcfe"], "text 1 of 1 is not valid UTF-8: convert it from its own encoding"),
        (["a" * (LONGEST_TEXT + 1)], "text 1 of 1 is longer than 1048576 bytes: cut it"),
        (["é" * (LONGEST_TEXT // 2) + "a"], "text 1 of 1 is longer than 1048576 bytes: cut it"),
        ([None], "text 1 of 1 is of type NoneType: give a string"),
        ([b"a"], "text 1 of 1 is of type bytes: give a string"),
        ([float("nan")], "text 1 of 1 is of type float: give a string"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused(texts: list[Any], message: str) -> None:
    with pytest.raises(ZooError) as refusal:
        encode(texts, TextPreprocessing(SMALL, 9))
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": []}, "the vocabulary lacks [PAD], [UNK], [CLS], [SEP]: add each special token to it"),
        ({"vocabulary": [*SMALL, "a"]}, "the vocabulary has 'a' twice: keep one"),
        (
            {"vocabulary": [*SMALL, "\ud800"]},
            "the vocabulary has lone surrogates ('\\ud800'): write its tokens as Unicode",
        ),
        ({"pad_token": "<pad>"}, "the vocabulary lacks <pad>: add each special token to it"),
        ({"max_length": 2}, "run.json: max_length should be greater than 2, not 2"),
        ({"max_length": 10**9}, "run.json: max_length should be less than or equal to 65536, not 1000000000"),
        ({"longest_word": 0}, "run.json: longest_word should be greater than or equal to 1, not 0"),
        ({"kind": "image"}, "run.json: kind should be 'text', not 'image'"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ZooError) as refusal:
        schema.parse(TextPreprocessing, {"vocabulary": SMALL, "max_length": 9, **changes}, "run.json")
    assert str(refusal.value) == message


def test_random_inputs_fit_the_contract() -> None:
    wanted = preprocessing("pieces", cased=False)
    found = random(wanted, 3, np.random.default_rng(0))
    assert all(tensor.fits(found[name]) for name, tensor in tensors(wanted).items())
    assert found[INPUT_IDS].shape == (3, wanted.max_length)
    assert found[INPUT_IDS].max() < len(wanted.vocabulary)
    assert network_tensors(wanted) == tensors(wanted)
    assert str(raw_tensors(wanted)["text"]) == "string [batch]"


def test_raw_arrays_are_utf8_and_keep_what_is_damaged() -> None:
    wanted = preprocessing("pieces", cased=False)
    found = raw_arrays(["é", "a\ud800"], wanted)["text"]
    assert found.dtype == object
    assert found.tolist() == ["é".encode(), b"a\xed\xa0\x80"]


def test_the_record_is_found_by_its_kind() -> None:
    kind = kind_of(preprocessing("pieces", cased=False))
    assert kind.preprocessing is TextPreprocessing
    assert (kind.raw, kind.raw_safe) == ("serve_text", "serve_text_safe")
    assert kind.settings().vocabulary == 8000
    for raw in kind.data.damaged("a sound text", preprocessing("pieces", cased=False)).values():
        with pytest.raises(ZooError, match="not valid UTF-8"):
            kind.client.encode([raw], preprocessing("pieces", cased=False))
    refused, costly = kind.data.hostile()
    assert all(len(text.encode()) > LONGEST_TEXT for text in refused.values())
    assert all(len(text.encode()) <= LONGEST_TEXT for text in costly.values())


@pytest.mark.parametrize(
    "text",
    ["", "word", "é" * 1024, "a few words " * 200, "b" * (LONGEST_TEXT // 3), "é" * (LONGEST_TEXT // 2)],
    ids=["nothing", "a word", "a long word", "words", "a third of the most", "the most"],
)
def test_the_first_sample_is_cut_and_no_longer_than_a_text_may_be(text: str) -> None:
    wanted = preprocessing("pieces", cased=False, max_length=512)
    first, other = data.samples([text], wanted)
    assert other == text
    assert len(text.encode()) <= len(first.encode()) <= LONGEST_TEXT
    if len(text) <= 2400:
        assert client.encode([first], wanted)[INPUT_IDS].shape == (1, 512)
        assert len(first.split()) <= 512 + len(text.split()) + 1


def test_the_file_beside_a_model_gives_the_same_inputs() -> None:
    wanted = preprocessing("trained", cased=False)
    (content,) = client.files(wanted).values()
    text = eval(client.python(wanted))
    assert client.rest(wanted) == {"text": text}
    found = tokenizers.Tokenizer.from_str(content).encode_batch([text, "a"])
    for name, array in encode([text, "a"], wanted).items():
        key = {"input_ids": "ids"}.get(name, name)
        np.testing.assert_array_equal([getattr(one, key) for one in found], array)
    tokens = f"up to 40 WordPiece tokens of a vocabulary of {len(wanted.vocabulary):,}, uncased"
    assert client.facts(wanted) == {"input": tokens}


def test_noise_is_read_and_is_the_same_for_a_seed() -> None:
    wanted = preprocessing("pieces", cased=False)
    texts = noise(wanted, 50, np.random.default_rng(0))
    assert texts == noise(wanted, 50, np.random.default_rng(0))
    assert len(set(texts)) > 40
    assert encode(texts, wanted)[INPUT_IDS].shape[0] == 50


def test_nothing_is_written_when_a_process_is_forked_after_reading_texts() -> None:
    code = (
        "import os\n"
        "from zoo.inputs.text.preprocessing import TextPreprocessing, encode\n"
        f"encode(['a', 'b'] * 50, TextPreprocessing({SMALL!r}, 9))\n"
        "os.fork() or os._exit(0)\n"
        "os.wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def requests(path: Path, content: str) -> tuple[list[Any], list[str]]:
    said: list[str] = []
    path.write_text(content)
    wanted = preprocessing("trained", False)
    found = [one.raw for one in client.named_examples([path], wanted, lambda place, reason: said.append(reason))]
    return found, said


@pytest.mark.parametrize(("cased", "same"), [(False, [True, True, True, False]), (True, [True, True, False, False])])
def test_texts_of_the_same_words_are_recognized(cased: bool, same: list[bool]) -> None:
    def kept(*texts: str) -> Examples:
        made = [data.described(text, text, split="test", target=0, name=text) for text in texts]
        return data.kept(Examples.of(made), preprocessing("bert", cased))[0]

    seen = kept("the caf\u00e9 is good").every_digest
    others = ("the caf\u00e9  is good\n", " the cafe\u0301 is\tgood", "The caf\u00e9 is GOOD", "the cafe is goods")
    assert kept(*others).known(seen).tolist() == same


def test_a_table_without_a_header_does_not_lose_its_first_text_silently(tmp_path: Path) -> None:
    first = "line 1, which was read as the name of the column: 'will it rain'"
    assert requests(tmp_path / "t.csv", "will it rain\nplay jazz\n") == (["play jazz"], [first])
    assert requests(tmp_path / "t.csv", "text\nplay jazz\n") == (["play jazz"], [])
    assert requests(tmp_path / "t.csv", "n,text\n1,play jazz\n") == (["play jazz"], [])
    with pytest.raises(ZooError, match="several columns, and none is called 'text', the column that the network reads"):
        requests(tmp_path / "t.csv", "n,words\n1,play jazz\n")
