"""Start or resume a training: check the request, make the run folder, run the loop."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files, folder_kinds, migration, provenance, run, weights_file
from zoo import task as tasks
from zoo.data import digests
from zoo.data.dataset import Dataset
from zoo.data.names import quoted
from zoo.data.reload import digests_for
from zoo.data.source import short_name
from zoo.data.unlabeled import moved_with
from zoo.description import Data, InitialWeights, Model
from zoo.errors import ZooError, listed
from zoo.folder_lock import locked
from zoo.input import kind_of
from zoo.recipe import Prune, Recipe
from zoo.text import Say
from zoo.training import distillation, fine_tuning
from zoo.training import strategy as strategies
from zoo.training.batches import check_replicas, left_out_of_epochs, try_out
from zoo.training.data_of_request import data_of_request, fit, recipe_for
from zoo.training.data_of_run import data_of_run
from zoo.training.data_service import connect
from zoo.training.decision import Decision, decide
from zoo.training.describe import describe
from zoo.training.devices import check_devices
from zoo.training.follow import say_run
from zoo.training.request import Execution, Preflight, TrainingRequest
from zoo.training.teacher import Found, answers, check_teacher


@dataclass(frozen=True)
class _Plan:
    """A new run before anything of it is written: its data, its network, and the initial weights of the network.

    Attributes:
        recipe: the recipe, with a batch that is not larger than the data.
        dataset: the data, without examples that the network cannot take.
        unlabeled: the description of the data without labels; None if there are none.
        seen: the digests of the examples that the network, its initial weights and its teacher are trained on.
        model: the description of the network.
        initial: the record of the initial weights; None if they are random.
        arrays: the initial weights by `layer/variable`; empty if they are random.
    """

    recipe: Recipe
    dataset: Dataset
    unlabeled: Data | None
    seen: digests.Digests
    model: Model
    initial: InitialWeights | None
    arrays: Mapping[str, np.ndarray]


def start(request: TrainingRequest, execution: Execution, preflight: Preflight, *, test: bool = True) -> Path:
    """Train a new run and return its folder, which is written after all checks.

    Args:
        request: the request for the training.
        execution: the way to execute it.
        preflight: called with the description of the untrained network. It raises if such a network cannot be
            exported, so that the request fails in seconds rather than after the training.
        test: measure the network on the test examples, and finish the run. If False, `resume` can finish it later.

    Raises:
        ZooError: the request or the data are wrong.
    """
    from zoo.training import for_callbacks
    from zoo.training.loop import train

    say, team = execution.say, execution.team
    for_callbacks.check(execution.callbacks)
    decision = decide(request)
    # The name of a default folder depends on the data, but whether it can be made does not.
    folder_kinds.check_new(request.out or files.unused(Path("runs"), f"{decision.family.name}-{decision.size.name}"))
    strategy = strategies.choose(execution.strategy, execution.devices, team)
    check_devices(decision.recipe, strategy)
    service = connect(execution.tf_data_service)
    plan = _planned(request, decision, strategy, say)
    preflight(plan.model)
    try_out(service, plan.dataset, plan.model, plan.recipe, strategies.share_of(strategy))
    teacher, dataset = decision.teacher, plan.dataset
    lesson = answers(teacher, plan.model, dataset.train, say, execution.progress) if teacher else None
    folder, this = _written(request, decision, plan, lesson, say)
    say_run(team, folder, this)
    # The initial weights and the teacher's answers are in the folder now: free their memory, and that of the teacher,
    # for the training.
    del plan, lesson, teacher, decision
    with _alone(folder):
        train(folder, dataset, strategy, execution, service, test=test)
    return folder


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from training a run: each would remove the other's unfinished checkpoint.

    Raises:
        ZooError: another process trains it.
    """
    checkpoints = folder / run.CHECKPOINTS
    checkpoints.mkdir(exist_ok=True)
    with locked(checkpoints):
        yield


def _planned(request: TrainingRequest, decision: Decision, strategy: Any, say: Say) -> _Plan:
    """Load the data, describe the network for them, and take its initial weights.

    Raises:
        ZooError: the data or the weights cannot be loaded, or do not fit together.
    """
    dataset, unlabeled = data_of_request(request, decision, say)
    share = strategies.share_of(strategy)
    replicas = strategy.num_replicas_in_sync
    recipe = recipe_for(dataset, request, decision, replicas, share, say)
    like = run.read_finished(request.weights).model if request.weights else None
    model = describe(decision.family, decision.size, dataset, recipe, like, request.method)
    dataset = fit(dataset, model.preprocessing, decision.data.bad_examples, say, labeled=request.method is None)
    # Fewer examples may be left than a batch has.
    recipe = recipe_for(dataset, request, dataclasses.replace(decision, recipe=recipe), replicas, share, say)
    if decision.teacher:
        check_teacher(decision.teacher, model, dataset.train, recipe.distill)
    for line in _remarks(dataset, model, recipe, replicas):
        say(line)
    seen = _digests(dataset, request.weights, decision.teacher, say)
    model, initial, arrays = _initial_weights(request.weights, model, recipe.prune, say)
    return _Plan(recipe, dataset, unlabeled, seen, model, initial, arrays)


def _classes_without_examples(dataset: Dataset) -> Iterator[str]:
    """Yield a line about each of several targets with classes that no training example has."""
    for column, part in enumerate(dataset.parts):
        if part.task == "classes":
            present = set(dataset.train.targets[:, column].astype(int).tolist())
            missing = [label for number, label in enumerate(part.labels) if number not in present]
            if missing:
                yield (
                    f"target {part.name}: {len(missing)} of {len(part.labels)} classes have no training example and "
                    f"cannot be learned: {listed(missing, most=3)}"
                )


def _remarks(dataset: Dataset, model: Model, recipe: Recipe, replicas: int) -> Iterator[str]:
    """Yield a line about each effect of a recipe on these data."""
    yield from _similar_labels(dataset)
    yield from _classes_without_examples(dataset)
    if recipe.class_weights == "balanced":
        balanced = tasks.find(dataset.task).balanced
        assert balanced is not None, "class weights are refused for tasks without classes"
        weights = balanced(dataset.train.targets, len(dataset.labels))
        each = [f"{label} {weight:.4g}" for label, weight in zip(dataset.labels, weights, strict=True)]
        yield f"class weights: {tasks.names(each)}"
    kind = kind_of(model.preprocessing)
    yield from kind.data.adjustments(dataset, model.preprocessing, recipe.input)
    if dataset.unlabeled is None:
        line = left_out_of_epochs(recipe, replicas * recipe.accumulate, len(dataset.train), kind.plural)
        if line:
            yield line


def _similar_labels(dataset: Dataset) -> Iterator[str]:
    """Yield a line for the classes whose names differ only in case."""
    for labels in [part.labels for part in dataset.parts] or [dataset.labels]:
        spellings: dict[str, list[str]] = {}
        for label in labels:
            spellings.setdefault(label.casefold(), []).append(quoted(label))
        for similar in spellings.values():
            if len(similar) > 1:
                yield f"{listed(similar, most=3)} are different classes: give examples of one class one name"


def _digests(dataset: Dataset, weights: Path | None, teacher: Found | None, say: Say) -> digests.Digests:
    """Return the digests of the examples that a network will have seen, and say how many of them it is tested on.

    The examples that its initial weights or its teacher were trained on count, too.
    """
    origins = {"the initial weights": digests_for(weights, run.read_finished(weights))[0]} if weights else {}
    if teacher:
        origins["the teacher"] = teacher.digests()
    seen = digests.digests_of(dataset, origins=origins.values())
    for line in digests.overlap_remarks(dataset, seen, " or ".join(origins)):
        say(line)
    return seen


def _initial_weights(
    weights: Path | None, model: Model, settings: Prune, say: Say
) -> tuple[Model, InitialWeights | None, Mapping[str, np.ndarray]]:
    """Take the weights of a run for a network, and prune both as the recipe asks.

    Returns:
        The description of the network, the record of its weights, and the weights by `layer/variable`; without
        `weights`, the same description, None and an empty dictionary.

    Raises:
        ZooError: the weights do not fit, or cannot be pruned that far.
    """
    if weights is None:
        return model, None, {}
    from zoo.pruning.prune import prune

    initial, arrays = fine_tuning.take(weights, model)
    if settings.share:
        earlier_widths = model.widths
        model, arrays, pruning = prune(model, arrays, settings)
        initial = dataclasses.replace(initial, pruning=pruning)
        fewer = sum(earlier_widths.get(layer) != width for layer, width in model.widths.items())
        say(f"pruned to {pruning.reached:.3f} of the multiply-adds: {fewer} layers have fewer channels than before")
    return model, initial, arrays


def _recorded(dataset: Dataset, seen: digests.Digests) -> Data:
    """Return the record of a dataset whose test overlap counts everything that a network has seen, see `Digests`."""
    data = dataset.description()
    return dataclasses.replace(data, overlap={**(data.overlap or {}), "test": int(dataset.test.known(seen.seen).sum())})


def _written(
    request: TrainingRequest, decision: Decision, plan: _Plan, lesson: np.ndarray | None, say: Say
) -> tuple[Path, run.Run]:
    """Write the folder of a new run, whole or not at all: its description, and everything that it starts from."""
    family, size, model, dataset = decision.family.name, decision.size.name, plan.model, plan.dataset
    name_of_data = short_name(dataset.source) + (f"-{request.method}" if request.method else "")
    folder = request.out or files.unused(Path("runs"), f"{family}-{size}-{name_of_data}")
    if plan.initial:
        say(f"from the weights of {request.weights}, with {'a new' if plan.initial.new_head else 'its'} head")
    this = run.Run(
        migration.SCHEMA,
        model,
        _recorded(dataset, plan.seen),
        plan.recipe,
        provenance.here(plan.recipe.seed),
        initial=plan.initial,
        unlabeled=plan.unlabeled,
        recipe_name=decision.recipe_name,
        teacher=decision.teacher.record() if decision.teacher else None,
    )
    with files.staged_folder(folder) as staging:
        digests.write(staging / digests.FILE, plan.seen)
        if plan.initial:
            # The run keeps its own copy, so that the other run may be deleted.
            weights_file.save(staging / run.INITIAL, plan.arrays)
        if lesson is not None:
            distillation.save(staging, lesson)
        run.write(staging, this)
    count = f"{len(dataset.train)} training {kind_of(model.preprocessing).plural}"
    if dataset.unlabeled is not None:
        count += f" and {len(dataset.unlabeled)} without labels"
    say(f"{folder}: {family} {size}, {model.parameters:,} parameters, {count}")
    return folder, this


def resume(folder: Path, data_dir: Path | None, execution: Execution) -> Path:
    """Continue an interrupted run with its own recipe, and return its folder.

    Args:
        folder: the folder of the run.
        data_dir: the folder that the data are in now, which the run then records; None if they were not moved.
        execution: the way to execute it, which may differ from the earlier one.

    Raises:
        ZooError: there is no such run, it is finished, another process trains it, its data have changed, or the
            devices cannot share its batches.
    """
    from zoo.training import for_callbacks

    for_callbacks.check(execution.callbacks)
    _unfinished(folder)
    with _alone(folder):
        return _resumed(folder, data_dir, execution)


def _unfinished(folder: Path) -> run.Run:
    """Return the run in a folder.

    Raises:
        ZooError: there is none, or it is finished.
    """
    this = run.read(folder)
    if this.finished:
        raise ZooError(
            f"{folder} is finished already: 'zoo train --weights {folder} --epochs N' trains on from its weights, "
            "as a new run"
        )
    return this


def _resumed(folder: Path, data_dir: Path | None, execution: Execution) -> Path:
    """Continue a run that no other process trains."""
    from zoo.training.loop import train

    this = _unfinished(folder)  # the process that held the lock may have finished it
    strategy = strategies.choose(execution.strategy, execution.devices, execution.team)
    assert this.recipe is not None, "an unfinished run was trained, and has a recipe"
    check_replicas(this.recipe, strategy.num_replicas_in_sync, strategies.share_of(strategy))
    service = connect(execution.tf_data_service)
    dataset = data_of_run(this, data_dir)
    try_out(service, dataset, this.model, this.recipe, strategies.share_of(strategy))
    if data_dir is not None:
        assert this.data is not None, "an unfinished run was trained, and has data"
        # Later verbs find the data where they are now.
        moved = dataclasses.replace(this.data, source=dataset.source, data_dir=dataset.data_dir)
        unlabeled = moved_with(this.unlabeled, this.data.source, data_dir) if this.unlabeled else None
        this = dataclasses.replace(this, data=moved, unlabeled=unlabeled)
        run.write(folder, this)
    execution.say(f"continuing {folder}")
    provenance.say_changes(this.provenance, execution.say)
    say_run(execution.team, folder, this)
    train(folder, dataset, strategy, execution, service)
    return folder
