"""Figures of a network's logits: accuracy, precision, recall, log loss and AUC, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import drawing
from zoo.agreement import softmax
from zoo.finite import finite, refuse_not_finite
from zoo.intervals import wilson
from zoo.schema import record
from zoo.text import Say

LIBRARIES = ("sklearn.metrics",)
"""The modules that `measure` imports."""


@record
class ClassFigures:
    """Precision, recall and F1 of one class, and the number of its examples."""

    label: str
    precision: float
    recall: float
    f1: float
    examples: int


@record
class Evaluation:
    """Top-1 accuracy with its 95 % Wilson interval, `low` to `high`, and the figures of each class.

    `top5` is None where there are at most five classes. `roc_auc` is the area under the ROC curve, of several classes
    the mean over one class against the rest; None unless every class has examples. `confusion[i][j]` counts the
    examples of class i that were labeled as class j; i and j are indices in `classes`. Names are scikit-learn's.
    """

    examples: int
    correct: int
    accuracy: float
    low: float
    high: float
    top5: float | None
    log_loss: float
    roc_auc: float | None
    macro_precision: float
    macro_recall: float
    macro_f1: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]


def measure(
    logits: np.ndarray,
    truth: np.ndarray,
    labels: Sequence[str],
    *,
    name: Callable[[int], str] = "example {}".format,
    source: str = "the network",
) -> Evaluation:
    """Compare predictions with the true classes.

    The result has figures for each class that occurs among `truth` or the predictions; macro averages are over the
    classes that have examples. A class that is never predicted has precision 0.

    Args:
        logits: float32 [examples, classes].
        truth: int64 [examples], the true classes.
        labels: the names of all classes.
        name: returns the name of an example for an error message.
        source: the origin of the logits, for an error message.

    Raises:
        Refused: logits are not finite; the message counts the examples and names the first.
    """
    refuse_not_finite(finite(logits), name, source)
    from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support, roc_auc_score

    predicted = logits.argmax(-1)
    occurring = np.union1d(truth, predicted)
    correct = int((predicted == truth).sum())
    low, high = wilson(correct, len(truth))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=occurring, zero_division=0
    )
    top5 = None
    if len(labels) > 5:
        best = np.argpartition(-logits, 5, axis=-1)[:, :5]
        top5 = float((best == truth[:, None]).any(-1).mean())
    probabilities = softmax(logits.astype(np.float64))
    auc = None
    if len(np.unique(truth)) == len(labels):
        auc = float(
            roc_auc_score(truth, probabilities[:, 1])
            if len(labels) == 2
            else roc_auc_score(truth, probabilities, multi_class="ovr")
        )
    rows = zip((labels[index] for index in occurring), precision, recall, f1, support, strict=True)
    has_examples = support > 0
    return Evaluation(
        examples=len(truth),
        correct=correct,
        accuracy=correct / len(truth),
        low=low,
        high=high,
        top5=top5,
        log_loss=float(log_loss(truth, probabilities, labels=range(len(labels)))),
        roc_auc=auc,
        macro_precision=float(precision[has_examples].mean()),
        macro_recall=float(recall[has_examples].mean()),
        macro_f1=float(f1[has_examples].mean()),
        classes=tuple(ClassFigures(label, float(p), float(r), float(f), int(n)) for label, p, r, f, n in rows),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion_matrix(truth, predicted, labels=occurring)),
    )


def draw_confusion(path: Path, evaluation: Evaluation, title: str, say: Say) -> None:
    """Draw the confusion matrix as PNG: true labels down, predicted labels across, shaded by the share of each row.

    Where that fails, `say` is called and no file is written.
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
