"""The functions of `zoo.task.Pretext` for SimCLR: the projection head, and batches of two views of each image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from zoo.data.share import Share
from zoo.errors import ZooError
from zoo.input import find
from zoo.inputs.image import views
from zoo.inputs.image.recipes import for_pretraining
from zoo.tasks.simclr import VIEWS

if TYPE_CHECKING:
    from zoo.data.dataset import Examples
    from zoo.description import Model
    from zoo.family import Family
    from zoo.recipe import Recipe

MOST_HIDDEN = 512
"""The most units of the projection's hidden layer; a network with fewer features has a unit for each of them."""

recipe = for_pretraining


def check(family: Family, recipe: Recipe) -> None:
    """Raise ZooError where the family takes no images, or an image would be compared with only a part of its batch."""
    if family.input != "image":
        raise ZooError(f"simclr compares images, and {family.name} takes {find(family.input).plural}: name another")
    if recipe.accumulate > 1:
        raise ZooError("simclr compares all images of a batch: leave accumulate out, or take a smaller batch_size")
    if recipe.batch_size < 2:
        raise ZooError("simclr compares the images of a batch: --set batch_size=2 or more")


def network(trunk: Any, model: Model, recipe: Recipe) -> Any:
    """Add a projection head: a hidden layer, and values of length 1, divided by the root of the temperature."""
    import keras

    features = trunk.output
    x = keras.layers.Dense(min(features.shape[-1], MOST_HIDDEN), name="projection_hidden")(features)
    x = keras.layers.ReLU(name="projection_relu")(x)
    x = keras.layers.Dense(recipe.simclr.projection, name="projection")(x)
    x = keras.layers.UnitNormalization(name="projection_unit")(x)
    x = keras.layers.Rescaling(1 / math.sqrt(recipe.simclr.temperature), name="projection_scale")(x)
    return keras.Model(trunk.input, x, name=trunk.name)


def training_batches(
    examples: Examples, model: Model, recipe: Recipe, *, epoch: int, start: int = 0, share: Share
) -> Any:
    """Return one epoch as a tf.data.Dataset of (image [batch, 2, height, width, channels], zeros [batch])."""
    view, numbers = views.distorting(model.preprocessing, recipe.input, recipe.simclr.color, recipe.simclr.blur)
    return views.training_views(
        examples, model.preprocessing, view, numbers,
        views=VIEWS, batch_size=recipe.batch_size, key=(recipe.seed, epoch), start=start, share=share,
    )  # fmt: skip


def evaluation_batches(examples: Examples, model: Model, recipe: Recipe, *, share: Share) -> Any:
    """Return two views of every image, the same each time, as (image, zeros [batch], weights float32 [batch])."""
    view, numbers = views.distorting(model.preprocessing, recipe.input, recipe.simclr.color, recipe.simclr.blur)
    return views.evaluation_views(
        examples, model.preprocessing, view, numbers,
        views=VIEWS, batch_size=recipe.batch_size, key=(recipe.seed,), share=share,
    )  # fmt: skip
