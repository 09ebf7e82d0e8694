"""Masked autoencoders: patches, the encoder's input, the loss, and a run that resumes and is fine-tuned."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.test_training import SignalAt, train
from tests.trainings import SINGLE
from zoo import factory, registry, run, weights_file
from zoo.data.load import load
from zoo.errors import ZooError
from zoo.family import Size
from zoo.inputs.image.mae import network, normalized, patches_of, shown
from zoo.recipe import Split
from zoo.tasks.mae import graph
from zoo.training import start
from zoo.training.batches import batches_of
from zoo.training.decision import decide
from zoo.training.describe import describe
from zoo.training.request import TrainingRequest
from zoo.training.without_labels import recipe_of

SETTINGS = ("epochs=2", "batch_size=64", "mae.depth=1", "mae.width=32")
MODEL: Any = None


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Any:
    """A ViT with four narrow blocks."""
    vit = registry.families()["vit"]
    options = {**vit.size("tiny").options, "width": 16, "depth": 4, "heads": 2}
    row = Size("smallest", (), options, 0, 0, halvings=4, smallest_side=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.families(), "vit", dataclasses.replace(vit, sizes=(*vit.sizes, row)))
        yield registry.families()["vit"], row


def pretrain(folder: Path, **options: Any) -> Path:
    return train(folder, *SETTINGS, family="vit", size="smallest", method="mae", **options)


def test_patches_are_those_of_the_network() -> None:
    image = np.arange(2 * 5 * 4 * 3, dtype=np.float32).reshape(2, 5, 4, 3)
    found = patches_of(tf.constant(image), 2).numpy()
    assert found.shape == (2, 4, 12)
    np.testing.assert_array_equal(found[1, 3], image[1, 2:4, 2:4].reshape(-1))
    flat = normalized(tf.constant(found)).numpy()
    np.testing.assert_allclose(flat.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(flat.std(-1), 1, rtol=1e-4)


def test_only_hidden_patches_count() -> None:
    generator = np.random.default_rng(0)
    wanted, found = generator.normal(size=(2, 2, 3, 4)).astype(np.float32)
    hidden = np.array([[1, 0, 1], [0, 0, 1]], np.float32)
    errors = ((wanted - found) ** 2).mean(-1)
    expected = [(errors[0, 0] + errors[0, 2]) / 2, errors[1, 2]]
    targets = np.concatenate([wanted, hidden[..., None]], -1)
    np.testing.assert_allclose(graph.losses(tf.constant(targets), tf.constant(found), MODEL), expected, rtol=1e-5)


@pytest.mark.full
def test_the_encoder_sees_nothing_of_hidden_patches(tiny: Any) -> None:
    recipe = recipe_of(tiny[0].recipe_of(tiny[1]), [*SETTINGS, "batch_size=4"], method="mae")
    dataset = load("digits", "image", split=Split())
    model = describe(tiny[0], tiny[1], dataset, recipe, method="mae")
    made = network(factory.build(model), model, recipe)
    inputs, targets = next(iter(batches_of(dataset, model, recipe).epoch(0)))
    hidden = targets.numpy()[..., -1]
    count = hidden.shape[1]
    assert (hidden.sum(-1) == count - shown(count, 0.75)).all()
    image = inputs["image"].numpy()
    side = image.shape[1] // int(count**0.5)
    pixels = np.kron(hidden.reshape(4, -1, image.shape[2] // side), np.ones((1, side, side)))[..., None]
    other = {**inputs, "image": tf.constant(np.where(pixels > 0, 9.0, image).astype(np.float32))}
    np.testing.assert_allclose(made(other), made(inputs), atol=1e-5)
    seen = {**inputs, "image": tf.constant(np.where(pixels > 0, image, 9.0).astype(np.float32))}
    assert np.abs(made(seen) - made(inputs)).max() > 1e-3


@pytest.mark.full
def test_it_resumes_bit_for_bit_and_is_fine_tuned(tmp_path: Path) -> None:
    alone = pretrain(tmp_path / "alone")
    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path / "stopped", callbacks=[SignalAt(3)])
    start.resume(tmp_path / "stopped", None, SINGLE)
    assert (alone / run.WEIGHTS).read_bytes() == (tmp_path / "stopped" / run.WEIGHTS).read_bytes()
    done = run.read_finished(alone)
    assert done.results["test_loss"] < 1.2
    assert (alone / run.CURVES).exists()
    kept, _ = weights_file.read(alone / run.WEIGHTS)
    assert set(kept) == set(weights_file.weights(factory.build(done.model)))
    tuned = train(tmp_path / "tuned", "epochs=1", family=None, size=None, weights=alone)
    assert run.read_finished(tuned).initial is not None


def test_dropout_before_the_head_is_refused() -> None:
    def decided(setting: str) -> float:
        return decide(TrainingRequest(family="vit", method="mae", settings=[setting])).recipe.network.drop_path

    with pytest.raises(ZooError, match=r"network\.dropout drops what the head reads, and mae trains without a head"):
        decided("network.dropout=0.1")
    assert decided("network.drop_path=0.1") == 0.1
