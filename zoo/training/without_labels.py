"""Requests to train without labels, or with few: what they change in a recipe, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from zoo import recipe as recipes
from zoo.errors import ZooError
from zoo.family import Family
from zoo.input import find
from zoo.pretext import methods
from zoo.recipe import Recipe
from zoo.task import Pretext
from zoo.task import find as find_task

MIXES = {"mixup": 0.0, "cutmix": 0.0}
"""Keys of a recipe that mix examples, and the values with which they do nothing."""

NEEDS_LABELS: dict[str, Any] = {
    **MIXES,
    "label_smoothing": 0.0,
    "class_weights": "none",
    "freeze": False,
    "label_fraction": 1.0,
    "sampling": "all",
    "repeats": 1,
}
"""Keys of a recipe that are about labels, and the values with which they do nothing."""

USUAL_RATIO = 7
"""The unlabeled examples for each labeled one where nobody names a number, as in FixMatch."""


def recipe_of(
    recipe: Recipe, settings: Sequence[str], method: str | None = None, unlabeled: str | None = None
) -> Recipe:
    """Return a recipe with settings, for training with labels, for pretraining, or with unlabeled data.

    Args:
        recipe: the one to change.
        settings: changes, see `zoo.recipe.override`.
        method: the task to pretrain for; None for training.
        unlabeled: the data without labels that are trained on, too; None for none.

    Raises:
        ZooError: a setting is unknown or does not fit.
    """
    pretext = find_task(method).pretext if method else None
    if pretext:
        recipe = pretext.recipe(dataclasses.replace(recipe, **NEEDS_LABELS))
    if unlabeled is not None:
        recipe = dataclasses.replace(recipe, fixmatch=dataclasses.replace(recipe.fixmatch, ratio=USUAL_RATIO))
    return recipes.override(recipe, settings)


def check(
    family: Family, recipe: Recipe, settings: Sequence[str], method: str | None = None, unlabeled: str | None = None
) -> None:
    """Refuse a recipe that `recipe_of` returned for the same arguments where it is not for such a training.

    Raises:
        ZooError: a setting is of another way to train, or the family or a key does not go with this one.
    """
    _refuse_others(settings, method, unlabeled)
    pretext = find_task(method).pretext if method else None
    if pretext:
        _check_pretraining(pretext, family, recipe)
    if unlabeled is not None:
        _check_unlabeled(family, recipe)


def _refuse_others(settings: Sequence[str], method: str | None, unlabeled: str | None) -> None:
    """Raise ZooError where a setting is of a section that this training does not read."""
    for setting in settings:
        section = setting.partition(".")[0]
        if section in methods() and section != method:
            raise ZooError(f"--set {setting} is for 'zoo pretrain --method {section}': leave it out")
        if section == "fixmatch" and unlabeled is None:
            raise ZooError(f"--set {setting} is about unlabeled data: name them with --unlabeled, or leave it out")


def _check_pretraining(pretext: Pretext, family: Family, recipe: Recipe) -> None:
    for key, neutral in NEEDS_LABELS.items():
        if getattr(recipe, key) != neutral:
            raise ZooError(f"{key} is for training with labels, and pretraining has none: leave it out")
    pretext.check(family, recipe)


def _check_unlabeled(family: Family, recipe: Recipe) -> None:
    kind = find(family.input)
    if not kind.views_module:
        raise ZooError(f"--unlabeled is for images, and {family.name} takes {kind.plural}: leave it out")
    for key, neutral in MIXES.items():
        if getattr(recipe, key) != neutral:
            raise ZooError(f"{key} mixes labels, and --unlabeled learns from images without: --set {key}={neutral:g}")
    if recipe.fixmatch.ratio < 1:
        raise ZooError("--unlabeled with fixmatch.ratio=0 reads no unlabeled example: --set fixmatch.ratio=1 or more")


def check_unlabeled_batch(recipe: Recipe, unlabeled: int) -> None:
    """Raise ZooError where there are fewer unlabeled examples than a batch has."""
    at_once = recipe.fixmatch.ratio * recipe.batch_size
    if unlabeled < at_once:
        raise ZooError(
            f"a batch takes {at_once} unlabeled examples, and there are {unlabeled}: --set batch_size or "
            "fixmatch.ratio to a smaller number"
        )
