"""Figures of transcripts against what was said: word and character error rates, with bootstrap intervals."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import drawing
from zoo.finite import refuse_not_finite
from zoo.intervals import percentile_interval, resampled_sums
from zoo.schema import record
from zoo.text import Say


@record
class Transcribed:
    """An example by its name: what was said, its transcript, and the number of wrong words."""

    name: str
    said: str
    transcript: str
    wrong_words: int


@record
class Evaluation:
    """The error rates of all transcripts together, named as jiwer names them.

    `wer` is the number of words to substitute, leave out or add so that a transcript becomes what was said, over the
    words that were said; `low` and `high` are its 95 % interval. It is above 1 where transcripts have many extra words.
    `cer` is the same for characters. `exact` counts the transcripts without an error.
    """

    examples: int
    words: int
    characters: int
    wer: float
    low: float
    high: float
    cer: float
    cer_low: float
    cer_high: float
    exact: int
    transcripts: tuple[Transcribed, ...]


def measure(
    transcripts: np.ndarray,
    truth: np.ndarray,
    labels: Sequence[str],
    *,
    name: Callable[[int], str] = "example {}".format,
    source: str = "the network",
) -> Evaluation:
    """Compare transcripts with what was said.

    Args:
        transcripts: object [examples]: texts, None where the logits are not finite.
        truth: object [examples]: texts with at least one word each.
        labels: the symbols that the model writes; what was said is compared in their case, see `in_case_of`.
        name: returns the name of an example for an error message.
        source: the origin of the transcripts, for an error message.

    Raises:
        Refused: logits are not finite; the message counts the examples and names the first.
    """
    refuse_not_finite(np.array([text is not None for text in transcripts], bool), name, source)
    said = [in_case_of(labels, text) for text in truth]
    # Composed and decomposed characters, such as those of Bengali, are the same text.
    composed = [unicodedata.normalize("NFC", text) for text in transcripts]
    words = _counts([text.split() for text in composed], [text.split() for text in said])
    characters = _counts(composed, said)
    (wer, low, high), (cer, cer_low, cer_high) = error_rate(*words), error_rate(*characters)
    return Evaluation(
        examples=len(said),
        words=int(words[1].sum()),
        characters=int(characters[1].sum()),
        wer=wer,
        low=low,
        high=high,
        cer=cer,
        cer_low=cer_low,
        cer_high=cer_high,
        exact=int((words[0] == 0).sum()),
        transcripts=tuple(
            Transcribed(name(index), *texts, int(words[0][index]))
            for index, texts in enumerate(zip(said, composed, strict=True))
        ),
    )


def in_case_of(labels: Sequence[str], text: str) -> str:
    """Return a text as a network with these symbols could write it, with one space between words.

    Its letters are in upper case where the symbols have no lower case, and the reverse. Punctuation stays.
    """
    letters = [letter for label in labels if len(letter := unicodedata.normalize("NFC", label)) == 1]
    if not any(letter.islower() for letter in letters):
        text = text.upper()
    elif not any(letter.isupper() for letter in letters):
        text = text.lower()
    return " ".join(unicodedata.normalize("NFC", text).split())


def distance(hypothesis: Sequence[Hashable], reference: Sequence[Hashable]) -> int:
    """Return the fewest parts to substitute, leave out or add so that one sequence becomes the other (Levenshtein)."""
    numbers = {part: number for number, part in enumerate({*hypothesis, *reference})}
    reference_numbers = np.array([numbers[part] for part in reference], np.int64)
    steps = np.arange(len(reference_numbers) + 1)
    row = steps
    for part in hypothesis:
        substituted = row[:-1] + (reference_numbers != numbers[part])
        row = np.concatenate([row[:1] + 1, np.minimum(row[1:] + 1, substituted)])
        # Insertions, one for each step to a later part.
        row = np.minimum.accumulate(row - steps) + steps
    return int(row[-1])


def error_rate(errors: np.ndarray, parts: np.ndarray) -> tuple[float, float, float]:
    """Return the error rate, errors over parts of all examples, and the ends of its 95 % bootstrap interval."""
    value = float(errors.sum() / parts.sum())
    drawn_errors, drawn_parts = resampled_sums(np.stack([errors, parts], 1)).T
    return (value, *percentile_interval(value, drawn_errors / drawn_parts))


def _counts(transcripts: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors and the parts of each example, int64 [examples]."""
    errors = [distance(transcript, said_text) for transcript, said_text in zip(transcripts, said, strict=True)]
    return np.array(errors, np.int64), np.array([len(text) for text in said], np.int64)


def draw_errors(path: Path, evaluation: Evaluation, title: str, say: Say) -> None:
    """Draw a histogram of the shares of wrong words of all transcripts; `say` is called if that fails."""
    shares = [min(1.0, example.wrong_words / len(example.said.split())) for example in evaluation.transcripts]

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.hist(shares, bins=np.linspace(0, 1, 21))
        axes.set(xlabel="wrong words over words said (1: all or more)", ylabel="examples", title=drawing.short(title))

    drawing.draw(path, paint, inches=(6.0, 4.2), dpi=110, say=say)
