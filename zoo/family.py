"""The record of a family: its sizes and everything else that is known about it, as data.

A family is a module of `zoo.models`, or one that an installed package adds, with its record in `FAMILY`. Nothing here
imports a framework.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.contract import LOGITS
from zoo.errors import ZooError, did_you_mean
from zoo.input import find
from zoo.named_recipe import DEFAULT, NOT_MEASURED, NamedRecipe
from zoo.recipe import Recipe
from zoo.structure import SMALLEST_SIDE, Structure, kept_halvings
from zoo.weights.pretrained import Published

SIZES = ("small", "base", "large")
"""The sizes that every family has; `small` is the default."""


@dataclass(frozen=True)
class Size:
    """A size of a family: one row of its table.

    `parameters` (trainable ones) and `multiply_adds` (for one example) are counted on the reference network, which has
    an input of `input_shape` (see `reference` of `zoo.input.Data`) and `classes` logits; a test builds it and counts
    again. It halves its input `halvings` times, and the smallest input that it takes has sides of `smallest_side`.

    `options` are keyword arguments for the family's builder. `recipe` is None if the size uses the family's. `weights`
    has the published weights by publisher (`timm`, `keras`). `differs` has a text by publisher: how the publisher's
    network of the same name differs from this one, so that its weights cannot be read.
    """

    name: str
    aliases: tuple[str, ...]
    options: Mapping[str, Any]
    parameters: int
    multiply_adds: int
    input_shape: tuple[int, ...] = (224, 224, 3)
    classes: int = 1000
    halvings: int = 5
    smallest_side: int = SMALLEST_SIDE
    recipe: Recipe | None = None
    weights: Mapping[str, Published] = field(default_factory=dict, repr=False)
    differs: Mapping[str, str] = field(default_factory=dict, repr=False)


def suited(size: Size, height: int, width: int) -> Structure:
    """Choose a structure for images of `height` by `width` pixels: small images are halved less often."""
    return Structure(kept_halvings(min(height, width), size.halvings))


@dataclass(frozen=True)
class Explanation:
    """The weights of a network that people can read: rows by name, each with a number for each label of the model."""

    title: str
    rows: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Family:
    """A network in several sizes, at least those of `SIZES`.

    Attributes:
        name: what users call it.
        title: its name in a sentence.
        reference: the papers and implementations that it follows.
        sizes: one row each.
        builder: the dotted name of the module with its `build(*inputs, labels, form, **options)`, which takes the
            symbolic network inputs of its kind in their order, the number of labels and the `form` of the network: its
            structure, or the preprocessing of kinds that record no structure. It returns `zoo.layers.Outputs`.
            Frameworks are imported with that module only.
        input: the kind of input that it takes.
        tasks: the tasks that it can be trained for.
        task_options: by task, further options of the builder; a task that is not in `tasks` has published weights only.
        pretext_options: by task that its networks are pretrained for, further options of the builder.
        figures: who publishes the figures that its sizes are compared with.
        recipe: the default recipe of every size that does not have its own.
        measured: the accuracy that the default recipe reached, with the file that records it.
        recipes: other recipes by name, published ones among them.
        small_images: one sentence about the network's changes for small images.
        structure: chooses the structure for a size and a height and width of the input, if training starts from
            nothing and the kind of input records a structure.
        undecayed: variables of two or more dimensions, as `layer/variable`, that weight decay does not apply to. It
            never applies to variables of one dimension.
        resampled: position embeddings, as `layer/variable`, which are resampled when the image size changes, see
            `zoo.weights.positions`.
        head: layers that depend on the classes. They are initialized again when the classes change.
        scaled: the layers whose channels `network.width` multiplies, each with a number of which its channels stay a
            multiple; the channels of all other layers follow from theirs. Empty for a family without attention and
            recurrence, whose layers `zoo.pruning.scaling` finds by itself.
        explainer: the dotted name of a module with `explain(weights, model)`, which needs only numpy. It takes the
            weights of a trained network, arrays by `layer/variable`, and its description, and returns an `Explanation`
            or None. Empty if the family has none.
        no_int8: the reason why int8 files of the family are refused, with the measured figure, as a clause. Empty if
            they are allowed.
    """

    name: str
    title: str
    reference: str
    sizes: tuple[Size, ...]
    builder: str
    input: str = "image"
    tasks: tuple[str, ...] = ("classes", "values")
    task_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pretext_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    figures: str = ""
    recipe: Recipe = field(default_factory=Recipe, repr=False)
    measured: str = NOT_MEASURED
    recipes: Mapping[str, NamedRecipe] = field(default_factory=dict, repr=False)
    small_images: str = "the first halvings are left out until the last map has at least 4 pixels a side"
    structure: Callable[[Size, int, int], Structure] = field(default=suited, repr=False)
    undecayed: tuple[str, ...] = ()
    resampled: tuple[str, ...] = ()
    head: tuple[str, ...] = (LOGITS,)
    scaled: Mapping[str, int] = field(default_factory=dict)
    explainer: str = ""
    no_int8: str = ""

    @property
    def all_tasks(self) -> tuple[str, ...]:
        """All tasks of its networks: those that it can be trained for, and those of published weights only."""
        return tuple(dict.fromkeys((*self.tasks, *self.task_options)))

    def options(self, size: Size, task: str) -> dict[str, Any]:
        """Return the builder's options of a size for a task."""
        return {**size.options, **self.task_options.get(task, {}), **self.pretext_options.get(task, {})}

    def reference_structure(self, size: Size) -> Structure:
        """Return the structure of the published network, which published weights need."""
        height, width, *_ = size.input_shape
        return self.structure(size, height, width)

    def explain(self, weights: Mapping[str, Any], model: Any) -> Explanation | None:
        """Explain a trained network, if the family has an explainer; `model` is its description."""
        explanation: Explanation | None = None
        if self.explainer:
            explanation = importlib.import_module(self.explainer).explain(weights, model)
        return explanation

    @property
    def named_recipes(self) -> dict[str, NamedRecipe]:
        """Its recipes by name, including those that its kind of input has for all families."""
        return {**self.recipes, **find(self.input).recipes}

    def recipe_of(self, size: Size, name: str = DEFAULT) -> Recipe:
        """Return a recipe for a size, with the section of its kind of input.

        Raises:
            ZooError: the family has no such recipe, or not for this size.
        """
        recipe = size.recipe or self.recipe
        recipe = recipe if recipe.input else dataclasses.replace(recipe, input=find(self.input).settings())
        if name == DEFAULT:
            return recipe
        named = self.named_recipes
        if name not in named:
            raise ZooError(f"{self.name} has no recipe '{name:.60}': {did_you_mean(name, (DEFAULT, *named))}")
        if named[name].sizes and size.name not in named[name].sizes:
            raise ZooError(f"{self.name}'s recipe {name} is for {', '.join(named[name].sizes)}, not for {size.name}")
        return named[name].recipe(recipe, name)

    def size(self, name: str) -> Size:
        """Return the size called `name`.

        Raises:
            ZooError: the family has no such size.
        """
        for row in self.sizes:
            if row.name == name:
                return row
        raise ZooError(f"{self.name} has no size '{name}': {did_you_mean(name, (row.name for row in self.sizes))}")
