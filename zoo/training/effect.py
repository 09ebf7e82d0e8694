"""Refuse keys of a recipe that a request sets and that have no effect, because another key turns them off."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.input import find
from zoo.recipe import Recipe, flat

if TYPE_CHECKING:
    from zoo.training.decision import Decision

Off = tuple[str, tuple[Any, ...]]
"""A key, and its values with which another key has no effect."""

TURNED_OFF: dict[str, Off] = {
    "label_seed": ("label_fraction", (1.0,)),
    "schedule.warmup_epochs": ("schedule.shape", ("one_cycle",)),
    "schedule.hold_epochs": ("schedule.shape", ("constant", "step", "one_cycle")),
    "schedule.drop_epochs": ("schedule.shape", ("cosine", "constant", "linear", "one_cycle")),
    "schedule.drop": ("schedule.shape", ("cosine", "constant", "linear", "one_cycle")),
}
"""The keys of all recipes that another key can turn off; those of a kind of input are in its record."""


def check_effect(decision: Decision) -> None:
    """Check that each key that a request sets has an effect.

    The trials of a search are not checked: a trial may draw a value that turns off another key of the space.

    Raises:
        ZooError: a key is set to another value than the family's default and has no effect.
    """
    kind = find(decision.family.input)
    switches_of_input = {
        f"{kind.kind}.{key}": (f"{kind.kind}.{switch}", off) for key, (switch, off) in kind.turned_off.items()
    }
    values, usual = flat(decision.recipe), flat(decision.family.recipe_of(decision.size))
    strong = flat(_of_strong_views(decision.recipe))
    for key, (switch, off) in {**TURNED_OFF, **switches_of_input}.items():
        without_effect = values[switch] in off and strong[switch] in off
        if key in decision.named and values[key] != usual[key] and without_effect:
            raise ZooError(f"{key} has no effect with {switch}={values[switch]}: change that, or leave {key} out")


def _of_strong_views(recipe: Recipe) -> Recipe:
    """Return a recipe as it applies to the strong views of unlabeled examples; unchanged if it asks for none."""
    views = find(recipe.input.kind).views if recipe.fixmatch.ratio else None
    return dataclasses.replace(recipe, input=views.strong(recipe.input)) if views else recipe
