"""Decide everything about a requested training that needs neither its data nor TensorFlow, or refuse the request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo import named_recipe, pretext
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.recipe import Recipe
from zoo.training import distillation, fine_tuning, without_labels
from zoo.training.request import TrainingRequest
from zoo.training.teacher import Found, find_teacher


@dataclass(frozen=True)
class Decision:
    """The network of a request, its recipe, and its teacher.

    Attributes:
        family: the family of the network.
        size: one of its sizes.
        recipe_name: the name of the recipe, or of its file.
        recipe: the recipe with all changes. Its batch may still be larger than the data.
        teacher: the teacher; None if there is none.
    """

    family: Family
    size: Size
    recipe_name: str
    recipe: Recipe
    teacher: Found | None


def decide(request: TrainingRequest) -> Decision:
    """Decide family, size, recipe and teacher of a requested training, without its data.

    Raises:
        ZooError: something that the request names does not exist, or its parts do not fit together.
        Refused: the teacher is damaged.
    """
    method, settings, unlabeled = request.method, request.settings, request.unlabeled
    if method is not None:
        pretext.refuse_unknown(method)
    family, size = fine_tuning.network(request.family, request.size, request.weights)
    name, recipe = named_recipe.choose(family, size, request.recipe, from_weights=request.weights is not None)
    recipe = without_labels.recipe_of(recipe, settings, method, unlabeled)
    recipe = distillation.requested(recipe, request.teacher, unlabeled)
    teacher = find_teacher(request.teacher, family.input) if request.teacher else None
    without_labels.check(family, recipe, settings, method, unlabeled)
    _check_weights(recipe, request.weights)
    return Decision(family, size, name, recipe, teacher)


def _check_weights(recipe: Recipe, weights: Path | None) -> None:
    """Raise ZooError if a recipe needs weights to start from and there are none, or its changes exclude each other."""
    if recipe.freeze and weights is None:
        raise ZooError("freeze trains only the head of a trained network: name the run to take --weights from")
    if recipe.prune.share and weights is None:
        raise ZooError("channels are removed from a trained network: name the run to take --weights from")
    if recipe.prune.share and recipe.freeze:
        raise ZooError("freeze trains the head only, but all layers of a pruned network must be trained: leave one out")
    if recipe.freeze and max(recipe.network.dropout, recipe.network.drop_path) > 0:
        raise ZooError("freeze trains the head of a network in which nothing is dropped: leave freeze or network.* out")
