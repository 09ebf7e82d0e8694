"""Fine-tuning: the weights that are kept, the learning rates by layer, frozen layers, and the records of a run."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

import zoo
from tests.conformance import untrained_run
from tests.conftest import Answer, write_images
from tests.training.test_processes import drive
from tests.training.test_training import train
from tests.trainings import SINGLE
from zoo import factory, files, run, weights_file
from zoo import recipe as recipes
from zoo.data.load import load
from zoo.description import Model
from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.inputs.image.settings import ImageSettings
from zoo.recipe import Recipe
from zoo.registry import families, resolve
from zoo.training import fine_tuning, start
from zoo.training.describe import describe
from zoo.training.optimizer import optimizer
from zoo.weights.positions import Grid, resampling

HEAD = ("logits/bias", "logits/kernel")
POSITIONS = "tokens/positions"


class Seen(keras.callbacks.Callback):
    """The weights when training begins, and the sizes of the optimizer's variables."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.weights = {name: value.numpy() for name, value in weights_file.weights(self.model).items()}
        self.slots = [tuple(variable.shape) for variable in self.model.optimizer.variables]


class Stop(keras.callbacks.Callback):
    """An interruption in the second batch."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 1:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("two") / "crops", classes=2, each=20, side=12, seed=1)


def source(folder: Path, images: Path, family: str = "cnn", size: str = "small", side: int = 8) -> Path:
    """A finished run on three classes of RGB images, with a preprocessing that differs from all defaults."""
    untrained_run(folder, images, family, size, side)
    values = json.loads((folder / run.DESCRIPTION).read_text())
    values["model"]["preprocessing"].update(mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6], crop_pct=0.75)
    (folder / run.DESCRIPTION).write_text(json.dumps(values))
    return folder


def tune(folder: Path, weights: Path, data: str, *settings: str, callbacks: Any = ()) -> Path:
    few = ("epochs=2", "batch_size=8", "schedule.warmup_epochs=0")
    return train(
        folder, *few, *settings, callbacks=callbacks, family=None, size=None, source=data, weights=weights
    )  # fmt: skip


def test_other_classes_get_a_new_head_and_the_input_is_that_of_the_weights(tmp_path: Path, images_folder: Path) -> None:
    first, seen = source(tmp_path / "first", images_folder), Seen()

    second = tune(tmp_path / "second", first, "digits", callbacks=[seen])

    before, made = load_file(first / run.WEIGHTS), run.read_finished(second)
    for name, value in before.items():
        if name not in HEAD:
            np.testing.assert_array_equal(seen.weights[name], value)
    assert seen.weights["logits/kernel"].shape[1] == 10
    assert made.model.preprocessing == run.read(first).model.preprocessing, "gray digits are decoded to three channels"
    assert made.initial is not None
    assert made.initial.new_head
    assert (made.initial.run, made.initial.family, made.initial.size) == ("first", "cnn", "small")
    assert made.initial.sha256 == files.sha256(first / run.WEIGHTS)
    assert made.initial.license is None


def test_the_same_classes_keep_the_head(tmp_path: Path, images_folder: Path) -> None:
    first, seen = source(tmp_path / "first", images_folder), Seen()
    second = tune(tmp_path / "second", first, f"folder:{images_folder}", callbacks=[seen])
    before = load_file(first / run.WEIGHTS)
    assert seen.weights.keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(seen.weights[name], value)
    assert not run.read(second).initial.new_head  # type: ignore[union-attr]
    zoo.load(second)


def test_a_training_in_float64_starts_from_float32(tmp_path: Path, images_folder: Path, two_classes: Path) -> None:
    first, seen = source(tmp_path / "first", images_folder), Seen()

    second = tune(
        tmp_path / "second", first, f"folder:{two_classes}", "precision=float64", "epochs=1", callbacks=[seen]
    )

    for name, value in load_file(first / run.WEIGHTS).items():
        if name not in HEAD:
            assert seen.weights[name].dtype == np.float64
            np.testing.assert_array_equal(seen.weights[name], value)
    zoo.load(second)


def test_a_frozen_network_is_bit_for_bit_what_it_was_and_its_head_moves(
    tmp_path: Path, images_folder: Path, two_classes: Path
) -> None:
    first, seen = source(tmp_path / "first", images_folder, "resnet"), Seen()

    second = tune(tmp_path / "second", first, f"folder:{two_classes}", "freeze=true", callbacks=[seen])

    before, after = load_file(first / run.WEIGHTS), load_file(second / run.WEIGHTS)
    assert any("moving_variance" in name for name in before)
    for name, value in before.items():
        if name not in HEAD:
            np.testing.assert_array_equal(after[name], value, err_msg=name)
    for name in HEAD:
        assert np.abs(after[name] - seen.weights[name]).max() > 0
    assert sorted(seen.slots) == [(), (2,), (512, 2)], "the count of updates, and the head's momenta"


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("family", sorted(name for name, one in families().items() if one.input == "image"))
def test_layers_are_as_deep_as_maps_depend_on_them(family: str) -> None:
    preprocessing = Preprocessing(16, 16, 1, (0.5,), (0.5,))
    description = Model(family, "small", ("a", "b"), preprocessing, parameters=0, multiply_adds=0)
    model, depths = factory.build(description), factory.layer_depths(description)

    trained = [layer.name for layer in model.layers if layer.weights]
    found = [depths.get(name, 0) for name in trained]
    assert found == sorted(found, reverse=True), "from the image to the logits no layer is deeper than the one before"
    assert sorted(set(found)) == list(range(max(found) + 1)), "every stage has layers, and so has the head"
    assert trained[-1] == "logits"


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_the_first_update_falls_off_with_depth(name: str, images_folder: Path) -> None:
    dataset = load(f"folder:{images_folder}", "image", split=Recipe().split)
    description = describe(*resolve("cnn", "large"), dataset, Recipe(input=ImageSettings(size=8)))
    model, depths = factory.build(description), factory.layer_depths(description)
    settings = [f"optimizer.name={name}", "optimizer.lr=0.1", "optimizer.layer_decay=0.5", "schedule.warmup_epochs=0"]
    recipe = recipes.override(Recipe(), settings)

    def moved(recipe: Recipe, gradient: float) -> dict[str, float]:
        """The first update of variables that are 1 everywhere."""
        made = optimizer(recipe, model, 10, depths)
        for variable in model.trainable_variables:
            variable.assign(tf.ones(variable.shape))
        gradients = [tf.fill(variable.shape, gradient) for variable in model.trainable_variables]
        made.apply(gradients, model.trainable_variables)
        return {
            f"{layer.name}/{variable.name}": float(1 - variable.numpy().flat[0])
            for layer in model.layers
            for variable in layer.trainable_variables
        }

    updates = moved(recipes.override(recipe, ["optimizer.weight_decay=0"]), 1.0)
    decays = moved(recipes.override(recipe, ["optimizer.weight_decay=0.2"]), 0.0)
    for layer, depth in {"conv1": 5, "conv2": 4, "conv5": 1, "head1": 0, "logits": 0}.items():
        assert depths.get(layer, 0) == depth
        for variable in ("kernel", "bias"):
            share = updates[f"{layer}/{variable}"] / updates["logits/kernel"]
            assert share == pytest.approx(0.5**depth, rel=1e-4)
        assert decays[f"{layer}/kernel"] == pytest.approx(0.1 * 0.2 * 0.5**depth, rel=1e-4)
        assert decays[f"{layer}/bias"] == 0


def test_a_run_goes_on_when_the_one_it_started_from_is_gone(
    tmp_path: Path, images_folder: Path, two_classes: Path
) -> None:
    """The run is interrupted before its first checkpoint, so it has only its own copy of the initial weights."""
    first = source(tmp_path / "first", images_folder)
    settings = (f"folder:{two_classes}", "optimizer.layer_decay=0.7", "image.shift=0.1")
    alone = tune(tmp_path / "alone", first, *settings)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path / "stopped", first, *settings, callbacks=[Stop()])
    assert not (tmp_path / "stopped" / run.LAST).exists()
    shutil.rmtree(first)

    start.resume(tmp_path / "stopped", None, SINGLE)

    one, other = load_file(alone / run.WEIGHTS), load_file(tmp_path / "stopped" / run.WEIGHTS)
    for name, value in one.items():
        np.testing.assert_array_equal(other[name], value)
    assert run.read(tmp_path / "stopped").initial == run.read(alone).initial


def test_two_replicas_fine_tune_a_frozen_network_and_survive_a_kill(
    tmp_path: Path, images_folder: Path, two_classes: Path
) -> None:
    first = source(tmp_path / "first", images_folder)
    settings = [f"folder:{two_classes}", "epochs=2", "batch_size=8", "freeze=true", "optimizer.clip_norm=0.1"]
    assert drive(tmp_path / "alone", 2, "never", str(first), *settings) == 0
    assert drive(tmp_path / "killed", 2, "step:1:1", str(first), *settings) == -signal.SIGKILL
    before = load_file(first / run.WEIGHTS)
    shutil.rmtree(first)
    assert drive(tmp_path / "killed", 2, "never", str(first), *settings) == 0

    alone, killed = (load_file(tmp_path / name / run.WEIGHTS) for name in ("alone", "killed"))
    for name, value in alone.items():
        np.testing.assert_array_equal(killed[name], value)
        if name not in HEAD:
            np.testing.assert_array_equal(value, before[name])


def test_positions_are_resampled_to_another_image_size(tmp_path: Path, images_folder: Path, two_classes: Path) -> None:
    first, seen = source(tmp_path / "first", images_folder, "vit", "tiny", side=16), Seen()

    more = ("image.size=20", "freeze=true", "epochs=1")
    second = tune(tmp_path / "second", first, f"folder:{two_classes}", *more, callbacks=[seen])

    positions = load_file(first / run.WEIGHTS)[POSITIONS]
    np.testing.assert_array_equal(seen.weights[POSITIONS], resampling((4, 4), Grid((5, 5), others=1))(positions))
    taken = run.read(second).model.preprocessing
    assert (taken.shape, taken.crop_pct) == ((20, 20, 3), 0.75)
    zoo.load(second)


def test_weights_that_do_not_fit_are_refused_with_the_list(tmp_path: Path, images_folder: Path) -> None:
    """The test damages the run, because a ResNet's weights would fit at every image size."""
    first = source(tmp_path / "first", images_folder, "resnet")
    arrays = load_file(first / run.WEIGHTS)
    del arrays["stem_norm/gamma"]
    damaged = {"more/kernel": np.ones(3, np.float32), "stem/kernel": np.ones((7, 7, 3, 64), np.float32)}
    weights_file.save(first / run.WEIGHTS, {**arrays, **damaged})
    with pytest.raises(ZooError) as said:
        tune(tmp_path / "second", first, f"folder:{images_folder}", "image.size=64")
    for part in (
        "missing: stem_norm/gamma",
        "left over: more/kernel",
        "of another shape: stem/kernel is [7, 7, 3, 64], not [3, 3, 3, 64]",
        "do not change the input",
    ):
        assert part in str(said.value)
    assert not (tmp_path / "second").exists()


def test_license_and_publisher_are_handed_on(tmp_path: Path, images_folder: Path) -> None:
    first = source(tmp_path / "first", images_folder)
    values = json.loads((first / run.DESCRIPTION).read_text())
    came_from = {"run": "pulled", "sha256": "0" * 64, "family": "cnn", "size": "small", "new_head": True}
    values["initial"] = {**came_from, "license": "apache-2.0", "source": "keras"}
    (first / run.DESCRIPTION).write_text(json.dumps(values))
    record, _ = fine_tuning.take(first, run.read(first).model)
    assert (record.license, record.source) == ("apache-2.0", "keras")


@pytest.mark.usefixtures("no_trial_export")
def test_from_the_command_line(tmp_path: Path, zoo_command: Any, images_folder: Path) -> None:
    first = source(tmp_path / "first", images_folder)
    data = ["--data", f"folder:{images_folder}", "--epochs", 1, "--set", "batch_size=8", "--json"]
    answer: Answer = zoo_command("train", "--weights", first, "--freeze", *data, "--out", tmp_path / "second")
    assert answer.status == 0, answer.err
    made = json.loads(answer.out)
    assert made["recipe"]["freeze"] is True
    assert made["initial"]["run"] == "first"
    assert (made["model"]["family"], made["model"]["size"]) == ("cnn", "small")
