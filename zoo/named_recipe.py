"""Recipes with a name: their records, and the choice of one by its name or from a user's file.

The records are in the modules of the families, and, for recipes that all families of a kind of input share, in the
package of that kind.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import keys_file
from zoo.errors import ZooError
from zoo.files import expanded
from zoo.recipe import Recipe, changed
from zoo.schema import record

if TYPE_CHECKING:
    from zoo.family import Family, Size

DEFAULT = "default"
"""The name of the recipe that a family has for each size; it is used if no recipe is named."""

NOT_PUBLISHED = "no accuracy of this recipe is published, and zoo has not measured it"
NOT_MEASURED = "zoo has not measured the accuracy of this recipe"


@dataclass(frozen=True, kw_only=True)
class NamedRecipe:
    """A recipe with its origin.

    Attributes:
        title: the recipe in one line.
        source: who published it, and where.
        cost: the cost of a training: epochs, batch, and machines and hours if they are published.
        expected: the accuracy to expect, of which network on which data, and where that figure is published.
        keys: values by the keys that people set, such as `optimizer.lr`.
        changes: whether `keys` change the family's default recipe; otherwise, all other keys have the defaults of
            `zoo.recipe.Recipe`.
        differs: the differences from the published recipe. Empty if there are none.
        sizes: the sizes of the family that it is for; empty for all.
        from_weights: whether training starts from the weights of a run.
    """

    title: str
    source: str
    cost: str
    keys: Mapping[str, Any]
    expected: str = NOT_PUBLISHED
    changes: bool = False
    differs: str = ""
    sizes: tuple[str, ...] = ()
    from_weights: bool = False

    def recipe(self, default: Recipe, name: str) -> Recipe:
        """Return the recipe for a size whose default recipe is `default`."""
        neutral = Recipe(input=type(default.input)())
        return changed(default if self.changes else neutral, self.keys, f"recipe {name}")


@record
class RecipeFile:
    """A recipe file that was read: its name, and its values by dotted key, which change a family's default recipe."""

    name: str
    keys: dict[str, Any]


RecipeChoice = str | os.PathLike[str] | RecipeFile
"""The name of a recipe, or a recipe file, read already or not."""


def choose(family: Family, size: Size, asked: RecipeChoice | None, *, from_weights: bool) -> tuple[str, Recipe]:
    """Return the name of the recipe that was asked for, and the recipe.

    Args:
        family: the family.
        size: one of its sizes.
        asked: the recipe; None for the default recipe.
        from_weights: whether training starts from the weights of a run.

    Raises:
        ZooError: there is no such recipe or file, the recipe is for another size or needs weights, or the file cannot
            be read or has keys or values that do not fit.
    """
    name = DEFAULT if asked is None else read_if_file(asked)
    if isinstance(name, RecipeFile):
        return name.name, changed(family.recipe_of(size), name.keys, name.name)
    recipe = family.recipe_of(size, name)
    if name != DEFAULT and family.named_recipes[name].from_weights and not from_weights:
        raise ZooError(f"the recipe {name} starts from weights: choose another, or name the run to take --weights from")
    return name, recipe


def read_if_file(asked: RecipeChoice) -> str | RecipeFile:
    """Return the name of a recipe as it is, and read a recipe file, so that later changes of the file do not matter.

    Raises:
        ZooError: the file cannot be read, or an object of another type is given.
    """
    if isinstance(asked, RecipeFile):
        return asked
    if not isinstance(asked, str | os.PathLike):
        raise ZooError(
            f"recipe is an object of type {type(asked).__name__}: name a recipe or a file, and change keys with "
            "set={'epochs': 10}"
        )
    name = os.fspath(asked)
    path = Path(name)
    return RecipeFile(path.name, keys_file.read(expanded(path), "recipe")) if path.suffix in keys_file.ENDINGS else name
