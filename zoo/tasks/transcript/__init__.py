"""The task of transcription: the logits of symbols for every frame, which are read as a text (CTC, see `zoo.ctc`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import ctc
from zoo.agreement import of_largest, same_likeliest
from zoo.contract import BATCH, FRAMES, LOGITS, SYMBOL_COUNT
from zoo.finite import finite
from zoo.signature import Tensor
from zoo.task import Task
from zoo.tasks.transcript.figures import Evaluation, draw_errors, measure
from zoo.text import printable

if TYPE_CHECKING:
    from zoo.description import Model


@dataclass(frozen=True)
class Transcript:
    """The text of an example."""

    text: str

    def lines(self) -> list[str]:
        """Return the text in one line."""
        return [f"  {printable(self.text) or '(no text)'}"]

    def plain(self) -> dict[str, Any]:
        """Return the text for JSON."""
        return {"text": self.text}

    def cells(self) -> dict[str, Any]:
        """Return `text`."""
        return {"text": self.text}


def tensors(labels: int) -> dict[str, Tensor]:
    """Return the logits of all symbols for each frame."""
    return {LOGITS: Tensor("float32", (BATCH, FRAMES, labels or SYMBOL_COUNT))}


def consistency(outputs: Mapping[str, np.ndarray]) -> float:
    """Return 0: there is one output."""
    return 0.0


def text_of(logits: np.ndarray, model: Model) -> str:
    """Return the text of one example's logits [frames, symbols], by greedy decoding."""
    symbols = model.symbols
    assert symbols is not None, "every model of this task has them"
    return ctc.transcript(logits, model.labels, blank=symbols.blank, separator=symbols.separator, silent=symbols.silent)


def measured(logits: np.ndarray, model: Model) -> np.ndarray:
    """Return the texts of a batch, object [batch]; None where logits are not finite."""
    texts = np.empty(len(logits), object)
    for index in np.flatnonzero(finite(logits)):
        texts[index] = text_of(logits[index], model)
    return texts


def answer(outputs: Mapping[str, np.ndarray], model: Model, top: int) -> Transcript:
    """Return the text of one example."""
    return Transcript(text_of(outputs[LOGITS], model))


def summary(result: Evaluation) -> str:
    """Return the error rates."""
    return (
        f"WER {result.wer:.4f} (95 % interval {result.low:.4f} to {result.high:.4f}, {result.words} words)  "
        f"CER {result.cer:.4f} ({result.cer_low:.4f} to {result.cer_high:.4f})\n"
        f"{result.exact} of {result.examples} transcripts without an error"
    )


def draw(
    path: Path, result: Evaluation, transcripts: np.ndarray, truth: np.ndarray, title: str, say: Callable[[str], None]
) -> None:
    """Draw the shares of wrong words."""
    draw_errors(path, result, title, say)


TASK = Task(
    kind="transcript",
    outputs=(LOGITS,),
    tensors=tensors,
    graph_module=f"{__name__}.graph",
    yardstick=of_largest,
    agreement=same_likeliest,
    consistency=consistency,
    measure=measure,
    summary=summary,
    drawing="word_errors.png",
    draw=draw,
    answer=answer,
    measured=measured,
    fewest_labels=2,
)
