"""The heads of a network with several targets: the elements of its vector and the outputs that belong to each."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from zoo import task as tasks
from zoo.task import Task

if TYPE_CHECKING:
    from zoo.description import Model, Part, Scale

Value = TypeVar("Value")


@dataclass(frozen=True)
class Head:
    """The head of a target.

    Attributes:
        part: the target.
        word: the beginning of the names of its outputs, made from the name of the target.
        number: its index among the targets.
        start: the index of its first element in the network's vector.
        scales: the scales of its labels.
    """

    part: Part
    word: str
    number: int
    start: int
    scales: tuple[Scale, ...]

    @property
    def task(self) -> Task:
        """The target's own task."""
        return tasks.find(self.part.task)

    @property
    def elements(self) -> slice:
        """The target's elements of the network's vector."""
        return slice(self.start, self.start + len(self.part.labels))

    @property
    def sizes(self) -> np.ndarray:
        """The usual size of each number of the target's primary output, float64 [labels]; 1 for logits."""
        return np.array([abs(scale.mean) + scale.std for scale in self.scales])

    @property
    def is_label(self) -> bool:
        """True of classes, whose target is the index of a label; False of values."""
        return self.task.has_labels

    def output(self, name: str) -> str:
        """Return the name that an output of the target's task has among those of all targets."""
        return f"{self.word}_{name}"

    def named(self, entries: Mapping[str, Value]) -> dict[str, Value]:
        """Rename entries of the target's task to the names that they have among those of all targets."""
        return {self.output(name): value for name, value in entries.items()}

    def own_outputs(self, outputs: Mapping[str, Value]) -> dict[str, Value]:
        """Pick the target's outputs from those of all targets, under the names that they have in its task."""
        return {name: outputs[self.output(name)] for name in self.task.outputs}

    def sums(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Pick the target's sums from those of all targets, under the names that they have in its task."""
        beginning = self.output("")
        return {key.removeprefix(beginning): value for key, value in sums.items() if key.startswith(beginning)}

    def error(self, metrics: Mapping[str, float]) -> float:
        """Return the error according to the metrics of its task: 0 where nothing is wrong."""
        return 1 - metrics[self.task.best] if self.task.higher_is_better else metrics["loss"]

    def targets(self, targets: Any) -> Any:
        """Return the target of each example as its task has them, from float32 [examples, targets]."""
        if not isinstance(targets, np.ndarray):
            return self._of_tensor(targets)
        column = targets[:, self.number]
        return column.astype(np.int64) if self.is_label else column[:, None]

    def _of_tensor(self, targets: Any) -> Any:
        import tensorflow as tf

        column = targets[:, self.number]
        return tf.cast(column, tf.int64) if self.is_label else column[:, None]

    def model(self, model: Model) -> Model:
        """Return the description of a network as if it had this target alone."""
        scales = () if self.is_label else self.scales
        return dataclasses.replace(model, task=self.part.task, labels=self.part.labels, scales=scales, parts=())


@functools.lru_cache(64)
def heads(parts: tuple[Part, ...], scales: tuple[Scale, ...]) -> tuple[Head, ...]:
    """Return the heads of all targets, in their order."""
    target_heads, start = [], 0
    for number, (part, word) in enumerate(zip(parts, words([part.name for part in parts]), strict=True)):
        end = start + len(part.labels)
        target_heads.append(Head(part, word, number, start, scales[start:end]))
        start = end
    return tuple(target_heads)


def words(names: Sequence[str]) -> list[str]:
    """Return a different word for each name: a letter, then letters, digits and underscores.

    No word is `val` or `test`, or begins with `val_` or `test_`: the names of the metrics of these splits do.
    """
    chosen: list[str] = []
    for number, name in enumerate(names, start=1):
        word = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
        if not re.match("[A-Za-z]", word) or word.partition("_")[0] in ("val", "test"):
            word = f"target_{word or number}"
        candidates = [word, *(f"{word}_{count}" for count in range(2, len(names) + 2))]
        chosen.append(next(candidate for candidate in candidates if candidate not in chosen))
    return chosen
