"""The data of a request for training, prepared for a new run."""

from __future__ import annotations

import dataclasses
from typing import Any

from zoo import task as tasks
from zoo.data.dataset import Dataset
from zoo.data.example import UNLABELED, BadExamples
from zoo.data.fitting import fitting, refuse_left_out
from zoo.data.fraction import labeled_fraction
from zoo.data.load import load
from zoo.data.share import WHOLE, Share
from zoo.data.unlabeled import load_unlabeled
from zoo.description import Data
from zoo.errors import ZooError
from zoo.family import Family
from zoo.input import find, kind_of
from zoo.recipe import Recipe
from zoo.text import Say, silent
from zoo.training.batches import check, labeled_in_an_epoch, with_fitting_batch
from zoo.training.decision import Decision
from zoo.training.request import DataRequest, TrainingRequest
from zoo.training.without_labels import check_unlabeled_batch


def data_of_request(request: TrainingRequest, decision: Decision, say: Say = silent) -> tuple[Dataset, Data | None]:
    """Load the data of a training: those with the labels that its recipe keeps, and those without labels.

    Args:
        request: the request for the training.
        decision: the decision about it. Its recipe says how splits are drawn, and which labels are kept.
        say: called with a line about everything that is left out.

    Returns:
        The dataset, and the description of the data without labels; None if the request names none.

    Raises:
        ZooError: the data cannot be loaded, or do not suit such a training.
    """
    recipe = decision.recipe
    dataset = _loaded(decision.family, decision.data, recipe, request.method, say)
    for skipped in dataset.skipped:
        say(f"left out: {skipped}")
    dataset, rest = labeled_fraction(dataset, recipe.label_fraction, recipe.label_seed)
    if len(rest):
        say(f"{len(dataset.train)} of {len(dataset.train) + len(rest)} training examples keep their labels")
    if request.unlabeled is None:
        return dataset, None
    if dataset.task != "classes":
        answers = tasks.find(dataset.task).words
        raise ZooError(f"--unlabeled is for classes, and {dataset.source} has {answers}: leave it out")
    others, described = load_unlabeled(
        request.unlabeled,
        dataset,
        rest,
        data_dir=decision.data.data_dir,
        options=decision.data.options,
        bad_examples=decision.data.bad_examples,
        say=say,
    )
    for skipped in described.skipped:
        say(f"left out: {skipped}")
    return dataclasses.replace(dataset, unlabeled=others), described


def _loaded(family: Family, data: DataRequest, recipe: Recipe, method: str | None, say: Say) -> Dataset:
    """Load the data to train a family on; without a named source, the default data of its kind of input.

    With a `method`, the family is to be pretrained, and labels do not matter.

    Raises:
        ZooError: the data cannot be loaded, or belong to a task that the family has no network for.
    """
    source = find(family.input).default_data if data.source is None else data.source
    dataset = load(
        source,
        family.input,
        split=recipe.split,
        data_dir=data.data_dir,
        options=data.options,
        bad_examples=data.bad_examples,
        labeled=method is None,
        say=say,
    )
    for task in {part.task: None for part in dataset.parts} or {dataset.task: None}:
        if method is None and task == UNLABELED:
            raise ZooError(f"{source} has no labels to learn: name data that have, or use 'zoo pretrain'")
        if method is None and task not in family.tasks:
            raise ZooError(f"{family.name} cannot be trained for {task}, which {source} has: name other data")
    return dataset


def recipe_for(
    dataset: Dataset,
    request: TrainingRequest,
    decision: Decision,
    replicas: int = 1,
    share: Share = WHOLE,
    say: Say = silent,
) -> Recipe:
    """Return the recipe of a decision with a batch that fits its data and can be divided among the replicas.

    Raises:
        ZooError: the batches of the recipe cannot be made from these data.
    """
    kind, task = find(decision.family.input), tasks.find(request.method or dataset.task)
    recipe = decision.recipe
    examples = labeled_in_an_epoch(dataset, recipe)
    if "batch_size" not in decision.named:
        why = None
        if dataset.unlabeled is not None:
            ratio = recipe.fixmatch.ratio
            why = f"{len(dataset.unlabeled)} unlabeled examples are fewer than {ratio} for each of {recipe.batch_size}"
        recipe = with_fitting_batch(recipe, replicas * recipe.accumulate, examples, say, why)
    if "label_smoothing" in decision.named and recipe.label_smoothing and not _has_labels(dataset):
        raise ZooError(f"label_smoothing is for classes, and {dataset.source} has {task.words}: leave it out")
    if dataset.unlabeled is not None:
        check_unlabeled_batch(recipe, len(dataset.unlabeled))
    check(recipe, kind, task, examples, replicas, share)
    return recipe


def _has_labels(dataset: Dataset) -> bool:
    """Return whether any target of a dataset has labels."""
    return any(tasks.find(task).has_labels for task in [part.task for part in dataset.parts] or [dataset.task])


def fit(dataset: Dataset, preprocessing: Any, bad_examples: BadExamples, say: Say, *, labeled: bool) -> Dataset:
    """Leave out the examples that the network cannot take, and say what is odd about the others.

    `labeled` is False for a pretraining, for which classes do not matter.

    Raises:
        ZooError: the network cannot take an example, and `bad_examples` is `error`.
    """
    kept, kind = fitting(dataset, preprocessing, labeled=labeled), kind_of(preprocessing)
    left_out = kept.skipped[len(dataset.skipped) :]
    if bad_examples == "error":
        refuse_left_out(left_out, kind)
    for line in left_out:
        say(f"left out: {line}")
    for line in kind.data.remarks((kept.train, kept.validation, kept.test), preprocessing):
        say(line)
    return kept
