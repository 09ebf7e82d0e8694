"""Plain convolutional networks: two that train in a minute, and AlexNet."""

from __future__ import annotations

from zoo.family import Family, Size, suited
from zoo.models.cnn.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule
from zoo.structure import Structure, strides

WINDOW = 6
"""The side of the map that AlexNet's first dense layer sees, in pixels."""


def structure(size: Size, height: int, width: int) -> Structure:
    """Choose a structure: AlexNet's head sees the whole last map, of 6×6 pixels at most."""
    suiting = suited(size, height, width)
    if not size.options.get("alexnet"):
        return suiting
    rows, columns = (_last_map(side, suiting) for side in (height, width))
    return Structure(suiting.halvings, window=(min(WINDOW, rows), min(WINDOW, columns)))


def _last_map(side: int, structure: Structure) -> int:
    """Return the side of AlexNet's last map, in pixels, for an image of `side` pixels."""
    first, second, *pools = strides(structure, 5)
    side = {4: (side - 7) // 4 + 1, 2: -(-side // 2), 1: side}[first * second]
    for pool in pools:
        side = (side - 3) // 2 + 1 if pool == 2 else side
    return side


FAMILY = Family(
    name="cnn",
    title="Plain CNN and AlexNet",
    reference="LeCun et al. 1998 (small, base); Krizhevsky 2014, arXiv:1404.5997, as torchvision's alexnet (large)",
    builder=f"{__name__}.network",
    figures="large: torchvision's weights of alexnet; nobody publishes figures of the others",
    small_images="pools (and the strides of AlexNet's stem) are left out, from the first on, while the last map is "
    "under 4 pixels",
    structure=structure,
    recipe=Recipe(optimizer=Optimizer(name="adamw", lr=2e-3, weight_decay=1e-2), schedule=Schedule(warmup_epochs=0.25)),
    measured="cnn base with image.flip=true and image.shift=0.05: 0.928 on Fashion-MNIST after 20 epochs "
    "(results/recipes.json)",
    recipes=RECIPES,
    sizes=(
        Size("small", (), {}, 50_186, 3_869_824, (28, 28, 1), 10, halvings=2),
        Size("base", (), {"hidden": 128}, 421_642, 4_241_152, (28, 28, 1), 10, halvings=2),
        Size(
            "large",
            ("alexnet",),
            {"alexnet": True},
            61_100_840,
            714_188_480,
            smallest_side=63,
            recipe=Recipe(
                epochs=60,
                label_smoothing=0.1,
                optimizer=Optimizer(name="adamw", lr=3e-4, weight_decay=5e-2, clip_norm=1.0),
                schedule=Schedule(warmup_epochs=2),
            ),
        ),
    ),
)
