"""SimCLR: its loss compared with numpy, views that differ and are reproducible, runs that resume, and refusals."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.conftest import Answer
from tests.training.test_training import SignalAt, train
from tests.trainings import SINGLE
from zoo import factory, run, weights_file
from zoo.data.load import load
from zoo.data.share import WHOLE, Share
from zoo.errors import ZooError
from zoo.inputs.image.distortion import DISTORTION_NUMBERS, distorted
from zoo.inputs.image.simclr import training_batches
from zoo.recipe import Recipe, Split
from zoo.registry import families
from zoo.tasks.simclr import graph
from zoo.training import start
from zoo.training.batches import evaluation_batches
from zoo.training.describe import describe
from zoo.training.views import apply_to_views
from zoo.training.without_labels import recipe_of

MODEL: Any = None
SETTINGS = ("epochs=2", "batch_size=128", "simclr.projection=16")


def pretrain(folder: Path, *settings: str, family: str = "cnn", **options: Any) -> Path:
    return train(folder, *(SETTINGS + settings), family=family, method="simclr", **options)


def similar_views(batch: int, seed: int = 0) -> np.ndarray:
    """Views whose products are similarities divided by a temperature of 0.5, float32 [batch, 2, 8]."""
    found = np.random.default_rng(seed).normal(size=(batch, 2, 8))
    return (found / np.linalg.norm(found, axis=-1, keepdims=True) / np.sqrt(0.5)).astype(np.float32)


def nt_xent(found: np.ndarray) -> np.ndarray:
    """Equation 1 of Chen et al., pair by pair: the mean of both directions for each image."""
    views = found.astype(np.float64).reshape(-1, found.shape[-1])
    losses = []
    for one in range(len(views)):
        other = one ^ 1
        against = [np.exp(views[one] @ views[k]) for k in range(len(views)) if k != one]
        losses.append(-np.log(np.exp(views[one] @ views[other]) / np.sum(against)))
    return np.array(losses).reshape(-1, 2).mean(-1)


def test_the_loss_is_nt_xent() -> None:
    found = similar_views(7)
    np.testing.assert_allclose(graph.losses(None, tf.constant(found), MODEL), nt_xent(found), rtol=1e-5)


def test_views_that_are_alike_match() -> None:
    found = similar_views(5)
    found[:, 1] = found[:, 0]
    assert float(graph.sums(None, tf.constant(found), MODEL)["matches"]) == 5


def test_copies_that_fill_up_a_batch_are_compared_with_nothing() -> None:
    found = similar_views(6)
    filled = np.concatenate([found, found[:1], found[:1]])
    weights = tf.constant([1.0] * 6 + [0.0] * 2)
    sums = graph.sums(None, tf.constant(filled), MODEL, weights)
    assert float(sums["loss"]) == pytest.approx(nt_xent(found).sum(), rel=1e-5)


@pytest.mark.full
def test_replicas_compare_views_with_those_of_all_and_gradients_flow_back() -> None:
    """The test runs a process of its own, because a process can set its logical devices only once."""
    script = Path(__file__).with_name("simclr_replicas.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@functools.cache
def described() -> tuple[Any, Recipe, Any]:
    """The digits, a recipe and the description of a network."""
    family = families()["cnn"]
    row = family.size("small")
    recipe = recipe_of(family.recipe_of(row), ["batch_size=8"], method="simclr")
    dataset = load("digits", "image", split=Split())
    return dataset, recipe, describe(family, row, dataset, recipe, method="simclr")


def batches(seed: int = 0, epoch: int = 0, start_at: int = 0) -> list[np.ndarray]:
    dataset, recipe, model = described()
    few, seeded = dataset.train.only(np.arange(40)), dataclasses.replace(recipe, seed=seed)
    found = training_batches(few, model, seeded, epoch=epoch, start=start_at, share=WHOLE)
    return [inputs["image"].numpy() for inputs, _ in found.take(2)]


def test_views_differ_and_the_same_seed_gives_the_same() -> None:
    first = batches()
    assert first[0].shape == (8, 2, 8, 8, 1)
    assert all((image[0] != image[1]).any() for image in first[0])
    np.testing.assert_array_equal(first[0], batches()[0])
    np.testing.assert_array_equal(first[1], batches(start_at=1)[0])
    assert (first[0] != batches(seed=1)[0]).any()
    assert (first[0] != batches(epoch=1)[0]).any()


def test_two_workers_read_the_same_views_as_one() -> None:
    dataset, recipe, model = described()
    few = dataset.train.only(np.arange(40))
    halves = [training_batches(few, model, recipe, epoch=0, share=Share(index, 2)) for index in range(2)]
    parts = [next(iter(half))[0]["image"].numpy() for half in halves]
    np.testing.assert_array_equal(np.concatenate(parts), batches()[0])


def test_the_views_of_evaluation_are_the_same_each_time_and_fill_the_last_batch() -> None:
    dataset, recipe, model = described()
    few = dataset.validation.only(np.arange(11))
    once, again = ([*evaluation_batches(few, model, recipe)] for _ in range(2))
    assert [weights.numpy().sum() for _, _, weights in once] == [8, 3]
    for (one, *_), (other, *_) in zip(once, again, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colors_change_and_alpha_stays(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, channels)).astype(np.uint8)
    random = np.full(DISTORTION_NUMBERS, 0.3, np.float32)
    changed = distorted(tf.constant(pixels), 0.5, 1.0, tf.constant(random)).numpy()
    assert changed.dtype == np.uint8
    assert (changed[..., :1] != pixels[..., :1]).any()
    if channels in (2, 4):
        np.testing.assert_array_equal(changed[..., -1], pixels[..., -1])
    np.testing.assert_array_equal(distorted(tf.constant(pixels), 0.0, 0.0, tf.constant(random)), pixels)


def test_several_views_go_through_a_network_as_examples_do() -> None:
    model = zoo.create("cnn", classes=3, input_shape=(8, 8, 1))
    views = tf.random.stateless_uniform((4, 2, 8, 8, 1), (0, 0))
    found = apply_to_views(model, {"image": views}, training=False)
    assert found.shape == (4, 2, 3)
    np.testing.assert_allclose(found[:, 1], model(views[:, 1]), rtol=1e-5, atol=1e-6)


def test_a_network_without_a_head_ends_where_the_head_begins() -> None:
    whole = zoo.create("cnn", size="base", classes=3, input_shape=(16, 16, 3))
    trunk = zoo.create("cnn", size="base", head=False, input_shape=(16, 16, 3))
    names = [layer.name for layer in whole.layers]
    assert [layer.name for layer in trunk.layers] == names[: names.index("logits")]
    assert trunk.output_shape[-1] == whole.get_layer("logits").input.shape[-1]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(tmp_path_factory.mktemp("simclr") / "run")


@pytest.mark.full
def test_a_run_that_was_interrupted_ends_with_the_same_weights(pretrained: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path / "run", callbacks=[SignalAt(3)])
    start.resume(tmp_path / "run", None, SINGLE)
    assert (pretrained / run.WEIGHTS).read_bytes() == (tmp_path / "run" / run.WEIGHTS).read_bytes()


def test_a_run_keeps_the_network_without_the_projection(pretrained: Path) -> None:
    done = run.read_finished(pretrained)
    assert (done.model.task, done.model.labels) == ("simclr", ())
    arrays, _ = weights_file.read(pretrained / run.WEIGHTS)
    assert {name.partition("/")[0] for name in arrays} == {"conv1", "conv2"}
    assert done.results["test_loss"] > 0
    assert zoo.load(pretrained).output_shape == factory.build(done.model).output_shape


def test_training_takes_its_weights_and_makes_a_head(pretrained: Path, tmp_path: Path) -> None:
    folder = train(tmp_path / "run", "epochs=1", "label_fraction=0.1", family=None, size=None, weights=pretrained)
    done = run.read_finished(folder)
    assert done.initial is not None
    assert done.initial.new_head
    assert done.model.labels == tuple("0123456789")
    assert done.data is not None
    assert done.data.counts["train"] < 140
    initial, _ = weights_file.read(folder / run.INITIAL)
    kept, _ = weights_file.read(pretrained / run.WEIGHTS)
    for name, values in kept.items():
        np.testing.assert_array_equal(initial[name], values)


def test_what_needs_a_head_refuses_it_in_one_line(pretrained: Path, zoo_command: Any, tmp_path: Path) -> None:
    shown: Answer = zoo_command("info", pretrained)
    assert "pretrained, without a head" in shown.out
    for verb in (["export", pretrained], ["evaluate", pretrained, "--out", tmp_path / "out"]):
        refused: Answer = zoo_command(*verb)
        assert refused.status == 2
        assert refused.err.strip().splitlines()[-1] == (
            f"zoo: {pretrained} is pretrained, and has no head: train it with 'zoo train --weights {pretrained}'"
        )
    with pytest.raises(ZooError, match="there is no finished run in"):
        run.newest(pretrained.parent)


@pytest.mark.parametrize(
    ("options", "settings", "line"),
    [
        ({"method": "simclt"}, (), "there is no such method: did you mean 'simclr'"),
        ({"method": "simclr"}, ("accumulate=2",), "compares all images of a batch"),
        ({"method": "simclr"}, ("label_smoothing=0.1",), "label_smoothing is for training with labels"),
        ({"method": "simclr"}, ("label_fraction=0.5",), "label_fraction is for training with labels"),
        ({"method": "simclr"}, ("mlm.share=0.2",), "mlm.share is for 'zoo pretrain --method mlm'"),
        ({"method": "simclr", "family": "lstm", "source": "messages"}, (), "simclr compares images"),
        ({"method": "mlm"}, (), r"mlm is for networks that read all tokens at once \(bert\), not for cnn"),
        ({}, ("simclr.temperature=1",), "is for 'zoo pretrain --method simclr'"),
        ({}, ("fixmatch.ratio=1",), "name them with --unlabeled"),
        ({"unlabeled": "rest"}, (), "no training example is left out"),
        ({"unlabeled": "digits", "family": "mlp", "source": "iris"}, (), "--unlabeled is for images"),
        ({"unlabeled": "rest"}, ("label_fraction=0.5", "batch_size=128"), "a batch takes 896 unlabeled examples"),
    ],
)
def test_wrong_requests_are_refused_before_work_starts(
    options: dict[str, Any], settings: tuple[str, ...], line: str, tmp_path: Path
) -> None:
    with pytest.raises(ZooError, match=line) as refused:
        train(tmp_path / "run", *settings, **options)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()
