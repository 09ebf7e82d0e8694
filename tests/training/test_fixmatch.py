"""FixMatch: its loss compared with numpy, its batches, runs that resume; and training on a share of the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.test_training import SignalAt, train
from tests.trainings import SINGLE
from zoo import run
from zoo.data import digests
from zoo.data.fraction import labeled_fraction
from zoo.data.load import load
from zoo.inputs.image.views import cut_out
from zoo.recipe import FixMatch, Split
from zoo.registry import families
from zoo.training import fixmatch, start
from zoo.training.batches import WithUnlabeled
from zoo.training.describe import describe
from zoo.training.without_labels import recipe_of

SETTINGS = ("epochs=2", "batch_size=32", "label_fraction=0.05", "fixmatch.ratio=3", "fixmatch.threshold=0.3")


def softmax(logits: np.ndarray) -> np.ndarray:
    found = np.exp(logits - logits.max(-1, keepdims=True))
    return found / found.sum(-1, keepdims=True)


def test_the_loss_is_that_of_the_paper() -> None:
    settings = FixMatch(ratio=2, threshold=0.6, weight=0.5)
    found = 2 * np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    expected, counted = [], 0
    for example in found:
        pairs = []
        for weak, strong in ((example[1], example[2]), (example[3], example[4])):
            sure = softmax(weak)
            counted += sure.max() >= 0.6
            pairs.append(-np.log(softmax(strong)[sure.argmax()]) if sure.max() >= 0.6 else 0.0)
        expected.append(0.5 * np.mean(pairs) + example[0].sum())
    both = fixmatch.with_unlabeled(lambda targets, logits: tf.reduce_sum(logits, -1), settings)
    np.testing.assert_allclose(both(None, tf.constant(found)), expected, rtol=1e-5)
    assert 0 < counted < 8


def test_no_gradient_flows_to_the_weak_view() -> None:
    found = tf.Variable(np.random.default_rng(0).normal(size=(2, 2, 3)).astype(np.float32) * 9)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(fixmatch.pair_losses(found.value(), FixMatch(ratio=1, threshold=0.4)))
    gradient = tape.gradient(loss, found).numpy()
    assert not gradient[:, 0].any()
    assert gradient[:, 1].any()


@pytest.mark.full
def test_a_batch_holds_labeled_images_and_pairs_of_views() -> None:
    family = families()["cnn"]
    recipe = recipe_of(family.recipe_of(family.size("small")), SETTINGS, unlabeled="rest")
    dataset, rest = labeled_fraction(load("digits", "image", split=Split()), 0.05, 0)
    model = describe(family, family.size("small"), dataset, recipe)
    batches = WithUnlabeled(dataset.train, rest.only(np.arange(200)), model, recipe)
    assert batches.steps == 2
    first = [(inputs["image"].numpy(), targets.numpy()) for inputs, targets in batches.epoch(0)]
    assert len(first) == batches.steps
    images, targets = first[0]
    assert images.shape == (32, 7, 8, 8, 1)
    assert set(targets) <= set(range(10))
    weak, strong = images[:, 1::2], images[:, 2::2]
    assert ((weak != strong).any((2, 3, 4))).all()
    later = [inputs["image"].numpy() for inputs, _ in batches.epoch(0, start=batches.steps - 1)]
    np.testing.assert_array_equal(later[0], first[-1][0])
    assert len(later) == 1


def test_a_square_is_cut_out() -> None:
    pixels = tf.zeros((8, 8, 1), tf.uint8)
    found = cut_out(pixels, tf.constant([0.5, 0.5])).numpy()
    assert (found == 128).sum() == 16
    assert (found[2:6, 2:6] == 128).all()


def test_a_share_of_each_class_keeps_its_labels() -> None:
    dataset = load("digits", "image", split=Split())
    smaller, rest = labeled_fraction(dataset, 0.1, 3)
    counts, whole = (np.bincount(one.train.targets, minlength=10) for one in (smaller, dataset))
    np.testing.assert_array_equal(counts, np.maximum(1, np.round(0.1 * whole)))
    together = np.sort(np.concatenate([smaller.train.digests, rest.digests]))
    np.testing.assert_array_equal(together, np.sort(dataset.train.digests))
    assert smaller.test is dataset.test
    again, _ = labeled_fraction(dataset, 0.1, 3)
    other, _ = labeled_fraction(dataset, 0.1, 4)
    np.testing.assert_array_equal(again.train.digests, smaller.train.digests)
    assert (other.train.digests != smaller.train.digests).any()
    fewest, _ = labeled_fraction(dataset, 1e-6, 0)
    assert len(fewest.train) == 10


def test_a_share_of_one_changes_nothing() -> None:
    dataset = load("digits", "image", split=Split())
    same, rest = labeled_fraction(dataset, 1.0, 0)
    assert same is dataset
    assert len(rest) == 0


def test_values_are_drawn_whatever_they_are() -> None:
    dataset = load("diabetes", "table", split=Split())
    smaller, rest = labeled_fraction(dataset, 0.25, 0)
    assert len(smaller.train) == round(0.25 * len(dataset.train))
    assert len(rest) == len(dataset.train) - len(smaller.train)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("fixmatch") / "run", *SETTINGS, unlabeled="rest")


@pytest.mark.full
def test_a_run_says_what_it_was_trained_on(trained: Path) -> None:
    done = run.read_finished(trained)
    assert done.unlabeled is not None
    assert done.data is not None
    assert done.unlabeled.source == "rest"
    assert done.data.counts["train"] + done.unlabeled.counts["train"] == 1295
    assert done.results["test_accuracy"] > 0.2
    assert len(digests.read(trained / digests.FILE).train) > 1000, "what it has seen without labels is known, too"


@pytest.mark.full
def test_a_run_that_was_interrupted_ends_with_the_same_weights(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", *SETTINGS, unlabeled="rest", callbacks=[SignalAt(2)])
    start.resume(tmp_path / "run", None, SINGLE)
    assert (trained / run.WEIGHTS).read_bytes() == (tmp_path / "run" / run.WEIGHTS).read_bytes()


@pytest.mark.full
def test_other_data_lose_what_is_held_back(images_folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    settings = ("epochs=1", "batch_size=4", "fixmatch.ratio=2")
    options: dict[str, Any] = {"source": f"folder:{images_folder}", "unlabeled": f"files:{images_folder}"}
    folder = train(tmp_path / "run", *settings, say=said.append, **options)
    done = run.read_finished(folder)
    assert done.unlabeled is not None
    assert done.data is not None
    held = done.data.counts["validation"] + done.data.counts["test"]
    assert any(
        line == f"left out: {held} unlabeled examples that are also validation or test examples" for line in said
    )
    assert done.unlabeled.counts == {"train": 60 - held}


def test_a_batch_may_have_more_labels_than_there_are(tmp_path: Path) -> None:
    settings = ("epochs=1", "batch_size=64", "label_fraction=0.02", "fixmatch.ratio=3")
    folder = train(tmp_path / "run", *settings, unlabeled="rest")
    this = run.read_finished(folder)
    assert this.data is not None
    assert this.data.counts["train"] < 64
