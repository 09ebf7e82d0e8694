"""The task of classification: a logit and a probability for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.agreement import of_largest, same_likeliest, softmax
from zoo.contract import BATCH, CLASS_COUNT, LOGITS, PROBABILITIES
from zoo.intervals import wilson
from zoo.signature import Tensor
from zoo.task import ErrorOfSums, Score, Task
from zoo.tasks.classes.figures import LIBRARIES, Evaluation, draw_confusion, measure
from zoo.text import columns, printable

if TYPE_CHECKING:
    from zoo.description import Model


@dataclass(frozen=True)
class Likeliest:
    """The likeliest labels of an example with their probabilities, in falling order."""

    labels: list[tuple[str, float]]

    def lines(self) -> list[str]:
        """Return a line for each label."""
        return [f"  {100 * probability:6.2f} %  {printable(label)}" for label, probability in self.labels]

    def plain(self) -> dict[str, Any]:
        """Return the labels and probabilities for JSON."""
        return {"labels": [{"label": label, "probability": probability} for label, probability in self.labels]}

    def cells(self) -> dict[str, Any]:
        """Return `label` and `probability`, then `label_2`, `probability_2` and so on."""
        cells: dict[str, Any] = {}
        for rank, (label, probability) in enumerate(self.labels, start=1):
            suffix = f"_{rank}" if rank > 1 else ""
            cells |= {f"label{suffix}": label, f"probability{suffix}": probability}
        return cells


def tensors(labels: int) -> dict[str, Tensor]:
    """Return the logits and the probabilities of the classes."""
    return {name: Tensor("float32", (BATCH, labels or CLASS_COUNT)) for name in (LOGITS, PROBABILITIES)}


def metrics(sums: Mapping[str, float], count: int) -> dict[str, float]:
    """Return the mean loss and the accuracy."""
    return {"loss": sums["loss"] / count, "accuracy": sums["hits"] / count}


def score(logits: np.ndarray, targets: np.ndarray) -> Score:
    """Return the top-1 accuracy with its Wilson interval."""
    correct = int((logits.argmax(-1) == targets).sum())
    low, high = wilson(correct, len(targets))
    return Score("accuracy", correct / len(targets), low, high, len(targets))


def errors(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return 1 for each example with a wrong answer, and 0 for each other example."""
    wrong: np.ndarray = (logits.argmax(-1) != targets).astype(np.float64)
    return wrong


def error_sums(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, ErrorOfSums]:
    """Return the errors as a column, and the share of wrong answers in a draw."""
    return errors(logits, targets)[:, None], lambda sums: sums[:, 0] / len(targets)


def right(logits: np.ndarray, targets: np.ndarray, model: Model) -> np.ndarray:
    """Return for each example whether its largest logit is that of its class."""
    is_right: np.ndarray = logits.argmax(-1) == targets
    return is_right


def consistency(outputs: Mapping[str, np.ndarray]) -> float:
    """Return the largest difference of a probability from the softmax of its logits, or of a sum of them from 1."""
    probabilities = outputs[PROBABILITIES]
    if not probabilities.size:
        return 0.0
    from_logits = float(np.abs(softmax(outputs[LOGITS]) - probabilities).max())
    return max(from_logits, float(np.abs(probabilities.sum(-1) - 1).max()))


def balanced(targets: np.ndarray, labels: int) -> np.ndarray:
    """Return the weight of each class, examples / (classes · examples of the class), as scikit-learn's `balanced`.

    A class without examples has weight 1.
    """
    counts = np.bincount(targets, minlength=labels)
    return np.where(counts > 0, len(targets) / (labels * np.maximum(1, counts)), 1).astype(np.float32)


def answer(outputs: Mapping[str, np.ndarray], model: Model, top: int) -> Likeliest:
    """Return the `top` likeliest labels of one example."""
    probabilities = outputs[PROBABILITIES]
    order = np.argsort(-probabilities, kind="stable")[:top]
    return Likeliest([(model.labels[index], float(probabilities[index])) for index in order])


def summary(result: Evaluation) -> str:
    """Return the figures of all examples, then a row for each class."""
    optional_figures = "".join(
        f"  {name} {value:.4f}"
        for name, value in (("top-5", result.top5), ("log loss", result.log_loss), ("AUC", result.roc_auc))
        if value is not None
    )
    first = (
        f"accuracy {result.accuracy:.4f} (95 % interval {result.low:.4f} to {result.high:.4f}, "
        f"{result.correct} of {result.examples} examples){optional_figures}\n"
    )
    rows = [(printable(one.label), one.precision, one.recall, one.f1, one.examples) for one in result.classes]
    rows.append(("macro average", result.macro_precision, result.macro_recall, result.macro_f1, result.examples))
    cells = [(label, *(f"{share:.4f}" for share in shares), str(count)) for label, *shares, count in rows]
    return "\n".join([first, *columns((("class", "precision", "recall", "f1", "examples"), *cells), left=1)])


def draw(
    path: Path, result: Evaluation, logits: np.ndarray, targets: np.ndarray, title: str, say: Callable[[str], None]
) -> None:
    """Draw the confusion matrix."""
    draw_confusion(path, result, title, say)


TASK = Task(
    kind="classes",
    outputs=(LOGITS, PROBABILITIES),
    tensors=tensors,
    graph_module=f"{__name__}.graph",
    metrics=metrics,
    best="accuracy",
    higher_is_better=True,
    titles={"loss": "cross-entropy", "accuracy": "accuracy"},
    score=score,
    right=right,
    errors=errors,
    error_sums=error_sums,
    yardstick=of_largest,
    agreement=same_likeliest,
    consistency=consistency,
    measure=measure,
    libraries=LIBRARIES,
    summary=summary,
    drawing="confusion.png",
    draw=draw,
    answer=answer,
    probabilities={PROBABILITIES: LOGITS},
    fewest_labels=2,
    shares=True,
    balanced=balanced,
    distillations={"soft": True, "hard": False},
)
