"""Tasks that networks are pretrained for, without labels: they have a loss, and no answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from zoo import task as tasks
from zoo.errors import ZooError, did_you_mean
from zoo.task import Task

if TYPE_CHECKING:
    from zoo.description import Model

FEATURES = "features"


def task(
    kind: str,
    graph_module: str,
    pretext_module: str,
    *,
    metrics: Callable[[Mapping[str, float], int], dict[str, float]],
    titles: Mapping[str, str],
) -> Task:
    """Return the record of a task without answers.

    Args:
        kind: its name.
        graph_module: the dotted name of the module with `losses` and `sums` of `zoo.task.Graph`.
        pretext_module: the dotted name of the module with the functions of `zoo.task.Pretext`. A module for one kind of
            input is in the package of that kind.
        metrics: as for `Task`; the best epoch is the one with the least loss.
        titles: as for `Task`.
    """
    return Task(
        kind=kind,
        outputs=(FEATURES,),
        tensors=unanswered,
        graph_module=graph_module,
        pretext_module=pretext_module,
        metrics=metrics,
        titles=titles,
        yardstick=unanswered,
        agreement=unanswered,
        consistency=unanswered,
        measure=unanswered,
        summary=unanswered,
        drawing="",
        draw=unanswered,
        answer=unanswered,
    )


def unanswered(*arguments: Any, **options: Any) -> NoReturn:
    """Refuse to answer.

    Raises:
        ZooError: always.
    """
    raise ZooError("a network that is pretrained has no head: train it with 'zoo train --weights RUN'")


def methods() -> list[str]:
    """Return the names of all tasks that networks are pretrained for."""
    return [name for name, record in tasks.tasks().items() if record.pretext_module]


def refuse_unknown(method: str) -> None:
    """Raise ZooError if there is no such method of pretraining."""
    if method not in methods():
        raise ZooError(f"--method {method:.60}: there is no such method: {did_you_mean(method, methods())}")


def refuse(model: Model, folder: Path) -> None:
    """Raise ZooError if the run at `folder` was pretrained, and therefore gives no answers."""
    if tasks.task_of(model).pretext_module:
        raise ZooError(f"{folder} is pretrained, and has no head: train it with 'zoo train --weights {folder}'")
