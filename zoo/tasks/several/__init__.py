"""Several targets at once: one trunk, and a head for each target.

The network computes one vector, [batch, labels of all targets], and `heads` says which of its elements belong to which
target. The task of a model is composed of the tasks of its parts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.agreement import Yardstick
from zoo.errors import ZooError
from zoo.intervals import percentile_interval, resampled_sums
from zoo.schema import record
from zoo.signature import Tensor
from zoo.task import Answer, Score, Task, Verdict
from zoo.tasks.several.heads import Head, heads
from zoo.text import printable

if TYPE_CHECKING:
    from zoo.description import Model, Part, Scale

KIND = "several"


@record
class Evaluation:
    """The mean score of all targets, and the figures of each target by its name."""

    score: Score
    targets: dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """The answer for each target of an example, by the target's name."""

    answers: dict[str, Answer]

    def lines(self) -> list[str]:
        """Return the lines of each target, after its name."""
        return [
            line
            for name, answer in self.answers.items()
            for line in (f"  {printable(name)}", *(f"  {text}" for text in answer.lines()))
        ]

    def plain(self) -> dict[str, Any]:
        """Return the answer for each target, for JSON."""
        return {"targets": {name: answer.plain() for name, answer in self.answers.items()}}

    def cells(self) -> dict[str, Any]:
        """Return the cells of all targets; a column's name begins with its target's, and a number makes it unique."""
        cells: dict[str, Any] = {}
        for name, answer in self.answers.items():
            for cell, value in answer.cells().items():
                title = unique = name if cell == name else f"{name} {cell}"
                number = 2
                while unique in cells:
                    unique, number = f"{title} ({number})", number + 1
                cells[unique] = value
        return cells


@dataclass(frozen=True)
class Together:
    """The functions of a task with several targets, each composed of the functions of the targets' own tasks."""

    heads: tuple[Head, ...]

    def tensors(self, labels: int) -> dict[str, Tensor]:
        """Return the outputs of all targets; those of a task are named `TARGET_OUTPUT`."""
        outputs: dict[str, Tensor] = {}
        for head in self.heads:
            outputs |= head.named(head.task.tensors(len(head.part.labels)))
        return outputs

    def primary(self, outputs: Mapping[str, np.ndarray], model: Model) -> np.ndarray:
        """Return the primary outputs of all targets side by side, float32 [batch, labels].

        Values are divided by their usual size, so that float32 holds values of all sizes side by side.
        """
        head_outputs = [
            head.task.primary(head.own_outputs(outputs), head.model(model)) / head.sizes for head in self.heads
        ]
        return np.concatenate(head_outputs, -1, dtype=np.float32)

    def by_head(self, primary: np.ndarray) -> list[tuple[Head, np.ndarray]]:
        """Split primary outputs side by side into the primary output of each head."""
        return [(head, (primary[:, head.elements] * head.sizes).astype(np.float32)) for head in self.heads]

    def by_target(self, primary: np.ndarray) -> list[np.ndarray]:
        """Split primary outputs side by side into the primary output of each target."""
        return [output for _, output in self.by_head(primary)]

    def yardstick(self, expected: np.ndarray, model: Model) -> Yardstick:
        """Return the yardsticks of all targets side by side."""
        units, roundings = [], []
        for head, output in self.by_head(expected):
            yardstick = head.task.yardstick(output, head.model(model))
            units.append(yardstick.unit / head.sizes)
            roundings.append(yardstick.rounding / head.sizes)
        return Yardstick(np.concatenate(units), np.concatenate(roundings))

    def agreement(self, primary: np.ndarray, expected: np.ndarray, tolerance: float, model: Model) -> Verdict:
        """Compare the primary outputs of each target with the expected ones."""
        if primary.shape != expected.shape:
            return False, {"shape": list(primary.shape), "expected_shape": list(expected.shape)}
        pairs = zip(self.by_head(primary), self.by_head(expected), strict=True)
        verdicts = {
            head.part.name: head.task.agreement(output, expected_output, tolerance, head.model(model))
            for (head, output), (_, expected_output) in pairs
        }
        return all(passed for passed, _ in verdicts.values()), {
            name: figures for name, (_, figures) in verdicts.items()
        }

    def consistency(self, outputs: Mapping[str, np.ndarray]) -> float:
        """Return the largest contradiction between the outputs of a target."""
        return max(head.task.consistency(head.own_outputs(outputs)) for head in self.heads)

    def metrics(self, sums: Mapping[str, float], count: int) -> dict[str, float]:
        """Return the sum of the targets' losses, the mean of their errors, and the metrics of each.

        The error of classes is the share of wrong answers; the error of a value is its squared error over its variance.
        `weight` is the weight of the target's loss in training, before the current update.
        """
        metrics_by_head = {head: head.task.metrics(head.sums(sums), count) for head in self.heads}
        metrics = {
            "loss": sum(head_metrics["loss"] for head_metrics in metrics_by_head.values()),
            "error": float(np.mean([head.error(head_metrics) for head, head_metrics in metrics_by_head.items()])),
        }
        for head, head_metrics in metrics_by_head.items():
            metrics |= head.named(head_metrics)
            if "weight" in head.sums(sums):
                metrics |= head.named({"weight": head.sums(sums)["weight"] / count})
        return metrics

    def score(self, primary: np.ndarray, targets: np.ndarray) -> Score:
        """Return the mean of the targets' scores with its bootstrap interval, and the score of each."""
        outputs_by_head = self.by_head(primary)
        columns_and_functions = [
            head.task.error_sums(output, head.targets(targets)) for head, output in outputs_by_head
        ]
        columns, functions = zip(*columns_and_functions, strict=True)
        ends = np.cumsum([head_columns.shape[1] for head_columns in columns])
        drawn = np.split(resampled_sums(np.concatenate(columns, 1)), ends[:-1], 1)
        errors = np.mean([function(sums) for function, sums in zip(functions, drawn, strict=True)], 0)
        value = 1 - float(self.errors(primary, targets).mean())
        low, high = percentile_interval(value, 1 - errors[~np.isnan(errors)])
        scores = {head.part.name: head.task.score(output, head.targets(targets)) for head, output in outputs_by_head}
        return Score("mean_score", value, low, high, len(targets), scores)

    def errors(self, primary: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the mean of the targets' errors for each example."""
        head_errors = [head.task.errors(output, head.targets(targets)) for head, output in self.by_head(primary)]
        mean: np.ndarray = np.mean(head_errors, 0)
        return mean

    def right(self, primary: np.ndarray, targets: np.ndarray, model: Model) -> np.ndarray:
        """Return for each example whether the answers for all targets are right."""
        head_right = [
            head.task.right(output, head.targets(targets), head.model(model)) for head, output in self.by_head(primary)
        ]
        all_right: np.ndarray = np.all(head_right, 0)
        return all_right

    def measure(
        self,
        primary: np.ndarray,
        truth: np.ndarray,
        labels: Sequence[str],
        *,
        name: Callable[[int], str] = "example {}".format,
        source: str = "the network",
    ) -> Evaluation:
        """Return the figures of all targets.

        Raises:
            Refused: outputs are not finite.
        """
        evaluations = {
            head.part.name: head.task.measure(output, head.targets(truth), head.part.labels, name=name, source=source)
            for head, output in self.by_head(primary)
        }
        return Evaluation(self.score(primary, truth), evaluations)

    def summary(self, result: Evaluation) -> str:
        """Return the mean score, and the text of each target after its name."""
        score = result.score
        first = f"mean score {score.value:.4f} (95 % interval {score.low:.4f} to {score.high:.4f})"
        paragraphs = [
            f"{printable(head.part.name)}: {head.task.summary(result.targets[head.part.name])}" for head in self.heads
        ]
        return "\n\n".join([first, *paragraphs])

    def draw(
        self,
        path: Path,
        result: Evaluation,
        primary: np.ndarray,
        targets: np.ndarray,
        title: str,
        say: Callable[[str], None],
    ) -> None:
        """Draw the figures of each target, into files of the folder `path`."""
        path.mkdir()
        for head, output in self.by_head(primary):
            arguments = result.targets[head.part.name], output, head.targets(targets)
            head.task.draw(path / f"{head.word}-{head.task.drawing}", *arguments, f"{title}: {head.part.name}", say)

    def answer(self, outputs: Mapping[str, np.ndarray], model: Model, top: int) -> Answers:
        """Return the answer for each target of an example."""
        return Answers(
            {head.part.name: head.task.answer(head.own_outputs(outputs), head.model(model), top) for head in self.heads}
        )


def in_training(network: Any, model: Model) -> Any:
    """Return a network that learns the weights of the targets' losses, and also returns them."""
    from zoo.tasks.several.layers import with_uncertainty

    return with_uncertainty(network, len(model.parts))


def composed(model: Model) -> Task:
    """Return the task of a model with several targets.

    Raises:
        ZooError: a target has a task that cannot be one of several.
    """
    return _composed(model.parts, model.scales)


@functools.lru_cache(64)
def _composed(parts: tuple[Part, ...], scales: tuple[Scale, ...]) -> Task:
    together = Together(heads(parts, scales))
    outputs: dict[str, Tensor] = {} if not parts else together.tensors(0)
    probabilities: dict[str, str] = {}
    titles = {"loss": "sum of the losses", "error": "mean error"}
    for head in together.heads:
        if head.task.composed or not head.task.titles:
            raise ZooError(f"{head.part.task} cannot be one of several targets: leave '{head.part.name}' out")
        pairs = head.task.probabilities.items()
        probabilities |= {head.output(name): head.output(logits) for name, logits in pairs}
        titles |= head.named({head.task.best: f"{head.part.name}: {head.task.titles[head.task.best]}"})
    return Task(
        kind=KIND,
        title="several targets",
        outputs=tuple(outputs),
        tensors=together.tensors,
        graph_module=f"{__name__}.graph",
        primary=together.primary,
        by_target=together.by_target,
        yardstick=together.yardstick,
        agreement=together.agreement,
        consistency=together.consistency,
        measure=together.measure,
        libraries=tuple(dict.fromkeys(name for head in together.heads for name in head.task.libraries)),
        summary=together.summary,
        drawing="drawings",
        draw=together.draw,
        answer=together.answer,
        metrics=together.metrics,
        best="error",
        titles=titles,
        score=together.score,
        right=together.right,
        errors=together.errors,
        probabilities=probabilities,
        trained=in_training,
        composed=composed,
    )


TASK = _composed((), ())
