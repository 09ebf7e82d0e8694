"""Several targets at once: one trunk, and a head for each target.

The network computes one vector, [batch, labels of all targets], and `heads` says which places belong to which target.
The task of a model is composed of the tasks of its parts.
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
            for line in (f"  {printable(name)}", *(f"  {one}" for one in answer.lines()))
        ]

    def plain(self) -> dict[str, Any]:
        """Return the answer for each target, for JSON."""
        return {"targets": {name: answer.plain() for name, answer in self.answers.items()}}

    def cells(self) -> dict[str, Any]:
        """Return the cells of each target, whose columns begin with its name; a number tells equal columns apart."""
        found: dict[str, Any] = {}
        for name, answer in self.answers.items():
            for cell, value in answer.cells().items():
                title = unique = name if cell == name else f"{name} {cell}"
                number = 2
                while unique in found:
                    unique, number = f"{title} ({number})", number + 1
                found[unique] = value
        return found


@dataclass(frozen=True)
class Together:
    """The functions of a task with several targets, each composed of the functions of the targets' own tasks."""

    heads: tuple[Head, ...]

    def tensors(self, labels: int) -> dict[str, Tensor]:
        """Return the outputs of all targets; those of a task are named `TARGET_OUTPUT`."""
        found: dict[str, Tensor] = {}
        for head in self.heads:
            found |= head.named(head.task.tensors(len(head.part.labels)))
        return found

    def primary(self, outputs: Mapping[str, np.ndarray], model: Model) -> np.ndarray:
        """Return the primary outputs of all targets side by side, float32 [batch, labels].

        Values are divided by their usual size, so that float32 holds values of all sizes side by side.
        """
        each = [head.task.primary(head.own(outputs), head.model(model)) / head.sizes for head in self.heads]
        return np.concatenate(each, -1, dtype=np.float32)

    def by_head(self, found: np.ndarray) -> list[tuple[Head, np.ndarray]]:
        """Return each target's own primary output, from those side by side."""
        return [(head, (found[:, head.places] * head.sizes).astype(np.float32)) for head in self.heads]

    def by_target(self, found: np.ndarray) -> list[np.ndarray]:
        """Return each target's own primary output, without its head."""
        return [own for _, own in self.by_head(found)]

    def yardstick(self, expected: np.ndarray, model: Model) -> Yardstick:
        """Return the yardsticks of all targets side by side."""
        units, roundings = [], []
        for head, own in self.by_head(expected):
            one = head.task.yardstick(own, head.model(model))
            units.append(one.unit / head.sizes)
            roundings.append(one.rounding / head.sizes)
        return Yardstick(np.concatenate(units), np.concatenate(roundings))

    def agreement(self, found: np.ndarray, expected: np.ndarray, tolerance: float, model: Model) -> Verdict:
        """Compare the primary outputs of each target with the expected ones."""
        if found.shape != expected.shape:
            return False, {"shape": list(found.shape), "expected_shape": list(expected.shape)}
        pairs = zip(self.by_head(found), self.by_head(expected), strict=True)
        each = {
            head.part.name: head.task.agreement(own, wanted, tolerance, head.model(model))
            for (head, own), (_, wanted) in pairs
        }
        return all(passed for passed, _ in each.values()), {name: figures for name, (_, figures) in each.items()}

    def consistency(self, outputs: Mapping[str, np.ndarray]) -> float:
        """Return the largest contradiction between the outputs of a target."""
        return max(head.task.consistency(head.own(outputs)) for head in self.heads)

    def metrics(self, sums: Mapping[str, float], count: int) -> dict[str, float]:
        """Return the sum of the targets' losses, the mean of their errors, and the metrics of each.

        The error of classes is the share of wrong answers; the error of a value is its squared error over its variance.
        `weight` is the weight of the target's loss in training, before the current update.
        """
        each = {head: head.task.metrics(head.sums(sums), count) for head in self.heads}
        found = {
            "loss": sum(own["loss"] for own in each.values()),
            "error": float(np.mean([head.error(own) for head, own in each.items()])),
        }
        for head, own in each.items():
            found |= head.named(own)
            if "weight" in head.sums(sums):
                found |= head.named({"weight": head.sums(sums)["weight"] / count})
        return found

    def score(self, found: np.ndarray, targets: np.ndarray) -> Score:
        """Return the mean of the targets' scores with its bootstrap interval, and the score of each."""
        each = self.by_head(found)
        summed = [head.task.error_sums(own, head.targets(targets)) for head, own in each]
        columns, of_sums = zip(*summed, strict=True)
        ends = np.cumsum([one.shape[1] for one in columns])
        drawn = np.split(resampled_sums(np.concatenate(columns, 1)), ends[:-1], 1)
        errors = np.mean([of_sum(sums) for of_sum, sums in zip(of_sums, drawn, strict=True)], 0)
        value = 1 - float(self.errors(found, targets).mean())
        low, high = percentile_interval(value, 1 - errors[~np.isnan(errors)])
        scores = {head.part.name: head.task.score(own, head.targets(targets)) for head, own in each}
        return Score("mean_score", value, low, high, len(targets), scores)

    def errors(self, found: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the mean of the targets' errors for each example."""
        each = [head.task.errors(own, head.targets(targets)) for head, own in self.by_head(found)]
        mean: np.ndarray = np.mean(each, 0)
        return mean

    def right(self, found: np.ndarray, targets: np.ndarray, model: Model) -> np.ndarray:
        """Return for each example whether the answers for all targets are right."""
        each = [head.task.right(own, head.targets(targets), head.model(model)) for head, own in self.by_head(found)]
        all_of_them: np.ndarray = np.all(each, 0)
        return all_of_them

    def measure(
        self,
        found: np.ndarray,
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
        each = {
            head.part.name: head.task.measure(own, head.targets(truth), head.part.labels, name=name, source=source)
            for head, own in self.by_head(found)
        }
        return Evaluation(self.score(found, truth), each)

    def summary(self, result: Evaluation) -> str:
        """Return the mean score, and the text of each target after its name."""
        score = result.score
        first = f"mean score {score.value:.4f} (95 % interval {score.low:.4f} to {score.high:.4f})"
        each = [
            f"{printable(head.part.name)}: {head.task.summary(result.targets[head.part.name])}" for head in self.heads
        ]
        return "\n\n".join([first, *each])

    def draw(
        self,
        path: Path,
        result: Evaluation,
        found: np.ndarray,
        targets: np.ndarray,
        title: str,
        say: Callable[[str], None],
    ) -> None:
        """Draw the figures of each target, into files of the folder `path`."""
        path.mkdir()
        for head, own in self.by_head(found):
            of_target = result.targets[head.part.name], own, head.targets(targets)
            head.task.draw(path / f"{head.word}-{head.task.drawing}", *of_target, f"{title}: {head.part.name}", say)

    def answer(self, outputs: Mapping[str, np.ndarray], model: Model, top: int) -> Answers:
        """Return the answer for each target of an example."""
        return Answers(
            {head.part.name: head.task.answer(head.own(outputs), head.model(model), top) for head in self.heads}
        )


def in_training(network: Any, model: Model) -> Any:
    """Return a network that also gives the weights of the targets' losses, which it learns."""
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
    it = Together(heads(parts, scales))
    outputs: dict[str, Tensor] = {} if not parts else it.tensors(0)
    probabilities: dict[str, str] = {}
    titles = {"loss": "sum of the losses", "error": "mean error"}
    for head in it.heads:
        if head.task.composed or not head.task.titles:
            raise ZooError(f"{head.part.task} cannot be one of several targets: leave '{head.part.name}' out")
        pairs = head.task.probabilities.items()
        probabilities |= {head.output(name): head.output(logits) for name, logits in pairs}
        titles |= head.named({head.task.best: f"{head.part.name}: {head.task.titles[head.task.best]}"})
    return Task(
        kind=KIND,
        title="several targets",
        outputs=tuple(outputs),
        tensors=it.tensors,
        graph_module=f"{__name__}.graph",
        primary=it.primary,
        by_target=it.by_target,
        yardstick=it.yardstick,
        agreement=it.agreement,
        consistency=it.consistency,
        measure=it.measure,
        libraries=tuple(dict.fromkeys(name for head in it.heads for name in head.task.libraries)),
        summary=it.summary,
        drawing="drawings",
        draw=it.draw,
        answer=it.answer,
        metrics=it.metrics,
        best="error",
        titles=titles,
        score=it.score,
        right=it.right,
        errors=it.errors,
        probabilities=probabilities,
        trained=in_training,
        composed=composed,
    )


TASK = _composed((), ())
