"""Several trainings one after the other in one folder; a repeated call does not repeat those that are finished."""

from __future__ import annotations

import dataclasses
import gc
import inspect
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import recipe as recipes
from zoo import run
from zoo.errors import ZooError, listed
from zoo.family import Family, Size
from zoo.named_recipe import choose
from zoo.recipe import Recipe
from zoo.registry import resolve
from zoo.run import Run
from zoo.text import Progress, Say
from zoo.training.request import Execution
from zoo.verbs.results import RunFolder, settings_of
from zoo.verbs.train import train

HOW = tuple(field.name for field in dataclasses.fields(Execution) if field.name not in ("say", "progress", "team"))
"""The arguments of `zoo.train` that do not change the result; they can also be given when a training is continued."""

OF_ONE_RUN = ("weights", "freeze", "prune", "resume", "out", "size")
"""The arguments that make no sense for several networks, or that the series sets itself."""

SHORTHANDS = ("epochs", "seed", "precision")
"""The arguments that are short for a change of the recipe."""


@dataclasses.dataclass(frozen=True)
class Point:
    """A network of a series: its size, and the factor by which it is wider than usual."""

    size: str
    width: float = 1.0

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.size if self.width == 1 else f"{self.size}-x{self.width:g}"

    @property
    def settings(self) -> list[str]:
        """The changes of the recipe that make it."""
        return [] if self.width == 1 else [f"network.width={self.width!r}"]


def asked(family: str | None, training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given arguments of trainings that decide the result, as plain data for JSON.

    Raises:
        ZooError: no family is named, or an argument makes no sense for several networks.
        TypeError: `zoo.train` has no such argument.
    """
    if family is None:
        raise ZooError("name a family, such as resnet, or a folder to --resume")
    unknown = [name for name in training if name not in inspect.signature(train).parameters]
    if unknown:
        raise TypeError(f"zoo.train has no arguments {', '.join(unknown)}")
    given = {name: value for name, value in training.items() if not (value is None or value is False or value == ())}
    wrong = [name for name in given if name in OF_ONE_RUN]
    if wrong:
        raise ZooError(f"{listed(wrong)} can be used for one size only: name one size, or leave {listed(wrong)} out")
    decided = {name: _plain(value) for name, value in given.items() if name not in HOW}
    return {"family": resolve(family)[0].name, **decided, "set": settings_of(training.get("set", ()), {})}


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)


def check_recipes(request: Mapping[str, Any], points: list[Point]) -> list[tuple[Family, Size, Recipe]]:
    """Return the family, size and recipe of each network of a request that `asked` returned.

    Raises:
        ZooError: a size or a change of the recipe is refused, or a network is named twice.
    """
    names = [point.name for point in points]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ZooError(f"{listed(twice)} is named twice: name each network once")
    short = {name: request.get(name) for name in SHORTHANDS}
    settings, made = settings_of(request["set"], short), []
    for point in points:
        family, size = resolve(request["family"], point.size)
        _, recipe = choose(family, size, request.get("recipe"), from_weights=False)
        made.append((family, size, recipes.override(recipe, [*settings, *point.settings])))
    return made


def trained(
    folder: Path, request: Mapping[str, Any], point: Point, how: Mapping[str, Any], say: Say, progress: Progress
) -> RunFolder:
    """Return a network's run: finished already, continued, or trained.

    Args:
        folder: the run folder.
        request: what `asked` returned.
        point: the network.
        how: the arguments that `HOW` names.
        say: as for `zoo.train`.
        progress: likewise.

    Raises:
        ZooError: the network cannot be trained.
    """
    if (folder / run.DESCRIPTION).is_file():
        this = run.read(folder)
        made = RunFolder(folder, this) if this.finished else train(resume=folder, **how, say=say, progress=progress)
    else:
        # A training that was killed early may have left a folder that cannot be continued.
        shutil.rmtree(folder, ignore_errors=True)
        settings = [*request["set"], *point.settings]
        others = {name: value for name, value in request.items() if name != "set"}
        made = train(size=point.size, set=settings, out=folder, **others, **how, say=say, progress=progress)
    gc.collect()  # the graphs of a trained network contain reference cycles
    return made


def row(point: Point, this: Run) -> dict[str, Any]:
    """Return the figures of a finished run for a table."""
    score = RunFolder(Path(), this).test_score
    return {
        "name": point.name,
        "size": point.size,
        "width": point.width,
        "parameters": this.model.parameters,
        "multiply_adds": this.model.multiply_adds,
        "train_seconds": this.results["train_seconds"],
        "epochs": this.results["epochs"],
        "metric": score.metric,
        "score": score.value,
        "score_low": score.low,
        "score_high": score.high,
        "test_examples": score.examples,
    }
