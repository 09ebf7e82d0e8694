"""Greedy decoding of CTC logits."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.ctc import likeliest_symbols, transcript
from zoo.errors import ZooError

SYMBOLS = ("<pad>", "<s>", "|", "A", "B")


def logits(path: str, symbols: str = "-_|AB") -> np.ndarray:
    """Return logits whose likeliest symbols are those of `path`."""
    return np.eye(len(symbols), dtype=np.float32)[[symbols.index(symbol) for symbol in path]]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("AAB", "AB"),
        ("A-A", "AA"),
        ("--AA--AB-", "AAB"),
        ("-----", ""),
        ("A|B", "A B"),
        ("A|-|B", "A B"),
        ("||A--B||", "AB"),
        ("_A_B", "AB"),
        ("A", "A"),
    ],
)
def test_transcript(path: str, text: str) -> None:
    assert transcript(logits(path), SYMBOLS, silent=("<s>",)) == text


def test_symbols_of_several_letters_and_another_blank() -> None:
    assert transcript(logits("ABB|A", "AB|"), ("sch", "<b>", " "), blank=1, separator=" ") == "sch sch"


def test_the_first_of_equal_logits_is_taken() -> None:
    assert likeliest_symbols(np.zeros((3, 4), np.float32), blank=3) == [0]


def test_no_frames_are_an_empty_transcript() -> None:
    assert transcript(np.zeros((0, 5), np.float32), SYMBOLS) == ""


@pytest.mark.parametrize("shape", [(5,), (1, 2, 5), (3, 0)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ZooError, match="frames, symbols"):
        transcript(np.zeros(shape, np.float32), SYMBOLS)


def test_other_numbers_of_symbols_are_refused() -> None:
    with pytest.raises(ZooError, match="4 logits for 5 symbols"):
        transcript(np.zeros((3, 4), np.float32), SYMBOLS)


def test_a_blank_that_is_no_symbol_is_refused() -> None:
    with pytest.raises(ZooError, match="blank 5"):
        likeliest_symbols(np.zeros((3, 5), np.float32), blank=5)
