"""Tokens in a graph: for every text the same ids as those of `tokenizers`; and refusals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inputs.text.vocabularies import LETTERS, VARIANTS, pieces, preprocessing
from zoo.inputs.text import graph
from zoo.inputs.text.characters import CODE_POINTS, SURROGATES, characters
from zoo.inputs.text.hard import LINES, random_text
from zoo.inputs.text.preprocessing import (
    ATTENTION_MASK,
    INPUT_IDS,
    LONGEST_TEXT,
    NOT_UTF8,
    TOO_LONG,
    TextPreprocessing,
    encode,
)

Decode = Callable[[list[Any]], tuple[dict[str, np.ndarray], list[str]]]

# Characters that combine, decompose, change case, or are words of their own, more often than others.
CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from(LETTERS),
    st.sampled_from(" \t\n\0\u00a0\u200d\ufeff\ufffd"),
    st.characters(categories=["Mn", "Mc", "Me"]),
    st.characters(categories=["Lu", "Lt"]),
    st.characters(min_codepoint=0x1D150, max_codepoint=0x1D1C0),
    st.characters(min_codepoint=0x302A, max_codepoint=0x302F),
)
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=60),
    st.lists(st.one_of(st.sampled_from(LINES), st.text(CHARACTERS, max_size=8)), max_size=4).map("".join),
    st.lists(st.sampled_from(pieces()), max_size=30).map(lambda tokens: "".join(token.strip("#") for token in tokens)),
)


@functools.cache
def decoder(wanted: TextPreprocessing) -> Decode:
    """A function that returns the ids and the status of texts, computed by a graph that is traced once."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def traced(text: Any) -> Any:
        return graph.decoded({"text": text}, wanted)

    def call(texts: list[Any]) -> tuple[dict[str, np.ndarray], list[str]]:
        found, status = traced(tf.constant(texts, tf.string, [len(texts)]))
        return {name: tensor.numpy() for name, tensor in found.items()}, [each.decode() for each in status.numpy()]

    return call


def assert_same(texts: list[str], wanted: TextPreprocessing) -> None:
    expected, (found, status) = encode(texts, wanted), decoder(wanted)(texts)
    assert status == [""] * len(texts)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype == np.int64
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(("name", "cased"), VARIANTS)
def test_the_graph_makes_the_ids_of_the_tokenizer(name: str, cased: bool) -> None:
    wanted = preprocessing(name, cased)

    @settings(max_examples=60)
    @given(st.lists(TEXTS, max_size=5))
    def same(texts: list[str]) -> None:
        assert_same(texts, wanted)

    same()
    assert_same(list(LINES), wanted)
    for line in LINES:
        assert_same([line], wanted)


@pytest.mark.parametrize("cased", [False, True])
def test_every_code_point_is_read_as_by_the_tokenizer(cased: bool) -> None:
    every = [code for code in range(CODE_POINTS) if code not in SURROGATES]
    step = 8
    # Unassigned planes are all alike: of them, every 64th code point is enough.
    chosen = [code for code in every if code < 0x32000 or 0xE0000 <= code < 0xE0200 or code % 64 == 0]
    texts = ["a".join(map(chr, chosen[start : start + step])) for start in range(0, len(chosen), step)]
    assert_same(texts, preprocessing("pieces", cased))


@pytest.mark.full
@pytest.mark.parametrize("options", [{}, {"strip_accents": False}, {"lowercase": False}, {"clean_text": False}])
def test_every_code_point_becomes_what_the_normalizer_makes_of_it(options: dict[str, Any]) -> None:
    """Each code point stands between letters, before an accent, and after one; the vocabulary is the characters."""
    every = [chr(code) for code in range(CODE_POINTS) if code not in SURROGATES]
    for start in range(0, len(every), 1 << 16):
        part = every[start : start + (1 << 16)]
        tokens = {"[PAD]": 0, "[UNK]": 0, "[CLS]": 0, "[SEP]": 0} | dict.fromkeys(
            "abcdefghijklmnopqrstuvwxyz\u302e\u0345"
        )
        tokens |= dict.fromkeys(part) | dict.fromkeys(f"##{one}" for one in (*part, "b", "\u302e", "\u0345"))
        wanted = TextPreprocessing(tuple(tokens), 12, **options)
        assert_same([f"a{one}b {one}\u302e\u0345 \u302e{one}" for one in part], wanted)


def test_marks_that_are_kept_are_sorted_by_their_class() -> None:
    """Stripping accents decomposes, which sorts marks; a mark of class 0 that is removed keeps its neighbors apart."""
    wanted = TextPreprocessing(
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##\u1b44", "##\u302e", "\u1b44", "\u302e"), 10
    )
    found, _ = decoder(wanted)(["a\u302e\u1b44", "a\u302e\u0901\u1b44", "a\u302e\u0301\u1b44", "a\u302e \u1b44"])
    assert found[INPUT_IDS][:, 1:5].tolist() == [[4, 5, 6, 3], [4, 6, 5, 3], [4, 5, 6, 3], [4, 6, 7, 3]]
    assert_same(["a\u302e\u1b44", "a\u302e\u0901\u1b44", "a\u302e\u0301\u1b44", "\u302e", "\u1b44"], wanted)


def test_the_tables_are_small() -> None:
    table = characters(preprocessing("pieces", cased=False))
    assert sum(array.nbytes for array in (table.starts, table.lengths, table.places, table.values)) < 400_000


@pytest.mark.parametrize(
    "refused",
    [
        b"\xff",
        b"abc\xe2\x82",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\x80",
        "é".encode("latin-1"),
        b"a\xffb",
    ],
)
def test_invalid_utf8_is_refused_and_its_neighbors_are_answered(refused: bytes) -> None:
    wanted = preprocessing("pieces", cased=False)
    found, status = decoder(wanted)([b"a b", refused, b"c"])
    assert status == ["", NOT_UTF8, ""]
    expected = encode(["a b", "", "c"], wanted)
    np.testing.assert_array_equal(found[INPUT_IDS], expected[INPUT_IDS])
    np.testing.assert_array_equal(found[ATTENTION_MASK], expected[ATTENTION_MASK])


def test_any_bytes_are_answered_or_refused() -> None:
    decode = decoder(preprocessing("pieces", cased=False))

    @settings(max_examples=60)
    @given(st.lists(st.binary(max_size=20), max_size=4))
    def told(texts: list[bytes]) -> None:
        def is_valid(text: bytes) -> bool:
            try:
                text.decode()
            except UnicodeDecodeError:
                return False
            return True

        assert decode(texts)[1] == ["" if is_valid(text) else NOT_UTF8 for text in texts]

    told()


@pytest.mark.parametrize("unit", ["a", "é. "])
def test_a_text_as_long_as_may_be_is_right_and_a_longer_one_is_refused(unit: str) -> None:
    wanted = preprocessing("pieces", cased=False)
    longest = unit * (LONGEST_TEXT // len(unit.encode()))
    assert_same([longest, "a"], wanted)
    assert decoder(wanted)([longest + unit, "a"])[1] == [TOO_LONG, ""]


def test_contract_inputs_pass_to_the_network_unchanged() -> None:
    wanted = preprocessing("pieces", cased=False)
    inputs = encode(["a b"], wanted)
    assert graph.prepared(inputs, wanted) == inputs


def test_a_server_without_xla_answers(tmp_path: Path) -> None:
    """The test loads it through TensorFlow's C API, with only TensorFlow's own operations and without tables."""
    from zoo.export.tf_serving import rules
    from zoo.export.tf_serving.server_check import Request, run_loader, tensor_names

    wanted = preprocessing("trained", cased=False)
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve(text: Any) -> Any:
        found, status = graph.decoded({"text": text}, wanted)
        return {**found, "status": status}

    tf.saved_model.save(module, tmp_path / "1", signatures={"serve_text": serve})
    meta_graph = rules.read_meta_graph(tmp_path / "1")
    operations = {node.op for function in meta_graph.graph_def.library.function for node in function.node_def}
    assert not [name for name in operations if "Xla" in name or "Table" in name or "PyFunc" in name]
    random = np.random.default_rng(0)
    texts = [*LINES, *(random_text(wanted.vocabulary, 40, random) for _ in range(50))]
    encoded = np.array([text.encode() for text in texts], object)
    request = Request("texts", "serve_text", {"text": np.append(encoded, b"\xff")})
    outcome = run_loader(tmp_path / "1", tensor_names(meta_graph), [request], 120)
    assert outcome.problem is None
    expected, found = encode([*texts, ""], wanted), outcome.answers[0]
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    assert found["status"].tolist() == [b""] * len(texts) + [NOT_UTF8.encode()]
