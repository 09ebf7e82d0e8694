"""Images that grow during a training: their sizes, the networks of the stages, runs that resume, and refusals."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from tests.conftest import write_images
from tests.training.test_data_service import Served
from tests.training.test_processes import drive
from tests.training.test_training import SignalAt, rows_of, train
from tests.training.test_workers import assert_all, assert_close
from tests.training.test_workers import train as train_with_workers
from tests.trainings import SINGLE
from zoo import factory, layers, run, weights_file
from zoo import recipe as recipes
from zoo.data.load import load
from zoo.description import Model
from zoo.errors import ZooError
from zoo.inputs.image import batches as image_batches
from zoo.inputs.image import graph
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.progressive import by_epoch
from zoo.inputs.image.settings import ImageSettings
from zoo.models.cnn import network as cnn
from zoo.recipe import Recipe, Split
from zoo.registry import resolve
from zoo.training import stages, start
from zoo.training.batches import Batches
from zoo.training.input_speed import measure
from zoo.training.request import DataRequest, TrainingRequest

GROW = ("epochs=3", "batch_size=32", "image.size=12", "image.first_size=8", "image.size_stages=2")
GROWING = (*GROW, "label_fraction=0.1")


def preprocessing(height: int, width: int | None = None) -> Preprocessing:
    return Preprocessing(height, width or height, 1, (0.5,), (0.5,))


def sizes(first: int, stages: int, epochs: int, height: int, width: int | None = None) -> list[tuple[int, int]]:
    settings = ImageSettings(first_size=first, size_stages=stages)
    found = by_epoch(preprocessing(height, width), settings, epochs)
    assert found[-1] == preprocessing(height, width)
    return [(one.height, one.width) for one in found]


def test_images_grow_linearly_over_stages_that_divide_the_epochs() -> None:
    assert sizes(20, 4, 8, 28) == [(side, side) for side in (20, 20, 23, 23, 25, 25, 28, 28)]
    assert sizes(128, 4, 10, 224) == [(side, side) for side in (128,) * 3 + (160,) * 2 + (192,) * 3 + (224,) * 2]
    assert sizes(16, 3, 3, 32, 48) == [(16, 24), (24, 36), (32, 48)]
    assert sizes(27, 4, 4, 28) == [(27, 27), (27, 27), (28, 28), (28, 28)]
    assert by_epoch(preprocessing(28), ImageSettings(), 3) == (preprocessing(28),) * 3


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ZooError, match=r"image.first_size=28 is not below the 28 pixels of the full size"):
        sizes(28, 4, 8, 40, 28)
    with pytest.raises(ZooError, match=r"image.size_stages=4 is more than the epochs, 3"):
        sizes(20, 4, 3, 28)
    with pytest.raises(ZooError, match="size_stages should be greater than or equal to 2"):
        recipes.override(Recipe(input=ImageSettings()), ["image.size_stages=1"])


def pooled(image: Any, classes: int, structure: Any, **options: Any) -> layers.Outputs:
    """A small network whose weights do not depend on the size of the image."""
    x = layers.batch_norm(layers.convolution(image, 8, 3, stride=2, name="conv"), name="norm")
    x = keras.layers.Dropout(0.2, name="dropout")(layers.activation(x, "silu", name="silu"))
    return layers.Outputs(layers.logits(keras.layers.GlobalAveragePooling2D(name="pool")(x), classes))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace `cnn` with that network."""
    monkeypatch.setattr(cnn, "build", pooled)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The epochs and the image sizes for which batches were made."""
    found: list[tuple[int, int]] = []
    make = graph.training_batches

    def noted(images: Any, preprocessing: Any, *arguments: Any, epoch: int, **options: Any) -> Any:
        found.append((epoch, preprocessing.height))
        return make(images, preprocessing, *arguments, epoch=epoch, **options)

    monkeypatch.setattr(graph, "training_batches", noted)
    return found


def test_images_grow_in_training_and_are_evaluated_at_the_full_size(
    tmp_path: Path, tiny: None, seen: list[tuple[int, int]]
) -> None:
    folder = train(tmp_path / "run", *GROWING)
    assert seen == [(0, 8), (1, 8), (2, 12)]
    done = run.read_finished(folder)
    assert done.recipe is not None
    assert (done.recipe.input.first_size, done.recipe.input.size_stages) == (8, 2)
    assert done.model.preprocessing.shape == (12, 12, 1)
    assert factory.load(folder).input_shape == (None, 12, 12, 1)


@pytest.mark.full
@pytest.mark.parametrize("others", [(), ("cutmix=1", "ema_decay=0.9", "accumulate=2", "image.erase=0.5")])
def test_a_training_that_was_interrupted_in_a_stage_ends_bit_for_bit_as_one_left_alone(
    others: tuple[str, ...], tmp_path: Path, tiny: None
) -> None:
    settings = (*GROWING, "keep=last", "image.shift=0.2", *others)
    train(tmp_path / "alone", *settings)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "ended", *settings, callbacks=[SignalAt(2)])
    start.resume(tmp_path / "ended", None, SINGLE)
    for name in (run.WEIGHTS, run.LAST):
        alone, ended = (load_file(tmp_path / folder / name) for folder in ("alone", "ended"))
        assert alone.keys() == ended.keys()
        for key, value in alone.items():
            np.testing.assert_array_equal(ended[key], value, err_msg=key)


def batches(description: Model, recipe: Recipe, epoch: int) -> list[np.ndarray]:
    data = load("digits", "image", split=Split())
    made = Batches(data.train.only(np.arange(32)), description, recipe)
    assert made.steps == 4
    return [inputs["image"].numpy() for inputs, *_ in made.epoch(epoch)]


def test_batches_have_the_size_of_their_stage() -> None:
    """The batches equal those of a training at that size."""
    changes = ["batch_size=8", "image.first_size=6", "image.shift=0.2", "epochs=4"]
    recipe = recipes.override(Recipe(input=ImageSettings()), changes)
    description = Model("cnn", "small", tuple("0123456789"), preprocessing(8), 0, 0)
    smaller = dataclasses.replace(description, preprocessing=preprocessing(6))
    once = recipes.override(recipe, ["image.first_size=0"])
    np.testing.assert_array_equal(batches(description, recipe, 0), batches(smaller, once, 0))
    assert np.shape(batches(description, recipe, 3)) == (4, 8, 8, 8, 1)


FAMILIES = (
    ("resnet", "small", 20),
    ("mobilenet", "small", 20),
    ("cnn", "large", 20),
    ("vgg", "small", 20),
    ("inception", "small", 20),
    ("convnext", "small", 20),
    ("efficientnet", "b0", 20),
)


@pytest.mark.parametrize(
    ("family", "size", "side"),
    [pytest.param(*each, marks=() if each[0] == "resnet" else pytest.mark.full, id=each[0]) for each in FAMILIES],
)
def test_the_network_of_a_stage_is_the_one_built_for_its_size(family: str, size: str, side: int) -> None:
    """It has the structure and weights of the described network, and gives the same answers and training updates."""
    record, row = resolve(family, size)
    full = Preprocessing(32, 32, 3, (0.5,) * 3, (0.5,) * 3)
    described = Model(family, size, tuple("abc"), full, 0, 0, structure=record.structure(row, 32, 32))
    smaller = dataclasses.replace(described, preprocessing=dataclasses.replace(full, height=side, width=side))
    keras.utils.set_random_seed(0)
    network = factory.build(described)
    for description in (described, smaller):
        built = factory.build(description)
        twin = stages.with_layers_of(network, factory.build(description))
        values = {name: variable.numpy() for name, variable in weights_file.variables(network).items()}
        weights_file.assign(weights_file.variables(built), values, "the network")
        shared, own = weights_file.variables(twin), weights_file.variables(network)
        assert shared.keys() == own.keys()
        assert all(shared[name] is variable for name, variable in own.items())
        height, width, _ = description.preprocessing.shape
        images = np.random.default_rng(0).normal(size=(4, height, width, 3)).astype(np.float32)
        np.testing.assert_array_equal(twin(images), built(images))
        np.testing.assert_array_equal(twin(images, training=True), built(images, training=True))
        for name, variable in weights_file.variables(built).items():
            np.testing.assert_array_equal(own[name], variable, err_msg=name)


@pytest.mark.parametrize(
    ("family", "size", "settings", "line"),
    [
        ("cnn", "small", ["image.first_size=4"], "image.first_size: an image of 4×4 pixels cannot be taken"),
        (
            "cnn",
            "small",
            ["image.first_size=9", "image.size=12"],
            r"cnn small cannot begin with smaller images, because weights depend on their size \(logits/kernel\): "
            "--set image.first_size=0, or train another network",
        ),
        ("cnn", "small", ["image.first_size=8"], "is not below the 8 pixels of the full size"),
        ("cnn", "small", ["image.size=12", "image.first_size=8", "epochs=2"], "is more than the epochs, 2"),
        pytest.param(
            "vit",
            "tiny",
            ["image.first_size=16", "image.size=32"],
            r"because weights depend on their size \(tokens/positions\)",
            marks=pytest.mark.full,
        ),
        ("mlp", "small", ["image.first_size=16"], "no recipe has the key 'image.first_size'"),
    ],
)
def test_what_cannot_begin_with_smaller_images_is_refused_before_work_starts(
    family: str, size: str, settings: list[str], line: str, tmp_path: Path
) -> None:
    source = "iris" if family == "mlp" else "digits"
    with pytest.raises(ZooError, match=line):
        train(tmp_path / "run", *settings, family=family, size=size, source=source)
    assert not [*tmp_path.iterdir()]


@pytest.mark.full
def test_the_layer_in_which_a_stage_breaks_is_named(
    tmp_path: Path, tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_batches, "_normalized", lambda pixels, preprocessing: _endless(pixels))
    with pytest.raises(ZooError, match=r"at step 0, .* layer 'image'"):
        train(tmp_path / "run", *GROWING)


def _endless(pixels: Any) -> Any:
    return tf.cast(pixels, tf.float32) * np.float32(np.inf)


@pytest.mark.full
def test_the_speed_of_a_training_is_that_of_the_full_size(tiny: None, seen: list[tuple[int, int]]) -> None:
    settings = ["image.size=12", "image.first_size=8", "batch_size=256"]
    measure(TrainingRequest(family="cnn", data=DataRequest("digits"), settings=settings), seconds=0.05)
    assert {side for _, side in seen} == {12}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images") / "crops", classes=3, each=24, side=16)


CROPS = (
    "epochs=2", "image.first_size=12", "image.size_stages=2", "split.test=0.01", "split.validation=0.01",
    "batch_size=8", "keep=last",
)  # fmt: skip
PRECISE = (*CROPS, "precision=float64", "image.shift=0")


@pytest.mark.full
def test_two_replicas_train_as_one_device_does(tmp_path: Path, images: Path) -> None:
    for devices in (1, 2):
        drive(tmp_path / str(devices), devices, "never", "resnet-small", f"folder:{images}", *PRECISE)
    assert_close(tmp_path / "1", tmp_path / "2", 1e-4)


@pytest.mark.full
def test_two_workers_train_as_one_device_does(tmp_path: Path, images: Path) -> None:
    train(tmp_path / "one", *PRECISE, family="resnet", source=f"folder:{images}")
    changes = [word for setting in PRECISE for word in ("--set", setting)]
    two = train_with_workers(
        "resnet", "--data", f"folder:{images}", *changes, "--out", "two", "--checkpoint-minutes", "9", cwd=tmp_path
    )
    assert_all(two, 0)
    assert_close(tmp_path / "one", tmp_path / "two", 1e-4)


@pytest.mark.full
def test_servers_make_the_same_batches(tmp_path: Path, tiny: None, images: Path) -> None:
    settings = (*CROPS, "image.flip=true")
    train(tmp_path / "without", *settings, source=f"folder:{images}")
    served = Served(2)
    try:
        train(tmp_path / "with", *settings, source=f"folder:{images}", tf_data_service=served.text)
    finally:
        served.end(signal.SIGTERM)
    one, two = (load_file(tmp_path / name / run.WEIGHTS) for name in ("without", "with"))
    for name, value in one.items():
        np.testing.assert_array_equal(two[name], value)


@pytest.mark.full
@pytest.mark.parametrize(
    ("way", "settings"),
    [
        ({"unlabeled": "rest"}, ("fixmatch.ratio=2", "label_fraction=0.2")),
        ({"method": "simclr"}, ("simclr.projection=16",)),
        ({}, ("precision=bfloat16", "on_nan=skip", "mixup=0.2")),
        ({}, ("xla=true", "network.dropout=0.3")),
    ],
)
def test_other_ways_to_train_grow_their_images_too(
    way: dict[str, Any], settings: tuple[str, ...], tmp_path: Path, tiny: None
) -> None:
    growing = (*GROW, "keep=last", *settings)
    train(tmp_path / "alone", *growing, **way)
    assert len(rows_of(tmp_path / "alone")) == 3
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "ended", *growing, callbacks=[SignalAt(2)], **way)
    start.resume(tmp_path / "ended", None, SINGLE)
    alone, ended = (load_file(tmp_path / name / run.WEIGHTS) for name in ("alone", "ended"))
    for name, value in alone.items():
        np.testing.assert_array_equal(ended[name], value)
