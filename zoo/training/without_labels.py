"""Requests to train without labels, or with few: their changes of a recipe, and the combinations that are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence, Set
from typing import Any

from zoo import recipe as recipes
from zoo.errors import ZooError
from zoo.family import Family
from zoo.input import find
from zoo.pretext import methods
from zoo.recipe import Recipe
from zoo.task import find as find_task

MIXES = {"mixup": 0.0, "cutmix": 0.0}
"""The keys of a recipe that mix examples, and the values that turn them off."""

NEEDS_LABELS: dict[str, Any] = {
    **MIXES,
    "label_smoothing": 0.0,
    "class_weights": "none",
    "freeze": False,
    "label_fraction": 1.0,
    "sampling": "all",
    "repeats": 1,
}
"""The keys of a recipe that are about labels, and the values that turn them off."""

USUAL_RATIO = 7
"""The default number of unlabeled examples for each labeled one, as in FixMatch."""


def recipe_of(
    recipe: Recipe, settings: Sequence[str], method: str | None = None, unlabeled: str | None = None
) -> Recipe:
    """Return a recipe with settings, for training with labels, for pretraining, or with unlabeled data.

    Args:
        recipe: the recipe to change.
        settings: changes, see `zoo.recipe.override`.
        method: the task to pretrain for; None for training.
        unlabeled: further data to train on without labels; None for none.

    Raises:
        ZooError: a setting is unknown or does not fit.
    """
    pretext = find_task(method).pretext if method else None
    if pretext:
        recipe = pretext.recipe(dataclasses.replace(recipe, **NEEDS_LABELS))
    if unlabeled is not None and not recipe.fixmatch.ratio:
        recipe = dataclasses.replace(recipe, fixmatch=dataclasses.replace(recipe.fixmatch, ratio=USUAL_RATIO))
    return recipes.override(recipe, settings)


def check(
    family: Family, recipe: Recipe, named: Set[str], method: str | None = None, unlabeled: str | None = None
) -> None:
    """Check a recipe that `recipe_of` returned, of which the request changes the keys `named`.

    Raises:
        ZooError: a key belongs to another kind of training, or the family or a key does not fit this one.
    """
    _refuse_others(named, method, unlabeled)
    pretext = find_task(method).pretext if method else None
    if pretext:
        for key in NEEDS_LABELS:
            if key in named:
                raise ZooError(f"{key} is for training with labels, and pretraining has none: leave it out")
        pretext.check(family, recipe)
    if unlabeled is not None:
        _check_unlabeled(family, recipe)
    else:
        refuse_unlabeled(recipe)


def _refuse_others(named: Set[str], method: str | None, unlabeled: str | None) -> None:
    """Raise ZooError if a key belongs to a section that this training does not read."""
    for key in sorted(named):
        section = key.partition(".")[0]
        if section in methods() and section != method:
            raise ZooError(f"{key} is for 'zoo pretrain --method {section}': leave it out")
        if section == "fixmatch" and unlabeled is None:
            raise ZooError(f"{key} is about unlabeled data: name them with --unlabeled, or leave it out")


def refuse_unlabeled(recipe: Recipe) -> None:
    """Raise ZooError if a recipe asks for unlabeled examples, where there are none."""
    if recipe.fixmatch.ratio:
        raise ZooError("fixmatch.ratio is about unlabeled data: name them with --unlabeled, or leave it out")


def _check_unlabeled(family: Family, recipe: Recipe) -> None:
    kind = find(family.input)
    if not kind.views_module:
        raise ZooError(f"--unlabeled is for images, and {family.name} takes {kind.plural}: leave it out")
    for key, neutral in MIXES.items():
        if getattr(recipe, key) != neutral:
            raise ZooError(f"{key} mixes labels, which unlabeled images do not have: --set {key}={neutral:g}")
    if recipe.fixmatch.ratio < 1:
        raise ZooError("--unlabeled with fixmatch.ratio=0 reads no unlabeled example: --set fixmatch.ratio=1 or more")


def check_unlabeled_batch(recipe: Recipe, unlabeled: int) -> None:
    """Raise ZooError if there are fewer unlabeled examples than a batch takes."""
    at_once = recipe.fixmatch.ratio * recipe.batch_size
    if unlabeled < at_once:
        raise ZooError(
            f"a batch takes {at_once} unlabeled examples, and there are {unlabeled}: --set batch_size or "
            "fixmatch.ratio to a smaller number"
        )
