"""Conformance tests of every family and size, see `tests.conformance`."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.conformance import (
    COUNTED,
    EVERY,
    FACTS,
    OF_IMAGES,
    SMALLEST,
    cheapest,
    described,
    inputs,
    noise,
    untrained_run,
    warmed,
)
from tests.weights.published import PEERS, shapes, zeros_file
from zoo import artifact, complexity, factory, run, weights_file
from zoo.formats.onnx import ONNX, open_onnx
from zoo.input import kind_of
from zoo.registry import matching, resolve
from zoo.schema import to_dict
from zoo.task import task_of
from zoo.weights.timm_reader import read_timm

every_network_of_images = pytest.mark.parametrize(("family", "size"), OF_IMAGES)


@pytest.fixture(scope="module", params=[pytest.param(one.values, id=one.id, marks=one.marks) for one in EVERY])
def untrained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, images_folder: Path
) -> Iterator[Path]:
    """A run of each network with random weights, for images of 32 pixels; the next network takes its place."""
    family, size = request.param
    place = tmp_path_factory.mktemp("untrained")
    yield untrained_run(place / "run", images_folder, family, size, side=32)
    shutil.rmtree(place)


def test_everything_registered_is_covered() -> None:
    registered = {(family.name, size.name) for family, size in matching()}
    assert set(FACTS) == registered, "each size needs a row of published figures in tests/conformance.py"
    assert {network.values for network in EVERY} == registered
    assert PEERS.keys() <= registered


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("family", "size"), COUNTED)
def test_is_the_published_network(family: str, size: str, tmp_path: Path) -> None:
    """The network has the published counts and, if timm has it, a variable for each of timm's weights."""
    _, row = resolve(family, size)
    facts = FACTS[family, size]
    model = zoo.create(family, size=size, classes=row.classes, input_shape=row.input_shape)
    assert complexity.parameters(model) == row.parameters == facts.parameters
    assert complexity.multiply_adds(model) == row.multiply_adds
    if (family, size) in PEERS:
        zeros_file(tmp_path / "x.safetensors", shapes(PEERS[family, size]))
        reading = read_timm(tmp_path / "x.safetensors", model, family, size)
        assert not reading.adapted
        assert all(name.endswith("num_batches_tracked") for name in reading.unused)
        assert not any(np.asarray(variable).any() for variable in weights_file.weights(model).values())
    if facts.giga_multiply_adds is not None:
        if facts.side != row.input_shape[0]:
            model = zoo.create(family, size=size, classes=row.classes, input_shape=(facts.side, facts.side, 3))
        assert math.isclose(complexity.multiply_adds(model) / 1e9, facts.giga_multiply_adds, rel_tol=0.01)


@every_network_of_images
@pytest.mark.parametrize("shape", [(40, 56, 2), "smallest"], ids=str)
def test_builds(family: str, size: str, shape: tuple[int, int, int] | str) -> None:
    input_shape = SMALLEST if isinstance(shape, str) else shape
    model = zoo.create(family, size=size, classes=7, input_shape=input_shape)
    assert [tensor.name for tensor in model.inputs] == ["image"]
    logits = model(noise(model), training=False).numpy()
    assert logits.shape == (2, 7)
    assert np.isfinite(logits).all()
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)


@every_network_of_images
def test_feature_maps_have_the_strides_they_say(family: str, size: str) -> None:
    features = zoo.create(family, size=size, classes=7, input_shape=(64, 96, 3), features=True)
    maps = features.model(noise(features.model), training=False)
    assert list(maps) == list(features.strides)
    assert list(features.strides.values()) == sorted(features.strides.values())
    for name, tensor in maps.items():
        for side, pixels in zip((64, 96), tensor.shape[1:3], strict=True):
            # A pool without padding (AlexNet) drops the border: up to two pixels of a map.
            assert side / features.strides[name] - 2 <= pixels <= math.ceil(side / features.strides[name])


def test_learns(untrained: Path) -> None:
    keras.utils.set_random_seed(0)
    description = run.read(untrained).model
    model = factory.build(description)
    given, task = inputs(description, 6), task_of(description).graph
    targets = np.arange(6) % len(description.labels)

    # Dropout would make two losses of the same weights differ; normalization must see the batch.
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    # A factor that begins at 0 hides what is behind it until the first step.
    for variable in model.trainable_variables:
        if variable.name == "gamma" and not np.any(variable):
            variable.assign(tf.ones(variable.shape))

    def loss() -> tf.Tensor:
        return tf.reduce_mean(task.losses(targets, factory.apply(model, given, training=True), description))

    with tf.GradientTape() as tape:
        before = loss()
    gradients = tape.gradient(before, [variable.value for variable in model.trainable_variables])
    assert not [
        variable.path for variable, one in zip(model.trainable_variables, gradients, strict=True) if one is None
    ]
    # Of a table that rows are gathered of, a gradient names the rows that it changes.
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert np.isfinite(gradient).all()
        assert np.any(gradient), f"the gradient of {variable.path} is zero"
    norm = tf.linalg.global_norm(gradients)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        variable.assign_sub(1e-2 * gradient / norm)
    assert loss() < before


def test_saves_and_loads(untrained: Path) -> None:
    model, description = zoo.load(untrained), run.read(untrained).model
    arrays, _ = weights_file.read(untrained / "weights.safetensors")
    loaded = weights_file.weights(model)
    assert arrays.keys() == loaded.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array, err_msg=name)
    given = inputs(description)
    assert np.isfinite(factory.apply(model, given, training=False)).all()
    if description.family == "linear":
        with pytest.raises(zoo.ZooError, match="has no feature maps"):
            zoo.load(untrained, features=True)
    else:
        features = zoo.load(untrained, features=True)
        assert set(factory.apply(features.model, given, training=False)) == set(features.strides)


def test_exports_through_every_gate(
    untrained: Path, tmp_path: Path, zoo_command: Callable[..., object], request: pytest.FixtureRequest
) -> None:
    model = run.read(untrained).model
    if (model.family, model.size) == cheapest(model.preprocessing.kind):
        request.getfixturevalue("every_hostile_request")
    _export_and_verify(untrained, tmp_path, zoo_command)


@pytest.mark.full
@every_network_of_images
def test_exports_at_224(
    family: str, size: str, tmp_path: Path, images_folder: Path, zoo_command: Callable[..., object]
) -> None:
    _export_and_verify(untrained_run(tmp_path / "run", images_folder, family, size, side=224), tmp_path, zoo_command)


def _export_and_verify(folder: Path, tmp_path: Path, zoo_command: Callable[..., object]) -> None:
    made = zoo_command("export", folder, "--out", tmp_path / "artifact")
    assert made.status == 0, made.err  # type: ignore[attr-defined]
    manifest = artifact.read(tmp_path / "artifact")
    assert set(manifest.formats) == {"onnx", "saved_model"}
    assert all(gate.passed for gate in manifest.gates), to_dict(manifest.gates)
    model = manifest.model
    random = kind_of(model.preprocessing).client.random(model.preprocessing, 1, np.random.default_rng(0))
    said = open_onnx(tmp_path / "artifact" / ONNX.path).run({name: array[:0] for name, array in random.items()})
    assert [value.shape for value in said.values()] == [(0, len(model.labels))] * len(said)
    verified = zoo_command("verify", tmp_path / "artifact")
    assert verified.status == 0, verified.err  # type: ignore[attr-defined]


def test_batch_statistics_move(images_folder: Path) -> None:
    description, _, _ = described(images_folder, "resnet", "small", side=32)
    model = factory.build(description)
    before = model.get_layer("stem_norm").moving_mean.numpy().copy()
    warmed(model, description)
    assert np.abs(model.get_layer("stem_norm").moving_mean.numpy() - before).max() > 0
