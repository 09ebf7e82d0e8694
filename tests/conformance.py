"""Published figures and helpers of the conformance tests, which every family and size must pass.

Each network has a row in `FACTS`; the tests are the same for all networks.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.weights.published import PEERS
from zoo import factory, migration, provenance, run, weights_file
from zoo.data.dataset import Dataset
from zoo.data.fitting import fitting
from zoo.data.load import load
from zoo.description import Model
from zoo.family import SIZES, Family, Size
from zoo.input import find, kind_of
from zoo.recipe import Recipe, Split
from zoo.registry import matching, resolve
from zoo.training.describe import describe


@dataclasses.dataclass(frozen=True)
class Facts:
    """The published figures of a network: trainable parameters, and multiply-adds for an input of `side`.

    `side` is that of an image in pixels, or the number of columns of a row.

    `giga_multiply_adds` counts only products of convolutions and matrices, including those of attention, as
    `zoo.complexity` does; None if nobody has published such a number.
    """

    parameters: int
    giga_multiply_adds: float | None
    side: int = 224


FACTS = {
    # Parameters: of the timm models that each family's record names, and AlexNet's of torchvision; those of the other
    # two CNNs by hand: 3·3·1·32+32 + 3·3·32·64+64 + …
    # Multiply-adds: `_ops` of torchvision's weights (torchvision/models/*.py, 0.15) unless a comment says otherwise.
    ("cnn", "small"): Facts(50_186, None),
    ("cnn", "base"): Facts(421_642, None),
    ("cnn", "large"): Facts(61_100_840, 0.714),
    ("resnet", "small"): Facts(11_689_512, 1.814),
    ("resnet", "34"): Facts(21_797_672, 3.664),
    ("resnet", "base"): Facts(25_557_032, 4.089),
    ("resnet", "large"): Facts(44_549_160, 7.801),
    ("vgg", "small"): Facts(132_868_840, 7.609),
    ("vgg", "base"): Facts(138_365_992, 15.47),
    ("vgg", "large"): Facts(143_678_248, 19.632),
    ("mobilenet", "small"): Facts(2_542_856, 0.057),
    # tensorflow/models, research/slim/nets/mobilenet/README.md, of large 0.75.
    ("mobilenet", "base"): Facts(3_993_528, 0.155),
    ("mobilenet", "large"): Facts(5_483_032, 0.217),
    # google/automl, efficientnetv2/README.md, of B0 to B3.
    ("efficientnet", "b0"): Facts(7_139_704, 0.72),
    ("efficientnet", "b1"): Facts(8_141_052, 1.2, side=240),
    ("efficientnet", "b2"): Facts(10_096_086, 1.7, side=260),
    ("efficientnet", "b3"): Facts(14_358_406, 3.0, side=300),
    ("efficientnet", "small"): Facts(21_458_488, 8.366, side=384),
    ("efficientnet", "base"): Facts(54_139_356, 24.582, side=480),
    ("efficientnet", "large"): Facts(118_515_272, 56.08, side=480),
    ("inception", "small"): Facts(23_834_568, 5.713, side=299),
    # timm's results/benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv, of v4 and ResNet v2.
    ("inception", "base"): Facts(42_679_816, 12.28, side=299),
    ("inception", "large"): Facts(55_843_464, 13.18, side=299),
    ("convnext", "tiny"): Facts(28_589_128, 4.456),
    ("convnext", "small"): Facts(50_223_688, 8.684),
    ("convnext", "base"): Facts(88_591_464, 15.355),
    ("convnext", "large"): Facts(197_767_336, 34.361),
    # timm's file as above, of tiny and small. (Others of its files say 1.08 and 4.25: fused attention hides its
    # products from the counter.)
    ("vit", "tiny"): Facts(5_717_416, 1.26),
    ("vit", "small"): Facts(22_050_664, 4.61),
    ("vit", "base"): Facts(86_567_656, 17.564),
    ("vit", "large"): Facts(304_326_632, 61.555),
    # By hand, of ten columns and two classes: terms·2+2, and terms·2 products, where the terms are the columns, with
    # 10·11/2 products of pairs, or with 4 pieces of each.
    ("linear", "small"): Facts(22, 20e-9, side=10),
    ("linear", "base"): Facts(132, 130e-9, side=10),
    ("linear", "large"): Facts(102, 100e-9, side=10),
    # By hand: 10·64+64 + 64·2+2; 10·128+128 + 128·128+128 + 128·2+2; (10+80)·256+256 + 256·256+256 + 256·2+2.
    ("mlp", "small"): Facts(834, 768e-9, side=10),
    ("mlp", "base"): Facts(18_178, 17_920e-9, side=10),
    ("mlp", "large"): Facts(89_602, 89_088e-9, side=10),
    # By hand, for 12 words and 98 frames of 40 bands; nobody publishes figures. Small has parameters 3·3·1·16 + 2·16 +
    # 3·3·16·24 + … on maps of 49·20, 25·10, 13·5 and 7·3. The others have 11·40 + 40·128 + 2·128 + 13·128 + 128·64 + …
    # on 49 frames.
    ("keyword", "small"): Facts(64_620, 0.002567904, side=16_000),
    ("keyword", "base"): Facts(87_108, 0.004099896, side=16_000),
    ("keyword", "large"): Facts(313_028, 0.015002168, side=16_000),
    # transformers' Wav2Vec2Model has 94,371,712 and 315,438,720 parameters. Here are neither masked_spec_embed nor the
    # 128 lengths of weight norm, but a projector to 256 and 12 classes. Small by hand.
    ("wav2vec2", "small"): Facts(23_726_860, None, side=16_000),
    ("wav2vec2", "base"): Facts(94_371_712 - 768 - 128 + 768 * 256 + 256 + 256 * 12 + 12, None, side=16_000),
    ("wav2vec2", "large"): Facts(315_438_720 - 1024 - 128 + 1024 * 256 + 256 + 256 * 12 + 12, None, side=16_000),
    # By hand: 8192·64 + 4·64·(64+64+1) + 2·(64+1), and so on; multiply-adds are checked by tests/models/test_lstm.py.
    ("lstm", "small"): Facts(557_442, None),
    ("lstm", "base"): Facts(1_312_258, None),
    ("lstm", "large"): Facts(4_723_714, None),
    # transformers' BertForSequenceClassification of two classes (5.x, num_parameters()), of small without the pooler.
    ("bert", "small"): Facts(22_566_146, None),
    ("bert", "mini"): Facts(28_764_674, None),
    ("bert", "base"): Facts(109_483_778, None),
    ("bert", "large"): Facts(335_143_938, None),
}

SMALLEST = (8, 8, 1)
"""The smallest image that users give a network: height, width and channels."""

LARGEST_DAILY = 30_000_000
"""Parameters of the largest networks that every run of the tests builds and exports. VGG's are more."""


def smallest(family: Family) -> Size:
    """Return the size of a family that has the fewest multiply-adds.

    All others have the same builder, and are tested only with --full.
    """
    return min(family.sizes, key=lambda size: size.multiply_adds)


def cheapest(kind: str) -> tuple[str, str]:
    """Return the family and size of the network with the fewest multiply-adds among those with this kind of input."""
    family, size = min(
        (network for network in matching() if network[0].input == kind), key=lambda network: network[1].multiply_adds
    )
    return family.name, size.name


def daily(family: Family, size: Size) -> bool:
    """Return whether a network is tested in every run of the tests, not only with --full."""
    return size is smallest(family) and size.parameters <= LARGEST_DAILY


def parameter(family: Family, size: Size, every_run: bool) -> Any:
    """Return a network as an argument of a test; without `every_run`, the test runs only with --full."""
    return pytest.param(
        family.name, size.name, id=f"{family.name}-{size.name}", marks=() if every_run else pytest.mark.full
    )


EVERY = [parameter(family, size, daily(family, size)) for family, size in matching()]
"""All networks."""

COUNTED = [
    parameter(
        family,
        size,
        size.name == SIZES[0] or size.parameters <= LARGEST_DAILY or (family.name, size.name) in PEERS,
    )
    for family, size in matching()
]
"""All networks, for tests of what is a size's own: its row."""

OF_IMAGES = [one for one in EVERY if resolve(*one.values)[0].input == "image"]
"""The networks that take images, for tests of what is a structure's own."""


def noise(model: Any, count: int = 2, seed: int = 0) -> np.ndarray:
    """Make float32 images, as preprocessing would leave them, for a network of images."""
    return np.random.default_rng(seed).normal(size=(count, *model.input_shape[1:])).astype(np.float32)


def inputs(description: Model, count: int = 2, seed: int = 0) -> dict[str, Any]:
    """Make network inputs of random examples of the model's kind."""
    kind, preprocessing = kind_of(description.preprocessing), description.preprocessing
    raw = kind.client.noise(preprocessing, count, np.random.default_rng(seed))
    return kind.graph.prepared(kind.client.encode(raw, preprocessing), preprocessing)


def warmed(model: Any, description: Model) -> Any:
    """Run a model a few times in training mode, so that its batch statistics change; return it."""
    for seed in range(3):
        factory.apply(model, inputs(description, 8, seed), training=True)
    return model


SHORT: dict[str, dict[str, Any]] = {"audio": {"seconds": 0.5}, "text": {"max_length": 24}}
"""Settings of small inputs of the kinds that have a length."""

FEW_TESTED = Split(test=0.04)
"""Splits of the default data of these kinds, of which the gates need a few test examples only."""


def described(images: Path, family: str, size: str, side: int) -> tuple[Model, Dataset, Recipe]:
    """Describe a network for a folder of images scaled to `side`, or for a part of another kind's default data."""
    record, row = resolve(family, size)
    kind = find(record.input)
    small = {"size": side} if record.input == "image" else SHORT.get(record.input, {})
    split = FEW_TESTED if record.input in SHORT else Split()
    recipe = Recipe(input=dataclasses.replace(record.recipe_of(row).input, **small), split=split)
    source = f"folder:{images}" if record.input == "image" else kind.default_data
    dataset = load(source, record.input, split=recipe.split)
    model = describe(record, row, dataset, recipe)
    return model, fitting(dataset, model.preprocessing), recipe


def untrained_run(folder: Path, images: Path, family: str, size: str, side: int) -> Path:
    """Write a finished run of a network with random weights, on the data of `described`."""
    description, dataset, recipe = described(images, family, size, side)
    made = provenance.here(seed=0)
    finished = dataclasses.replace(made, finished=provenance.now())
    model = warmed(factory.build(description), description)
    folder.mkdir(parents=True)
    weights_file.save(folder / run.WEIGHTS, weights_file.weights(model))
    run.write(folder, run.Run(migration.SCHEMA, description, dataset.description(), recipe, finished))
    return folder
