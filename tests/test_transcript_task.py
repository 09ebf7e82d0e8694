"""The task transcript: texts from logits, and error rates of texts."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from zoo import contract, schema, task
from zoo.description import Model, Symbols
from zoo.errors import Refused, ZooError
from zoo.inputs.audio.preprocessing import AudioPreprocessing
from zoo.tasks.transcript import TASK, measured
from zoo.tasks.transcript.figures import distance, error_rate, in_case_of, measure

LABELS = ("<pad>", "<s>", "|", "A", "B")
MODEL = Model(
    "wav2vec2", "small", LABELS, AudioPreprocessing(samples=0, front="waveform"), parameters=1, multiply_adds=1,
    task="transcript", symbols=Symbols(0, "|", ("<s>",)),
)  # fmt: skip


def logits(path: str, symbols: str = "-_|AB") -> np.ndarray:
    """Return logits whose likeliest symbols are those of `path`."""
    return np.eye(len(symbols), dtype=np.float32)[[symbols.index(symbol) for symbol in path]]


def test_the_task_is_found_and_states_its_tensors() -> None:
    assert task.task_of(MODEL) is TASK
    signature = contract.of_every_format(MODEL)
    assert signature.described() == {
        "waveform": "float32 [batch, samples]",
        "logits": "float32 [batch, frames, 5]",
    }
    assert list(contract.signatures(MODEL)) == ["serving_default", "serve_bytes", "serve_bytes_safe"]


def test_the_answer_is_the_text() -> None:
    answer = TASK.answer({"logits": logits("_A-A||--B-")}, MODEL, 5)
    assert answer.lines() == ["  AA B"]
    assert answer.plain() == answer.cells() == {"text": "AA B"}
    empty = TASK.answer({"logits": logits("---")}, MODEL, 5)
    assert (empty.plain(), empty.lines()) == ({"text": ""}, ["  (no text)"])


def test_symbols_are_those_of_transcripts() -> None:
    for change in ({"symbols": None}, {"task": "classes"}):
        with pytest.raises(ZooError, match="a model with symbols if its task is transcript"):
            schema.parse(Model, schema.to_dict(MODEL) | change, "model")


def test_the_blank_is_one_of_the_labels() -> None:
    values = schema.to_dict(MODEL)
    assert schema.parse(Model, values, "model") == MODEL
    with pytest.raises(ZooError, match="a blank among 5 labels, not at 5"):
        schema.parse(Model, values | {"symbols": {"blank": 5, "separator": "|", "silent": []}}, "model")


def test_logits_agree_in_every_frame() -> None:
    expected = np.stack([logits("A-B|"), logits("AABB")])
    assert TASK.agreement(expected, expected, 1e-4, MODEL)[0]
    other = expected.copy()
    other[1, 2, 4] -= 2e-4
    passed, figures = TASK.agreement(other, expected, 1e-4, MODEL)
    assert (passed, figures["other_top1"]) == (False, 0)
    other = expected.copy()
    other[1, 2] = logits("A")
    assert TASK.agreement(other, expected, 10.0, MODEL)[1]["other_top1"] == 0, "all are ties at such a tolerance"
    assert TASK.agreement(other, expected, 0.5, MODEL)[1]["other_top1"] == 1
    assert not TASK.agreement(expected[:, :3], expected, 1e-4, MODEL)[0]


@pytest.mark.parametrize(
    ("found", "wanted", "fewest"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "abc", 0),
        ("abd", "abc", 1),
        ("xabc", "abc", 1),
        ("kitten", "sitting", 3),
        ("ab", "ba", 2),
        ("intention", "execution", 5),
    ],
)
def test_distance(found: str, wanted: str, fewest: int) -> None:
    assert distance(found, wanted) == distance(wanted, found) == fewest


def test_error_rates() -> None:
    found = np.array(["A CAT SAT", "", "A DOG"], object)
    truth = np.array(["a cat sat", "no", "the  dog ran"], object)
    result = measure(found, truth, ("<pad>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"), name="clip {}".format)
    # "no" is left out; "the" became "a" and "ran" is left out.
    assert (result.examples, result.words, result.exact) == (3, 7, 1)
    assert result.wer == pytest.approx(3 / 7)
    assert 0 <= result.low <= result.wer <= result.high <= 1
    # Of 9, 2 and 11 characters: 2 of "no", "the" to "a" 3, " ran" 4.
    assert (result.characters, result.cer) == (22, pytest.approx(9 / 22))
    assert [(one.name, one.said, one.wrong_words) for one in result.transcripts] == [
        ("clip 0", "A CAT SAT", 0),
        ("clip 1", "NO", 1),
        ("clip 2", "THE DOG RAN", 2),
    ]
    assert TASK.summary(result).startswith("WER 0.4286 (95 % interval ")


def test_all_wrong_and_more_is_above_one() -> None:
    assert error_rate(np.array([3, 3]), np.array([1, 1])) == error_rate(np.array([6]), np.array([2])) == (3, 3, 3)


@pytest.mark.parametrize(
    ("symbols", "text"), [("|AB", "STRASSE 1"), ("|ab", "straße 1"), ("|aB", "Straße 1"), ("|", "STRASSE 1")]
)
def test_the_case_is_that_of_the_symbols(symbols: str, text: str) -> None:
    assert in_case_of(("<pad>", *symbols), " Straße\n1 ") == text


@pytest.mark.parametrize("symbol", ["\u09df", "\u09af\u09bc", "\u00e9", "e\u0301"])
def test_composed_and_decomposed_characters_are_equal(symbol: str) -> None:
    said = np.array([symbol], object)
    assert measure(said, said, ("<pad>", "|", symbol)).wer == 0
    other = unicodedata.normalize("NFD", symbol)
    assert measure(np.array([other], object), said, ("<pad>", "|", symbol)).cer == 0


def test_logits_that_are_not_finite_are_refused() -> None:
    batch = np.stack([logits("A"), np.full((1, 5), np.nan, np.float32)])
    found = measured(batch, MODEL)
    assert found.tolist() == ["A", None]
    with pytest.raises(Refused, match="1 of 2 examples"):
        measure(found, np.array(["A", "B"], object), LABELS)


def test_word_errors_are_drawn(tmp_path: Path) -> None:
    found = np.array(["A", "B B"], object)
    truth = np.array(["A", "A A"], object)
    TASK.draw(tmp_path / TASK.drawing, measure(found, truth, LABELS), found, truth, "title", pytest.fail)
    assert (tmp_path / TASK.drawing).stat().st_size > 1000


def test_no_network_is_trained_for_it() -> None:
    with pytest.raises(ZooError, match="no network can be trained"):
        TASK.score(np.zeros(1), np.zeros(1))
