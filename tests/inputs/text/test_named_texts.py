"""Texts in files and tables that `zoo predict` names."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from zoo.errors import ZooError
from zoo.inputs.text import client
from zoo.inputs.text.preprocessing import TextPreprocessing

PREPROCESSING = TextPreprocessing(("[PAD]", "[UNK]", "[CLS]", "[SEP]"), 8, column="message")


def test_a_wrong_table_is_refused_before_the_first_text_is_answered(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("message,n\nhello,1\n,2\n")
    bad.write_text("a,b\n1,2\n")
    with pytest.raises(ZooError, match="none is called 'message'"):
        next(iter(client.named_examples([good, bad], PREPROCESSING, lambda path, reason: None)))
    found = list(client.named_examples([good], PREPROCESSING, lambda path, reason: None))
    assert [(one.name, one.raw) for one in found] == [(f"{good} line 2", "hello"), (f"{good} line 3", "")]


def test_a_column_of_texts_may_be_called_by_a_number(tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text("0\nhello\n")
    called = TextPreprocessing(PREPROCESSING.vocabulary, 8, column="0")
    assert [one.raw for one in client.named_examples([table], called, lambda path, reason: None)] == ["hello"]


def test_texts_of_another_type_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "texts.parquet"
    parquet.write_table(pa.table({"n": [1], "message": [b"hello"]}), table)
    with pytest.raises(ZooError, match=r"texts\.parquet: column 'message' is binary: convert it"):
        next(iter(client.named_examples([table], PREPROCESSING, lambda path, reason: None)))
