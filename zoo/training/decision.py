"""Decide everything about a requested training that needs neither its data nor TensorFlow, or refuse the request."""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from zoo import named_recipe, pretext, run
from zoo.data.source import moved
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.input import Input, find
from zoo.recipe import WIDTH, Prune, Recipe, Split, changed, flat, set_keys
from zoo.training import distillation, fine_tuning, without_labels
from zoo.training.effect import TURNED_OFF
from zoo.training.request import DataRequest, TrainingRequest
from zoo.training.teacher import Found, find_teacher
from zoo.weights.pretrained import KerasApplication


@dataclass(frozen=True)
class Decision:
    """The network of a request, its data, its recipe, and its teacher.

    Attributes:
        family: the family of the network.
        size: one of its sizes.
        data: the data as requested, or those of the run that the weights come from; without a source for the default
            data of the family's kind of input.
        recipe_name: the name of the recipe, or of its file.
        recipe: the recipe with all changes. Its batch may still be larger than the data.
        named: the keys of the recipe that the request changes: by settings, or by a recipe file with other values than
            the default recipe.
        teacher: the teacher; None if there is none.
    """

    family: Family
    size: Size
    data: DataRequest
    recipe_name: str
    recipe: Recipe
    named: frozenset[str]
    teacher: Found | None


def decide(request: TrainingRequest) -> Decision:
    """Decide family, size, source of data, recipe and teacher of a requested training, without loading its data.

    Raises:
        ZooError: something that the request names does not exist, or its parts do not fit together.
        Refused: the teacher is damaged.
    """
    method, settings, unlabeled = request.method, request.settings, request.unlabeled
    if method is not None:
        pretext.refuse_unknown(method)
    family, size = fine_tuning.family_and_size(request.family, request.size, request.weights)
    choice = None if request.recipe is None else named_recipe.read_if_file(request.recipe)
    name, recipe = named_recipe.choose(family, size, choice, from_weights=request.weights is not None)
    named = frozenset(_changed_keys(choice, recipe, family.recipe_of(size)) | set_keys(settings))
    recipe = without_labels.recipe_of(recipe, settings, method, unlabeled)
    recipe = distillation.with_teacher(recipe, named, request.teacher, unlabeled)
    teacher = find_teacher(request.teacher, family.input) if request.teacher else None
    without_labels.check(family, recipe, named, method, unlabeled)
    recipe = _with_fitting_schedule(recipe, named)
    # The run that the weights come from may have another value than the default; a file changes it by stating the
    # default.
    stated = named.union(choice.keys if isinstance(choice, named_recipe.RecipeFile) else ())
    if request.weights is None:
        _check_without_weights(recipe)
    else:
        kind = find(family.input)
        _check_with_weights(recipe, stated, kind)
        _check_norms(recipe, family, size, request.weights)
        recipe = _with_keys_of_weights(recipe, request.weights, kind)
        if recipe.freeze:
            recipe = changed(recipe, dict.fromkeys(_rates(recipe), 0.0))
    data = request.data
    if request.weights is not None and data.source is None:
        data, split = _data_of_weights(request.weights, data)
        if not any(key.startswith("split.") for key in stated):
            recipe = dataclasses.replace(recipe, split=split)
    return Decision(family, size, data, name, recipe, named, teacher)


def _data_of_weights(weights: Path, data: DataRequest) -> tuple[DataRequest, Split]:
    """Return the data that a run was trained on, and how it drew its splits.

    Args:
        weights: the run.
        data: the requested data, which name no source; their other fields replace those of the run.

    Raises:
        ZooError: the run was not trained here.
    """
    this = run.read_finished(weights)
    if this.data is None or this.recipe is None:
        raise ZooError(f"{weights} has no data of its own: name the data to train on with --data")
    source, data_dir = moved(this.data.source, this.data.data_dir, data.data_dir)
    options = {**this.data.options, **data.options}
    return dataclasses.replace(data, source=source, data_dir=data_dir, options=options), this.recipe.split


def _changed_keys(choice: named_recipe.RecipeChoice | None, recipe: Recipe, default: Recipe) -> set[str]:
    """Return the keys that a recipe file changes; a named recipe is not a change of the user's."""
    if not isinstance(choice, named_recipe.RecipeFile):
        return set()
    values, usual = flat(recipe), flat(default)
    return {key for key in choice.keys if values[key] != usual[key]}


def _with_fitting_schedule(recipe: Recipe, named: Set[str]) -> Recipe:
    """Shorten the warm-up and the time at the highest rate, where the training is too short for the recipe's own.

    Both together then take at most half of the training, so that the rate reaches its highest value and has time to
    fall. The user's values stay. A length that has no effect with the schedule's shape does not count.

    Args:
        recipe: the recipe.
        named: the keys that the request changes.

    Raises:
        ZooError: the user's values are longer than the training.
    """
    schedule, epochs = recipe.schedule, recipe.epochs
    lengths = {
        key: getattr(schedule, key)
        for key in ("warmup_epochs", "hold_epochs")
        if schedule.shape not in TURNED_OFF[f"schedule.{key}"][1]
    }
    user_lengths = {key: length for key, length in lengths.items() if f"schedule.{key}" in named}
    if sum(user_lengths.values()) > epochs:
        stated = " and ".join(f"schedule.{key}={length:g}" for key, length in user_lengths.items())
        are, them = ("is", "it") if len(user_lengths) == 1 else ("are together", "their sum")
        raise ZooError(f"{stated} {are} longer than the training: set {them} to at most the {epochs} epochs")
    recipe_lengths = {key: length for key, length in lengths.items() if key not in user_lengths and length > 0}
    room = max(0.0, epochs / 2 - sum(user_lengths.values()))
    if sum(recipe_lengths.values()) <= room:
        return recipe
    shorter = {key: length * room / sum(recipe_lengths.values()) for key, length in recipe_lengths.items()}
    return dataclasses.replace(recipe, schedule=dataclasses.replace(schedule, **shorter))


def _kept_by_weights(kind: Input) -> list[str]:
    """List the keys of a recipe that the weights decide, if training starts from weights."""
    return [*sorted(f"{kind.kind}.{key}" for key in kind.kept_by_weights), WIDTH]


def _with_keys_of_weights(recipe: Recipe, weights: Path, kind: Input) -> Recipe:
    """Return a recipe with the values that the weights decide; those of a pulled run, which has no recipe, stay."""
    recipe_of_weights = run.read_finished(weights).recipe
    if recipe_of_weights is None:
        return recipe
    values = flat(recipe_of_weights)
    return changed(recipe, {key: values[key] for key in _kept_by_weights(kind) if key in values})


def _check_without_weights(recipe: Recipe) -> None:
    """Raise ZooError if a recipe needs weights to start from."""
    advice = "and this one starts from scratch: leave it out, or name the run to take --weights from"
    if recipe.freeze:
        raise ZooError(f"freeze trains only the head of a trained network, {advice}")
    if recipe.prune != Prune():
        raise ZooError(f"prune.… removes channels of a trained network, {advice}")


def _check_with_weights(recipe: Recipe, named: Set[str], kind: Input) -> None:
    """Raise ZooError if a recipe changes what its weights decide, or its changes exclude each other.

    Args:
        recipe: the recipe.
        named: the keys that the request states.
        kind: the network's kind of input.
    """
    for key in _kept_by_weights(kind):
        if key in named:
            raise ZooError(f"{key} follows from the weights that training starts from: leave it out")
    if recipe.prune.share == 0 and recipe.prune != Prune():
        raise ZooError("prune.multiple is about pruning: name the share to keep with --prune, or leave it out")
    if recipe.prune.share and recipe.freeze:
        raise ZooError("freeze trains the head only, but all layers of a pruned network must be trained: leave one out")
    rates = [key for key in _rates(recipe) if key in named]
    if recipe.freeze and rates:
        raise ZooError(f"freeze switches dropout off: leave freeze or {' and '.join(rates)} out")


def _rates(recipe: Recipe) -> list[str]:
    """List the keys of the rates with which a recipe drops values or residual branches."""
    values = flat(recipe)
    return [key for key in ("network.dropout", "network.drop_path") if values[key] > 0]


def _check_norms(recipe: Recipe, family: Family, size: Size, weights: Path) -> None:
    """Raise ZooError if training would normalize batches in a network whose published weights do without it.

    Batch normalizations that the published network lacks are the identity in inference only: in training they normalize
    by the moments of each batch, which changes the network from the first step on. Frozen layers run as in inference.

    Args:
        recipe: the recipe.
        family: the family of the network.
        size: its size.
        weights: the run that the weights come from.
    """
    published = size.weights.get(run.publisher_of_weights(run.read_finished(weights)) or "")
    if isinstance(published, KerasApplication) and published.lacks_norms and not recipe.freeze:
        raise ZooError(
            f"the weights of {weights} are of Keras' {published.model}, which has no batch normalization, and training "
            f"would add it: train only the head with --freeze, or pull timm's weights of {family.name} {size.name}"
        )
