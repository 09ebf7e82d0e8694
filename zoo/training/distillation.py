"""Distillation: a network also learns from the answers of another one, its teacher.

The teacher answers once, before the training, for every training example without augmentation. The run keeps the
answers with its checkpoints, so that it can be resumed without the teacher; the other workers get them from the chief.
Source: Hinton et al., Distilling the knowledge in a neural network, 2015 (arXiv:1503.02531).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np

from zoo import run, weights_file
from zoo.errors import ZooError
from zoo.recipe import Distill, Recipe
from zoo.training import mixing
from zoo.training.chief_state import weights_of_chief
from zoo.training.team import Team

ANSWERS = "answers"
"""The name of the array in the file."""

HEADER = 2**16
"""The most bytes of such a file in addition to its array."""

AT_ONCE = 2**26
"""The most bytes of answers that workers get from the chief in one message."""


def with_teacher(recipe: Recipe, named: Set[str], teacher: Path | None, unlabeled: str | None = None) -> Recipe:
    """Check that a recipe fits a training with or without a teacher, and return it; with one, `soft` is the default.

    `named` are the keys of the recipe that the request changes.

    Raises:
        ZooError: the recipe needs a teacher and there is none, or uses examples for which a teacher has no answers.
    """
    if teacher is None:
        if recipe.distill != Distill():
            raise ZooError(
                "--distill and distill.… are for learning from a teacher: leave them out, or name one with --teacher"
            )
        return recipe
    if unlabeled is not None:
        raise ZooError("--teacher and --unlabeled are two ways to learn from more than labels: leave one of them out")
    mixed = mixing.asked(recipe)
    if mixed:
        raise ZooError(
            f"{mixed[0]} trains on mixed examples, for which a teacher has no answers: --set {mixed[0]}=0, or leave "
            "--teacher out"
        )
    if recipe.distill.kind != "none":
        return recipe
    if "distill.kind" in named:
        raise ZooError("distill.kind=none learns from no teacher: leave it out, or --teacher")
    return dataclasses.replace(recipe, distill=dataclasses.replace(recipe.distill, kind="soft"))


def save(folder: Path, answers: np.ndarray) -> None:
    """Keep a teacher's answers, float32 [examples, labels], in the folder of a run, whole or not at all."""
    weights_file.save(folder / run.TEACHER, {ANSWERS: answers})


def read(folder: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return the answers that `save` kept.

    Raises:
        ZooError: the answers are missing, damaged, or of another shape.
    """
    path = folder / run.TEACHER
    expected = np.dtype(np.float32).itemsize * shape[0] * shape[1]
    if path.is_file() and path.stat().st_size > expected + HEADER:
        raise ZooError(f"{path} is larger than the answers for {shape[0]} examples: restore it, or train again")
    answers = weights_file.read(path)[0].get(ANSWERS)
    if answers is None or answers.shape != shape or answers.dtype != np.float32:
        raise ZooError(f"{path} does not hold the answers for {shape[0]} examples: restore it, or train again")
    return answers


def columns(folder: Path, this: run.Run, examples: int, team: Team, strategy: Any) -> tuple[np.ndarray, ...]:
    """Return the columns of a run's batches in addition to its targets: a teacher's answers, if it has a teacher.

    Raises:
        ZooError: the answers are missing or damaged.
    """
    if this.teacher is None:
        return ()
    shape = (examples, len(this.model.labels))
    answers = read(folder, shape) if team.chief else np.zeros(shape, np.float32)
    if team.count == 1:
        return (answers,)
    return (np.concatenate([_of_chief(part, team, strategy) for part in _parts(answers)]),)


def _parts(answers: np.ndarray) -> list[np.ndarray]:
    """Divide rows so that a part is small enough for one message."""
    rows = max(1, AT_ONCE // answers[0].nbytes)
    return [answers[start : start + rows] for start in range(0, len(answers), rows)]


def _of_chief(part: np.ndarray, team: Team, strategy: Any) -> np.ndarray:
    import tensorflow as tf

    with tf.device("CPU"):
        variable = tf.Variable(part, trainable=False)
    weights_of_chief(team, strategy, {ANSWERS: variable})
    answers: np.ndarray = variable.numpy()
    return answers
