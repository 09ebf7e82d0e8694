"""Several trainings one after the other in one folder; a repeated call does not repeat those that are finished."""

from __future__ import annotations

import dataclasses
import gc
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import experiment, run, schema
from zoo.errors import ZooError, listed
from zoo.experiment import Experiment, everywhere, place_of_data
from zoo.experiment import Kind as ExperimentKind
from zoo.folder_lock import locked
from zoo.named_recipe import RecipeFile, read_if_file
from zoo.recipe import WIDTH
from zoo.registry import resolve
from zoo.run import Run
from zoo.tensorflow_setup import import_keras
from zoo.text import Progress, Say
from zoo.training import strategy as strategies
from zoo.training.cluster import Kind
from zoo.training.cluster import find as find_cluster
from zoo.training.request import Execution, TrainingRequest
from zoo.verbs.arguments import (
    StrPath,
    check_data,
    is_given,
    local_path,
    one_text,
    optional_path,
    options,
    refuse_beside_resume,
    settings_of,
    several_callbacks,
)
from zoo.verbs.results import Folder, RunFolder
from zoo.verbs.train import IN_REQUEST, request_of, train
from zoo.whole_numbers import check_whole

if TYPE_CHECKING:
    from zoo.training.decision import Decision

Decided = tuple["TrainingRequest", "Decision"]
"""The request for a training, and the decision about it."""

HOW = tuple(field.name for field in dataclasses.fields(Execution) if field.name not in ("say", "progress", "team"))
"""The arguments of `zoo.train` that do not change the result; they can also be given when a training is continued."""

OF_ONE_RUN = ("weights", "freeze", "prune", "resume", "out", "size")
"""The arguments that make no sense for several networks, or that the series sets itself."""


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
        return [] if self.width == 1 else [f"{WIDTH}={self.width!r}"]


@dataclasses.dataclass(frozen=True)
class SeriesFolder(Folder):
    """A folder with the runs of a series, and its record."""

    record: Experiment
    runs: tuple[RunFolder, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The figures of each run."""
        rows: list[dict[str, Any]] = self.record.results["runs"]
        return rows


def asked(family: str | None, training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given arguments of trainings that decide the result, as plain data for JSON.

    Raises:
        ZooError: no family is named, data are no text, or an argument makes no sense for several networks.
        TypeError: `zoo.train` has no such argument.
    """
    if family is None:
        raise ZooError("name a family, such as resnet, or a folder to --resume")
    decisive = decisive_arguments(training)
    wrong = [name for name in training if name in OF_ONE_RUN and is_given(training[name])]
    if wrong:
        raise ZooError(f"{options(wrong)} can be used for one size only: name one size, or leave {options(wrong)} out")
    family_record, row = resolve(family)
    if family_record.name != family:
        raise ZooError(
            f"{family} is one size: name the family, {family_record.name}, and its sizes, such as {row.name}"
        )
    return {"family": family_record.name, **decisive}


def decisive_arguments(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given arguments of trainings that decide their result, whatever they train, as plain data for JSON.

    Raises:
        ZooError: data are no text.
        TypeError: `zoo.train` has no such argument.
    """
    unknown = [name for name in training if name not in inspect.signature(train).parameters]
    if unknown:
        raise TypeError(f"zoo.train has no arguments {', '.join(unknown)}")
    for name in ("data", "unlabeled"):
        check_data(name, training.get(name))
    given = {name: value for name, value in training.items() if is_given(value)}
    if recipe := given.get("recipe"):
        given["recipe"] = read_if_file(recipe)
    decisive = {name: _plain(value) for name, value in given.items() if name not in (*HOW, "set")}
    return {**everywhere(decisive), "set": settings_of(training.get("set", ()), {})}


def _plain(value: Any) -> Any:
    if isinstance(value, RecipeFile):
        return schema.to_dict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, bool | int | float | str):
        return value
    return one_text(value) if isinstance(value, Iterable) else str(value)


def refuse_cluster(strategy: Kind | None) -> None:
    """Raise ZooError if the environment describes several machines, on which a series cannot be trained."""
    if find_cluster(strategy or "auto"):
        raise ZooError(
            "several networks cannot be trained on a cluster: train each by a call of its own, or unset TF_CONFIG"
        )


def decisions(request: Mapping[str, Any], points: list[Point]) -> list[Decided]:
    """Return the request for each network of a series, and the decision about it.

    Args:
        request: what `asked` returned.
        points: the networks.

    Raises:
        ZooError: a request is refused, or a network is named twice.
    """
    from zoo.training.decision import decide
    from zoo.training.effect import check_effect

    names = [point.name for point in points]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ZooError(f"{listed(twice)} is named twice: name each network once")
    decided = []
    for point in points:
        training_request = request_of(arguments_for(request, point))
        decision = decide(training_request)
        check_effect(decision)
        decided.append((training_request, decision))
    return decided


def arguments_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `zoo.train` in the request of a series, without those that do not affect the result."""
    arguments = {name: value for name, value in request.items() if name in IN_REQUEST}
    if isinstance(request.get("recipe"), dict):
        arguments["recipe"] = schema.parse(RecipeFile, request["recipe"], "the recipe of the series")
    return arguments


def arguments_for(request: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """Return the arguments of `zoo.train` for a network of a series, without those that do not affect the result."""
    return {**arguments_of(request), "size": point.size, "set": [*request["set"], *point.settings]}


def trained(
    folder: Path,
    arguments: Mapping[str, Any],
    data_dir: Path | None,
    how: Mapping[str, Any],
    say: Say,
    progress: Progress,
) -> RunFolder:
    """Return a network's run: finished already, continued, or trained.

    Args:
        folder: the run folder.
        arguments: the arguments of `zoo.train` that decide the result.
        data_dir: the `--data-dir` with which a run that is continued finds its data.
        how: the arguments that `HOW` names.
        say: as for `zoo.train`.
        progress: likewise.

    Raises:
        ZooError: the network cannot be trained.
    """
    if (folder / run.DESCRIPTION).is_file():
        this = run.read(folder)
        run_folder = RunFolder(folder, this)
        if not this.finished:
            run_folder = train(resume=folder, data_dir=data_dir, **how, say=say, progress=progress)
    else:
        run_folder = train(**arguments, out=folder, **how, say=say, progress=progress)
    gc.collect()  # the graphs of a trained network contain reference cycles
    return run_folder


@dataclasses.dataclass(frozen=True)
class Plan:
    """A new series: its request, its default folder, the seed of its first run, and the checks before its first."""

    request: dict[str, Any]
    default_folder: Path
    seed: int
    check: Callable[[], None]


def train_series(
    kind: ExperimentKind,
    named: Mapping[str, Any],
    training: Mapping[str, Any],
    plan: Callable[[], Plan],
    names_of: Callable[[Mapping[str, Any]], list[str]],
    train_all: Callable[[Path, Mapping[str, Any], Mapping[str, Any]], list[RunFolder]],
    *,
    out: StrPath | None,
    resume: StrPath | None,
    say: Say,
) -> tuple[Path, Experiment, tuple[RunFolder, ...]]:
    """Train all networks of a series that are not trained yet; return its folder, its record and its runs.

    Args:
        kind: the kind of folder.
        named: the arguments that say which networks to train, which must be missing if a folder is resumed.
        training: the other arguments of `zoo.train`.
        plan: plans a new series, or raises ZooError.
        names_of: returns the names of the runs of a request, each of which is a folder in that of the series.
        train_all: trains the networks in order, see `trained`, given the folder of the series, its request, and the
            arguments that `HOW` names.
        out: the folder to write.
        resume: the folder of an interrupted call.
        say: called with messages.

    Raises:
        ZooError: the request is wrong, a network cannot be trained, or the data have changed.
    """
    refuse_cluster(training.get("strategy"))
    how = {name: training[name] for name in HOW if training.get(name) is not None}
    if "callbacks" in how:
        how["callbacks"] = several_callbacks(how["callbacks"])
    begun: Experiment | None = None
    if resume is not None:
        refuse_beside_resume({**named, "out": out, **training}, (*HOW, "data_dir"))
        folder = local_path(resume)
        record = begun = experiment.read(kind, folder)
        if not begun.finished:
            choose_devices(how)
    else:
        new = plan()
        folder, begun = experiment.place(kind, optional_path(out), new.default_folder, new.request)
        if begun is None or not begun.finished:
            choose_devices(how)
        if begun is None:
            new.check()
        record = begun or experiment.begin(kind, folder, new.request, {}, new.seed)
    names = names_of(record.asked)
    with experiment.withdrawn_if_refused(folder, begun is not None), locked(folder):
        if resume is not None:
            record = experiment.move_data(kind, folder, record, optional_path(training.get("data_dir")))
        if resume is None or not record.finished:
            refuse_changed_data(folder, [folder / name for name in names], place_of_data(record.asked))
        experiment.say_finished(folder, record, say)
        runs = train_all(folder, record.asked, how)
        refuse_other_data(runs)
        if not record.finished:
            rows = [row(name, run_folder.run) for name, run_folder in zip(names, runs, strict=True)]
            record = experiment.end(kind, folder, record, {"runs": rows})
    return folder, record, tuple(runs)


def choose_devices(how: Mapping[str, Any]) -> None:
    """Choose the devices of trainings, before networks or data start TensorFlow, which fixes its devices.

    Args:
        how: the arguments that `HOW` names.

    Raises:
        ZooError: the devices are not available.
    """
    check_whole("devices", how.get("devices"), 2)
    import_keras()
    strategies.choose(how.get("strategy", "auto"), how.get("devices"))


def check_networks(made: list[Decided], points: list[Point]) -> None:
    """Check that the data can be loaded, that the networks can be built, and that they differ from each other.

    Raises:
        ZooError: a check fails.
    """
    import_keras()
    from zoo.training.data_of_request import data_of_request, recipe_for
    from zoo.training.describe import describe

    dataset, _ = data_of_request(*made[0])
    seen: dict[tuple[int, int], str] = {}
    for point, (request, decision) in zip(points, made, strict=True):
        model = describe(decision.family, decision.size, dataset, recipe_for(dataset, request, decision))
        other = seen.setdefault((model.parameters, model.multiply_adds), point.name)
        if other != point.name:
            raise ZooError(f"{other} and {point.name} are the same network of {model.family}: leave one out")


def refuse_changed_data(folder: Path, runs: Iterable[Path], data_dir: Path | None) -> None:
    """Raise ZooError if the data are no longer those that the first run of a series was trained on, if there is one.

    Args:
        folder: the folder of the series.
        runs: the run folders of the series, which need not exist yet.
        data_dir: the `--data-dir` with which the runs find their data.
    """
    from zoo.training.data_of_run import data_of_run

    first_run = next((run_folder for run_folder in runs if (run_folder / run.DESCRIPTION).is_file()), None)
    if first_run is not None:
        try:
            data_of_run(run.read(first_run), data_dir)
        except ZooError as error:
            raise ZooError(f"{error} (another --out than {folder} trains on the data as they are)") from None


def refuse_other_data(made: Iterable[RunFolder]) -> None:
    """Raise ZooError if the networks of a series learned from different data or teachers.

    One table cannot compare such networks.
    """
    first, *others = made
    for other in others:
        for (source, before), (_, now) in zip(_learned_from(first.run), _learned_from(other.run), strict=True):
            if before and now and before != now:
                raise ZooError(
                    f"{source} changed between {first.folder} and {other.folder}: restore the earlier one and train "
                    "one of the two again, or choose another --out for all"
                )


def _learned_from(this: Run) -> list[tuple[str, str | None]]:
    """Return the names of everything that a network learned from, each with its digest; None if there is none."""
    return [
        ("the data", this.data.fingerprint if this.data else None),
        ("the unlabeled data", this.unlabeled.fingerprint if this.unlabeled else None),
        ("the teacher", this.teacher.sha256 if this.teacher else None),
    ]


def row(name: str, this: Run) -> dict[str, Any]:
    """Return the figures of a finished run for a table."""
    score = RunFolder(Path(), this).test_score
    assert this.recipe is not None, "a run that was trained has a recipe"
    return {
        "name": name,
        "size": this.model.size,
        "width": this.recipe.network.width,
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
