"""The structure of a network is chosen once: weights keep it at every image size and in every later verb."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoo
from tests.conformance import noise, smallest, untrained_run
from tests.conftest import Answer
from zoo import factory, run, weights_file
from zoo.data.load import load
from zoo.errors import ZooError
from zoo.inputs.image.settings import ImageSettings
from zoo.layers import AdaptiveAverage
from zoo.recipe import Recipe
from zoo.registry import families, resolve
from zoo.structure import Structure
from zoo.training.describe import describe

OF_IMAGES = sorted(name for name, family in families().items() if family.input == "image")
MADE_FOR_LARGE_ONES = [name for name in OF_IMAGES if name != "cnn"]
"""Families whose published networks were made for 224 pixels and more."""


def shapes(family: str, side: int, structure: str | None = "reference") -> dict[str, tuple[int, ...]]:
    model = zoo.create(family, classes=5, input_shape=(side, side, 3), structure=structure)  # type: ignore[arg-type]
    return {name: tuple(variable.shape) for name, variable in weights_file.weights(model).items()}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "sides", [(96, 224), pytest.param((64, 96, 160, 224), marks=pytest.mark.full)], ids=lambda sides: str(len(sides))
)
@pytest.mark.parametrize("family", MADE_FOR_LARGE_ONES)
def test_the_reference_has_the_same_weights_at_every_image_size(family: str, sides: tuple[int, ...]) -> None:
    first, *others = (shapes(family, side) for side in sides if side >= resolve(family)[1].smallest_side)
    for found in others:
        # A ViT has a position for each patch; they are resampled.
        differing = {name for name in first.keys() | found.keys() if first.get(name) != found.get(name)}
        assert differing <= {"tokens/positions"}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("family", ["resnet", "mobilenet", "efficientnet", "convnext", "inception"])
def test_the_reference_halves_small_images_as_often_as_large_ones(family: str) -> None:
    side = max(64, resolve(family)[1].smallest_side)
    create = zoo.create(family, classes=5, input_shape=(side, side, 3), structure="reference", features=True)
    assert max(create.strides.values()) == 32
    suited = zoo.create(family, classes=5, input_shape=(side, side, 3), features=True)
    assert max(suited.strides.values()) == 16


@pytest.mark.parametrize("family", OF_IMAGES)
def test_the_smallest_image_of_the_reference_is_the_one_that_the_registry_names(family: str) -> None:
    record, _ = resolve(family)
    # Only the largest CNN has a reference.
    row = record.size("large") if family == "cnn" else smallest(record)
    shape = (row.smallest_side, row.smallest_side, 3)
    model = zoo.create(family, size=row.name, classes=5, input_shape=shape, structure="reference")
    assert np.isfinite(model(noise(model), training=False)).all()
    below = row.smallest_side - 1
    with pytest.raises(ZooError, match="pixels"):
        zoo.create(family, size=row.name, classes=5, input_shape=(below, below, 3), structure="reference")


def test_a_structure_is_an_argument() -> None:
    features = zoo.create("resnet", classes=5, input_shape=(96, 96, 3), structure=Structure(3), features=True)
    assert max(features.strides.values()) == 8


def test_training_from_nothing_records_the_structure_that_suits_the_data(
    tmp_path: Path, images_folder: Path, zoo_command: Callable[..., Answer]
) -> None:
    folder = untrained_run(tmp_path / "run", images_folder, "resnet", "small", side=32)
    description = run.read(folder).model
    assert description.structure == Structure(3)
    assert "3 of the reference's 5 halvings, for small images" in zoo_command("info", folder).out
    # At another size, its weights keep it.
    dataset = load(f"folder:{images_folder}", "image", split=Recipe().split)
    recipe = Recipe(input=ImageSettings(size=128))
    assert describe(*resolve("resnet"), dataset, recipe, description).structure == Structure(3)


@pytest.mark.parametrize(("family", "size"), [("resnet", "small"), ("vit", "tiny")])
def test_a_run_that_did_not_record_its_structure_keeps_what_it_was_built_with(
    family: str, size: str, tmp_path: Path, images_folder: Path
) -> None:
    folder = untrained_run(tmp_path / "run", images_folder, family, size, side=32)
    before = zoo.load(folder)
    values = json.loads((folder / run.DESCRIPTION).read_text())
    del values["model"]["structure"]
    (folder / run.DESCRIPTION).write_text(json.dumps(values))
    after = zoo.load(folder)
    images = noise(after)
    np.testing.assert_array_equal(before(images, training=False), after(images, training=False))
    assert factory.structure_of(run.read(folder).model) == Structure(3)


def test_a_folder_that_is_neither_is_refused(tmp_path: Path, zoo_command: Callable[..., Answer]) -> None:
    answer = zoo_command("info", tmp_path)
    assert answer.status == 2
    assert f"there is no run and no artifact at {tmp_path}" in answer.err


@given(side=st.integers(1, 12), averages=st.integers(1, 12))
def test_adaptive_averages_are_those_of_pytorch(side: int, averages: int) -> None:
    """By the definition in PyTorch's documentation of AdaptiveAvgPool2d, pixel by pixel."""
    column = np.random.default_rng(side).normal(size=side)
    image = np.broadcast_to(column[None, :, None, None], (1, side, 2, 1)).astype(np.float32)
    found = np.asarray(AdaptiveAverage(averages, 2)(image))
    for number in range(averages):
        first, end = int(np.floor(number * side / averages)), int(np.ceil((number + 1) * side / averages))
        np.testing.assert_allclose(found[0, number, :, 0], column[first:end].mean(), rtol=1e-4, atol=1e-5)


def test_a_spread_map_answers_the_same_after_training_steps() -> None:
    model = zoo.create("vgg", classes=3, input_shape=(32, 32, 3), structure="reference")
    for seed in range(3):
        model(noise(model, 8, seed), training=True)
    assert model.get_layer("head_window").output.shape == (None, 7, 7, 512)
    assert np.isfinite(model(noise(model), training=False)).all()
