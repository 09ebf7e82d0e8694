"""The kit that every family and size runs through.

A family's own facts are a row of `FACTS`; all the rest is the same for all.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from zoo import building, provenance, run, weights_file
from zoo.data.load import load
from zoo.recipe import Recipe
from zoo.registry import matching
from zoo.training.start import describe


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is published of a family, in the order small, base, large, and the smallest picture that users give it.

    `giga_multiply_adds` are at the reference input; None where nobody publishes one.
    """

    parameters: tuple[int, int, int]
    giga_multiply_adds: tuple[float | None, float | None, float | None]
    smallest: tuple[int, int, int]


FACTS = {
    # AlexNet: torchvision's table of weights. The two small ones are counted by hand: 3·3·1·32+32 + 3·3·32·64+64 + …
    "cnn": Facts((50_186, 421_642, 61_100_840), (None, None, 0.71), (8, 8, 1)),
    # torchvision's table of weights; parameters as in timm's resnet18, resnet50, resnet101.
    "resnet": Facts((11_689_512, 25_557_032, 44_549_160), (1.81, 4.09, 7.80), (8, 8, 1)),
    # torchvision's table of weights; parameters as in timm's vgg11_bn, vgg16_bn, vgg19_bn.
    "vgg": Facts((132_868_840, 138_365_992, 143_678_248), (7.61, 15.47, 19.63), (8, 8, 1)),
}

EVERY = [(family.name, size.name) for family, size in matching()]
IDS = [f"{family}-{size}" for family, size in EVERY]


def noise(model: Any, count: int = 2, seed: int = 0) -> np.ndarray:
    """float32 network inputs, as preprocessing would leave them."""
    return np.random.default_rng(seed).normal(size=(count, *model.input_shape[1:])).astype(np.float32)


def warmed(model: Any) -> Any:
    """The model after a few passes in training mode, so that statistics of batches are not those of a fresh model."""
    for seed in range(3):
        model(noise(model, 8, seed), training=True)
    return model


def untrained_run(folder: Path, pictures: Path, family: str, size: str, side: int) -> Path:
    """A finished run of a network whose weights are random, on a folder of pictures."""
    recipe = dataclasses.replace(Recipe(), picture=dataclasses.replace(Recipe().picture, size=side))
    dataset = load(f"folder:{pictures}", split=recipe.split)
    description = describe(family, size, dataset, recipe.picture)
    made = provenance.here(seed=0)
    finished = dataclasses.replace(made, finished=provenance.now())
    model = warmed(building.build(description))
    folder.mkdir(parents=True)
    weights_file.save(folder / run.WEIGHTS, weights_file.weights(model))
    run.write(folder, run.Run(run.SCHEMA, description, dataset.description(), recipe, finished))
    return folder
