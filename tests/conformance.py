"""The kit that every family and size runs through.

A family's own facts are a row of `FACTS`; all the rest is the same for all.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo import factory, migration, provenance, run, weights_file
from zoo.data.load import load
from zoo.recipe import Recipe
from zoo.registry import matching, resolve
from zoo.training.start import describe


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is published of a family, in the order small, base, large, and the smallest image that users give it.

    `giga_multiply_adds` of an image of `sides`, in pixels; None where nobody publishes one. All are of the convention
    of `zoo.complexity`: products of convolutions and matrices, attention's own among them, and nothing else.
    """

    parameters: tuple[int, int, int]
    giga_multiply_adds: tuple[float | None, float | None, float | None]
    smallest: tuple[int, int, int]
    sides: tuple[int, int, int] = (224, 224, 224)


FACTS = {
    # Multiply-adds: `_ops` of torchvision's weights (torchvision/models/*.py, 0.15), but where a row says otherwise.
    # Parameters: of the timm models that each family's file names.
    # AlexNet's parameters: torchvision's too. The small ones' by hand: 3·3·1·32+32 + 3·3·32·64+64 + …
    "cnn": Facts((50_186, 421_642, 61_100_840), (None, None, 0.714), (8, 8, 1)),
    "resnet": Facts((11_689_512, 25_557_032, 44_549_160), (1.814, 4.089, 7.801), (8, 8, 1)),
    "vgg": Facts((132_868_840, 138_365_992, 143_678_248), (7.609, 15.47, 19.632), (8, 8, 1)),
    # Large 0.75: tensorflow/models, research/slim/nets/mobilenet/README.md.
    "mobilenet": Facts((2_542_856, 3_993_528, 5_483_032), (0.057, 0.155, 0.217), (8, 8, 1)),
    "efficientnet": Facts(
        (21_458_488, 54_139_356, 118_515_272), (8.366, 24.582, 56.08), (8, 8, 1), sides=(384, 480, 480)
    ),
    # v4 and ResNet v2: timm's results/benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv.
    "inception": Facts((23_834_568, 42_679_816, 55_843_464), (5.713, 12.28, 13.18), (8, 8, 1), sides=(299, 299, 299)),
    "convnext": Facts((50_223_688, 88_591_464, 197_767_336), (8.684, 15.355, 34.361), (8, 8, 1)),
    # Small: timm's file as above. (Others of its files say 4.25: fused attention hides its products from the counter.)
    "vit": Facts((22_050_664, 86_567_656, 304_326_632), (4.61, 17.564, 61.555), (8, 8, 1)),
}

LARGEST_DAILY = 30_000_000
"""Parameters; a larger network, unless it is its family's small one, goes through the kit with --full only."""


def daily(family: str, size: str) -> bool:
    """Whether a network goes through the whole kit in every run of the tests."""
    return size == "small" or resolve(family, size)[1].parameters <= LARGEST_DAILY


def parameter(family: str, size: str) -> Any:
    """A network as an argument of a test."""
    marks = () if daily(family, size) else pytest.mark.full
    return pytest.param(family, size, id=f"{family}-{size}", marks=marks)


EVERY = [parameter(family.name, size.name) for family, size in matching()]


def noise(model: Any, count: int = 2, seed: int = 0) -> np.ndarray:
    """float32 network inputs, as preprocessing would leave them."""
    return np.random.default_rng(seed).normal(size=(count, *model.input_shape[1:])).astype(np.float32)


def warmed(model: Any) -> Any:
    """The model after a few passes in training mode, so that statistics of batches are not those of a fresh model."""
    for seed in range(3):
        model(noise(model, 8, seed), training=True)
    return model


def untrained_run(folder: Path, images: Path, family: str, size: str, side: int) -> Path:
    """A finished run of a network whose weights are random, on a folder of images."""
    recipe = dataclasses.replace(Recipe(), image=dataclasses.replace(Recipe().image, size=side))
    dataset = load(f"folder:{images}", split=recipe.split)
    description = describe(family, size, dataset, recipe.image)
    made = provenance.here(seed=0)
    finished = dataclasses.replace(made, finished=provenance.now())
    model = warmed(factory.build(description))
    folder.mkdir(parents=True)
    weights_file.save(folder / run.WEIGHTS, weights_file.weights(model))
    run.write(folder, run.Run(migration.SCHEMA, description, dataset.description(), recipe, finished))
    return folder
