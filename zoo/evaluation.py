"""How good a network's answers are: figures with intervals, and an image of what it confuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import drawing
from zoo.finite import finite, refuse_unanswered
from zoo.intervals import wilson
from zoo.schema import record


@record
class ClassFigures:
    """How one class fares; `images` is how many there are of it."""

    label: str
    precision: float
    recall: float
    f1: float
    images: int


@record
class Evaluation:
    """Top-1 accuracy with its 95 % Wilson interval, top-5 where there are more classes than that, and figures by class.

    `confusion[i][j]` counts images of class i that were taken for class j.
    """

    images: int
    correct: int
    accuracy: float
    low: float
    high: float
    top5: float | None
    macro_precision: float
    macro_recall: float
    macro_f1: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]


def evaluate(
    logits: np.ndarray,
    truth: np.ndarray,
    labels: Sequence[str],
    *,
    name: Callable[[int], str] = "image {}".format,
    source: str = "the network",
) -> Evaluation:
    """Precision and recall of answers against the truth, and what is confused.

    Takes float32 logits [n, classes] and int64 classes [n]. The figures are of the classes that occur, as truth or as
    answer; the macro averages of those that there are images of. The precision of a class that is never answered
    is 0. `name` and `source` say in an error which images and what answered them.

    Raises:
        Refused: logits are not finite; the images are counted, and the first named.
    """
    refuse_unanswered(finite(logits), name, source)
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    answers = logits.argmax(-1)
    every = np.union1d(truth, answers)
    correct = int((answers == truth).sum())
    low, high = wilson(correct, len(truth))
    precision, recall, f1, support = precision_recall_fscore_support(truth, answers, labels=every, zero_division=0)
    top5 = None
    if len(labels) > 5:
        best = np.argpartition(-logits, 5, axis=-1)[:, :5]
        top5 = float((best == truth[:, None]).any(-1).mean())
    rows = zip((labels[index] for index in every), precision, recall, f1, support, strict=True)
    asked = support > 0
    return Evaluation(
        images=len(truth),
        correct=correct,
        accuracy=correct / len(truth),
        low=low,
        high=high,
        top5=top5,
        macro_precision=float(precision[asked].mean()),
        macro_recall=float(recall[asked].mean()),
        macro_f1=float(f1[asked].mean()),
        classes=tuple(ClassFigures(label, float(p), float(r), float(f), int(n)) for label, p, r, f, n in rows),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion_matrix(truth, answers, labels=every)),
    )


def draw_confusion(path: Path, evaluation: Evaluation, title: str, say: Callable[[str], None]) -> None:
    """The confusion matrix as PNG: a row a true label, a column a predicted one, shades the share of each row.

    `say` is told where it cannot be drawn.
    """
    counts = np.asarray(evaluation.confusion)
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    names = [drawing.short(figures.label) for figures in evaluation.classes]
    side = min(30.0, 2.5 + 0.42 * len(names))

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        shade = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        figure.colorbar(shade, ax=axes, label="share of the true label")
        axes.set(xlabel="predicted label", ylabel="true label", title=drawing.short(title))
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        if len(names) <= 30:
            for (row, column), count in np.ndenumerate(counts):
                if count:
                    axes.text(
                        column, row, str(count), ha="center", va="center", fontsize=7,
                        color="white" if shares[row, column] > 0.5 else "black",
                    )  # fmt: skip

    drawing.draw(path, paint, inches=(side + 0.8, side), dpi=110, say=say)
