"""Start or resume a training: check the request, make the run folder, run the loop."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo import complexity, factory, files, migration, named_recipe, pretext, provenance, run, weights_file
from zoo import task as tasks
from zoo.data import digests
from zoo.data.dataset import Dataset
from zoo.data.fitting import fitting
from zoo.data.fraction import labeled_fraction
from zoo.data.load import BadExamples, load
from zoo.data.reload import digests_for
from zoo.data.source import short_name
from zoo.data.unlabeled import load_unlabeled
from zoo.description import Data, Model, Scale
from zoo.errors import ZooError, listed
from zoo.family import Family, Size
from zoo.input import find, kind_of
from zoo.recipe import Recipe
from zoo.text import Progress, Say, silent
from zoo.training import distillation, fine_tuning, mixing, stages, without_labels
from zoo.training import strategy as strategies
from zoo.training.batches import try_out
from zoo.training.data_of_run import data_of_run
from zoo.training.data_service import connect
from zoo.training.devices import check_devices
from zoo.training.follow import say_run
from zoo.training.teacher import Found, answers, check_teacher, find_teacher
from zoo.training.team import ALONE, Team

Preflight = Callable[[Model], None]

CHECKPOINT_MINUTES = 10.0
"""The time between two checkpoints within an epoch."""


def start(
    name: str | None,
    *,
    size: str | None,
    weights: Path | None = None,
    teacher: Path | None = None,
    source: str | None,
    data_dir: Path | None,
    options: Mapping[str, str],
    bad_examples: BadExamples,
    settings: Sequence[str],
    method: str | None = None,
    unlabeled: str | None = None,
    recipe_asked: str | os.PathLike[str] | None = None,
    out: Path | None,
    strategy: strategies.Kind,
    devices: int | None,
    preflight: Preflight,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
    profile: int = 0,
    tf_data_service: str | None = None,
    callbacks: Sequence[Any] = (),
    test: bool = True,
    say: Say = silent,
    progress: Progress = silent,
    team: Team = ALONE,
) -> Path:
    """Train a new run and return its folder.

    With `weights`, a finished run, training starts from that run's weights; `name` and `size` are then that run's. With
    a `teacher`, the network also learns from its answers, see `zoo.training.distillation`.
    Without `test`, the run is left before its test examples are looked at; `resume` finishes it.
    `recipe_asked` is the name of a recipe or a file, see `zoo.named_recipe.choose`, which `settings` change.

    With a `method`, such as `simclr`, the network is pretrained, without labels. `unlabeled` names further data, which
    are trained on without their labels, see `zoo.data.unlabeled`.

    `preflight` is called with the description of the untrained model. It raises when such a model cannot be exported,
    so that the request ends in seconds rather than after the training.

    Raises:
        ZooError: something that was asked for cannot be had.
    """
    from zoo.pruning.prune import prune
    from zoo.training.batches import check
    from zoo.training.loop import check_batch, train

    if method is not None:
        pretext.refuse_unknown(method)
    family, row = fine_tuning.network(name, size, weights)
    recipe_name, recipe = named_recipe.choose(family, row, recipe_asked, from_weights=weights is not None)
    recipe = without_labels.recipe_of(family, recipe, settings, method, unlabeled)
    recipe = distillation.requested(recipe, teacher, unlabeled)
    _check_weights(recipe, weights)
    taught_by = find_teacher(teacher, family.input) if teacher else None
    if out is not None:
        files.refuse_existing(out)
    chosen = strategies.choose(strategy, devices, team)
    check_devices(recipe, chosen)
    service = connect(tf_data_service) if tf_data_service else None
    sought: dict[str, Any] = {"data_dir": data_dir, "bad_examples": bad_examples, "say": say}
    dataset = load_for(family, source, recipe=recipe, options=options, method=method, **sought)
    for skipped in dataset.skipped:
        say(f"left out: {skipped}")
    dataset, unlabeled_data = _with_few_labels(dataset, recipe, unlabeled, **sought)
    replicas = chosen.num_replicas_in_sync
    recipe = with_fitting_batch(recipe, settings, replicas * recipe.accumulate, len(dataset.train), say)
    check_batch(recipe.batch_size, replicas, len(dataset.train), recipe.accumulate)
    check(recipe, find(family.input), tasks.find(method or dataset.task), strategies.share_of(chosen))
    like = run.read_finished(weights).model if weights else None
    model = describe(family, row, dataset, recipe, like, method)
    dataset = fit(dataset, model.preprocessing, bad_examples, say)
    if dataset.unlabeled is not None:
        without_labels.check_unlabeled_batch(recipe, len(dataset.unlabeled))
    if taught_by:
        check_teacher(taught_by, model, dataset.train, recipe.distill)
    if recipe.class_weights == "balanced":
        say(f"class weights: {_class_weights(dataset)}")
    for line in kind_of(model.preprocessing).data.adjustments(dataset, model.preprocessing, recipe.input):
        say(line)
    origins = digests_of_origins(weights, taught_by)
    seen = digests.digests_of(dataset, origins=origins.values())
    for line in digests.overlap_remarks(dataset, seen, " or ".join(origins)):
        say(line)
    started_from, arrays = fine_tuning.take(weights, model) if weights else (None, {})
    if started_from and recipe.prune.share:
        model, arrays, pruning = prune(model, arrays, recipe.prune)
        started_from = dataclasses.replace(started_from, pruning=pruning)
        say(f"pruned to {pruning.reached:.3f} of the multiply-adds: {len(model.widths)} layers have fewer channels")
    preflight(model)
    try_out(service, dataset, model, recipe, strategies.share_of(chosen))
    lesson = answers(taught_by, model, dataset.train, say, progress) if taught_by else None
    name_of_data = short_name(dataset.source) + (f"-{method}" if method else "")
    folder = out or files.unused(Path("runs"), f"{family.name}-{row.name}-{name_of_data}")
    folder.mkdir(parents=True)
    digests.write(folder / digests.FILE, seen)
    if started_from:
        # The run keeps a copy, written before it can be resumed, so that the other run may be deleted.
        weights_file.save(folder / run.INITIAL, arrays)
        say(f"from the weights of {weights}, with {'a new' if started_from.new_head else 'its'} head")
    del arrays
    if lesson is not None:
        distillation.save(folder, lesson)
    del lesson
    this = run.Run(
        migration.SCHEMA,
        model,
        dataset.description(),
        recipe,
        provenance.here(recipe.seed),
        initial=started_from,
        unlabeled=unlabeled_data,
        recipe_name=recipe_name,
        teacher=taught_by.record() if taught_by else None,
    )
    run.write(folder, this)
    count = f"{len(dataset.train)} training {kind_of(model.preprocessing).plural}"
    if dataset.unlabeled is not None:
        count += f" and {len(dataset.unlabeled)} without labels"
    say(f"{folder}: {family.name} {row.name}, {model.parameters:,} parameters, {count}")
    say_run(team, folder, this)
    train(
        folder, dataset, chosen, callbacks, say, progress, checkpoint_minutes, team,
        profile=profile, test=test, service=service,
    )  # fmt: skip
    return folder


def _check_weights(recipe: Recipe, weights: Path | None) -> None:
    """Raise ZooError where a recipe asks of weights what they cannot give, or of none what needs some."""
    if recipe.freeze and weights is None:
        raise ZooError("freeze trains a head on weights that are there already: name the run to take --weights from")
    if recipe.prune.share and weights is None:
        raise ZooError("channels are removed from weights that are there already: name the run to take --weights from")
    if recipe.prune.share and recipe.freeze:
        raise ZooError("freeze trains the head only, and what a pruned network keeps must be trained: leave one out")
    if recipe.freeze and max(recipe.network.dropout, recipe.network.drop_path) > 0:
        raise ZooError("freeze trains the head of a network in which nothing is dropped: leave freeze or network.* out")


def _with_few_labels(
    dataset: Dataset,
    recipe: Recipe,
    unlabeled: str | None,
    *,
    data_dir: Path | None,
    bad_examples: BadExamples,
    say: Say,
) -> tuple[Dataset, Data | None]:
    """Keep the labels that a recipe keeps, and load the data without labels, if some are named; describe these.

    Raises:
        ZooError: there are no such data, or the dataset has no classes.
    """
    dataset, rest = labeled_fraction(dataset, recipe.label_fraction, recipe.label_seed)
    if len(rest):
        say(f"{len(dataset.train)} of {len(dataset.train) + len(rest)} training examples keep their labels")
    if unlabeled is None:
        return dataset, None
    if dataset.task != "classes":
        found = tasks.find(dataset.task).words
        raise ZooError(f"--unlabeled is for classes, and {dataset.source} has {found}: leave it out")
    others, described = load_unlabeled(unlabeled, dataset, rest, data_dir=data_dir, bad_examples=bad_examples, say=say)
    return dataclasses.replace(dataset, unlabeled=others), described


def load_for(
    family: Family,
    source: str | None,
    *,
    recipe: Recipe,
    data_dir: Path | None,
    options: Mapping[str, str],
    bad_examples: BadExamples,
    method: str | None = None,
    say: Say = silent,
) -> Dataset:
    """Load the data that a family is to be trained on; those of its kind of input where `source` is None.

    With a `method`, it is to be pretrained, and labels do not matter.

    Raises:
        ZooError: they cannot be had, or are of a task that the family has no network for.
    """
    if source is None:
        source = find(family.input).default_data
    dataset = load(
        source,
        family.input,
        split=recipe.split,
        data_dir=data_dir,
        options=options,
        bad_examples=bad_examples,
        say=say,
    )
    for task in {part.task: None for part in dataset.parts} or {dataset.task: None}:
        if method is None and task not in family.tasks:
            raise ZooError(f"{family.name} cannot be trained for {task}, which {source} has: name other data")
    return dataset


def _class_weights(dataset: Dataset) -> str:
    """Return the weight of each label for people.

    Raises:
        ZooError: the targets are no labels.
    """
    task = tasks.find(dataset.task)
    if task.balanced is None:
        raise ZooError(f"class_weights=balanced weighs classes, and {dataset.source} has {task.words}: leave it out")
    weights = task.balanced(dataset.train.targets, len(dataset.labels))
    return tasks.names([f"{label} {weight:.4g}" for label, weight in zip(dataset.labels, weights, strict=True)])


def with_fitting_batch(recipe: Recipe, settings: Sequence[str], parts: int, examples: int, say: Say) -> Recipe:
    """Return a recipe whose batch is not larger than a small dataset, unless somebody asked for a size of the batch."""
    if mixing.asked(recipe):
        parts *= 2
    if recipe.batch_size <= examples or examples < parts or any(one.startswith("batch_size=") for one in settings):
        return recipe
    fitting_size = examples // parts * parts
    say(f"a batch is all {fitting_size} training examples, because there are fewer than {recipe.batch_size}")
    return dataclasses.replace(recipe, batch_size=fitting_size)


def resume(
    folder: Path,
    *,
    data_dir: Path | None,
    strategy: strategies.Kind,
    devices: int | None,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
    profile: int = 0,
    tf_data_service: str | None = None,
    callbacks: Sequence[Any] = (),
    say: Say = silent,
    progress: Progress = silent,
    team: Team = ALONE,
) -> Path:
    """Continue an interrupted run with its own recipe, and return its folder.

    `data_dir` says where the data are now, if they were moved; the run then records that.

    Raises:
        ZooError: there is no such run, it is finished, or its data have changed.
    """
    from zoo.training.loop import train

    this = run.read(folder)
    if this.finished:
        raise ZooError(f"{folder} is finished already: train a new run")
    chosen = strategies.choose(strategy, devices, team)
    service = connect(tf_data_service) if tf_data_service else None
    dataset = data_of_run(this, data_dir)
    assert this.recipe is not None, "a run that is not finished is one that trains"
    try_out(service, dataset, this.model, this.recipe, strategies.share_of(chosen))
    if data_dir is not None:
        assert this.data is not None, "a run that is not finished is one that trains"
        # Later verbs find the data where they are now.
        moved = dataclasses.replace(this.data, source=dataset.source, data_dir=dataset.data_dir)
        this = dataclasses.replace(this, data=moved)
        run.write(folder, this)
    say(f"continuing {folder}")
    say_run(team, folder, this)
    train(folder, dataset, chosen, callbacks, say, progress, checkpoint_minutes, team, profile=profile, service=service)
    return folder


def describe(
    family: Family,
    size: Size,
    dataset: Dataset,
    recipe: Recipe,
    like: Model | None = None,
    method: str | None = None,
) -> Model:
    """Describe the network to train: input, task, labels, structure and number of parameters.

    It suits the data, or, where there is a network `like`, the weights of that one. With a `method` it is one that is
    pretrained, without labels.

    Raises:
        ZooError: no network takes such an input, the network has nothing that the recipe wants dropped, or it cannot
            begin with smaller inputs as the recipe wants.
    """
    data = kind_of(recipe.input).data
    preprocessing = data.suiting(dataset, recipe.input, like.preprocessing if like else None)
    model = Model(
        family.name,
        size.name,
        () if method else dataset.labels,
        preprocessing,
        parameters=0,
        multiply_adds=0,
        task=method or dataset.task,
        # The answers of a network that is trained further keep their scales, as its weights do.
        scales=() if method else like.scales if like and _as_before(dataset, like) else scales(dataset),
        widths=like.widths if like else {},
        parts=() if method else dataset.parts,
    )
    # Weights fit only the structure that they were trained with, whatever the size of the input.
    model = dataclasses.replace(model, structure=factory.structure_of(like or model))
    if recipe.network.width != 1:
        model = dataclasses.replace(model, widths=_scaled_widths(model, recipe.network.width, like))
    network = factory.build(model, rates=recipe.network)
    stages.check(network, model, recipe)
    return dataclasses.replace(
        model, parameters=complexity.parameters(network), multiply_adds=complexity.multiply_adds(network)
    )


def _as_before(dataset: Dataset, like: Model) -> bool:
    """Return whether a network answers for a dataset as it did before, with values of the same scales."""
    return bool(like.scales) and like.task == dataset.task and like.parts == dataset.parts


def _scaled_widths(model: Model, factor: float, like: Model | None) -> dict[str, int]:
    """Return the channels by layer of a network that is `factor` times as wide.

    Raises:
        ZooError: the network starts from weights, or its layers cannot have other channels.
    """
    from zoo.pruning.scaling import scaled_widths

    if like:
        raise ZooError("weights fit one width of a network: leave network.width out")
    widths = scaled_widths(model, factor)
    if not widths and not scaled_widths(model, 1000 * factor):
        raise ZooError(f"{model.family} {model.size} has no layers of other widths: leave network.width out")
    return widths


def scales(dataset: Dataset) -> tuple[Scale, ...]:
    """Return the scale of each value over the training examples; none where the targets are classes.

    Where there are several targets, each class has one, of 0 and 1.
    """
    if dataset.train.targets.ndim == 1:
        return ()
    values = dataset.train.targets.astype(np.float64)
    found = [Scale(float(mean), float(std) or 1.0) for mean, std in zip(values.mean(0), values.std(0), strict=True)]
    if not dataset.parts:
        return tuple(found)
    own = [
        (Scale(0.0, 1.0),) * len(part.labels) if tasks.find(part.task).balanced else (scale,)
        for part, scale in zip(dataset.parts, found, strict=True)
    ]
    return tuple(scale for each in own for scale in each)


def fit(dataset: Dataset, preprocessing: Any, bad_examples: BadExamples, say: Say) -> Dataset:
    """Leave out the examples that the network cannot take, and tell `say` what is odd about the others.

    Raises:
        ZooError: there are such examples, and `bad_examples` is `error`.
    """
    kept, kind = fitting(dataset, preprocessing), kind_of(preprocessing)
    left_out = kept.skipped[len(dataset.skipped) :]
    if left_out and bad_examples == "error":
        raise ZooError(
            f"{kind.plural} that do not fit the network's input: {len(left_out)}: {listed(left_out, most=3)}: "
            "mend or remove them, or go on without them with --bad-examples skip"
        )
    for line in left_out:
        say(f"left out: {line}")
    for line in kind.data.remarks((kept.train, kept.validation, kept.test), preprocessing):
        say(line)
    return kept


def digests_of_origins(weights: Path | None, teacher: Found | None) -> dict[str, digests.Digests | None]:
    """Return the digests of what the run `weights` and a teacher had seen, by what messages call each.

    They are None where nothing is known of them.
    """
    found = {"the initial weights": digests_for(weights, run.read_finished(weights))[0]} if weights else {}
    return found | ({"the teacher": teacher.digests()} if teacher else {})
