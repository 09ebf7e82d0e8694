"""MixUp and CutMix: pairs keep the sum of pixels and targets, on any number of workers; and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.test_processes import assert_same, drive
from tests.training.test_training import train
from tests.training.tiny import described
from zoo import run
from zoo.data.load import load
from zoo.data.share import WHOLE, Share
from zoo.description import Model
from zoo.errors import ZooError
from zoo.input import find
from zoo.recipe import Recipe, Split, override
from zoo.task import find as task
from zoo.training import mixing
from zoo.training.batches import Batches, check
from zoo.training.objective import objective

LABELS = 4


def mixed(images: np.ndarray, targets: np.ndarray, drawn: Any) -> tuple[np.ndarray, np.ndarray]:
    inputs, shares = mixing.mixed({"image": tf.constant(images)}, tf.constant(targets), LABELS, tf.constant(drawn))
    assert shares.dtype == tf.float32
    return inputs["image"].numpy(), shares.numpy()


@pytest.mark.parametrize("recipe", [Recipe(mixup=0.2), Recipe(cutmix=1.0), Recipe(mixup=0.8, cutmix=1.0)])
def test_draws_repeat_and_follow_the_distributions(recipe: Recipe) -> None:
    steps, pairs = 400, recipe.batch_size // 2
    drawn = mixing.draws(recipe, 3, steps)
    assert drawn.shape == (steps, pairs, mixing.DRAWS)
    np.testing.assert_array_equal(mixing.draws(recipe, 3, steps), drawn)
    np.testing.assert_array_equal(
        np.concatenate([mixing.draws(recipe, 3, steps, Share(number, 2)) for number in range(2)], 1), drawn
    )
    assert (mixing.draws(recipe, 4, steps) != drawn).any()
    drawn = drawn.reshape(-1, mixing.DRAWS)
    assert len(np.unique(drawn, axis=0)) == steps * pairs, "each pair has its own"
    assert (drawn >= 0).all()
    assert (drawn <= 1).all()
    cuts = drawn[:, 3] == 1
    assert cuts.mean() == pytest.approx(
        {(0.2, 0.0): 0, (0.0, 1.0): 1, (0.8, 1.0): 0.5}[recipe.mixup, recipe.cutmix], abs=0.02
    )
    for alpha, rows in ((recipe.mixup, ~cuts), (recipe.cutmix, cuts)):
        if alpha:
            assert drawn[rows, 0].mean() == pytest.approx(0.5, abs=0.02)
            assert drawn[rows, 0].var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20), st.integers(0, 999))
def test_a_pair_keeps_all_pixels_and_classes(pairs: int, height: int, width: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(2 * pairs, height, width, 3)).astype(np.float32)
    targets = generator.integers(0, LABELS, 2 * pairs)
    drawn = generator.random((pairs, mixing.DRAWS), np.float32)
    drawn[:, 3] = cuts = generator.random(pairs) < 0.5
    found, shares = mixed(images, targets, drawn)
    np.testing.assert_allclose(found[::2] + found[1::2], images[::2] + images[1::2], atol=1e-5)
    whole = np.eye(LABELS, dtype=np.float32)[targets]
    np.testing.assert_allclose(shares[::2] + shares[1::2], whole[::2] + whole[1::2], atol=1e-6)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    for pair in range(pairs):
        first, second = images[2 * pair], images[2 * pair + 1]
        own = (found[2 * pair] == first).all(-1)
        if cuts[pair]:
            assert (own | (found[2 * pair] == second).all(-1)).all()
            rows, columns = (~own).any(1), (~own).any(0)
            assert (~own == rows[:, None] & columns[None]).all(), "what was exchanged is a rectangle"
            kept = own.mean()
        else:
            kept = drawn[pair, 0]
            np.testing.assert_allclose(found[2 * pair], kept * first + (1 - kept) * second, atol=1e-5)
        expected = kept * whole[2 * pair] + (1 - kept) * whole[2 * pair + 1]
        np.testing.assert_allclose(shares[2 * pair], expected, atol=1e-5)


def test_waveforms_and_spectrograms_are_mixed_too() -> None:
    for shape in ((4, 50), (4, 10, 5)):
        values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        found, shares = mixed(values, np.array([0, 1, 2, 3]), [[0.25, 0, 0, 0], [1, 0, 0, 0]])
        np.testing.assert_allclose(found[0], 0.25 * values[0] + 0.75 * values[1], atol=1e-6)
        np.testing.assert_allclose(found[1], 0.75 * values[0] + 0.25 * values[1], atol=1e-6)
        np.testing.assert_array_equal(found[2:], values[2:])
        np.testing.assert_allclose(shares[0], [0.25, 0.75, 0, 0])


def test_batches_are_mixed_alike_on_any_workers_and_after_a_resume() -> None:
    data = load("digits", "image", split=Split())
    own = find("image").settings(shift=0.1)
    model = Model("cnn", "small", data.labels, find("image").data.suiting(data, own, None), 0, 0)
    recipe = Recipe(batch_size=60, mixup=0.8, cutmix=1.0, repeats=2, sampling="balanced", input=own)
    batches = Batches(data.train, model, recipe)

    def epoch(start: int = 0, share: Share = WHOLE) -> tuple[np.ndarray, np.ndarray]:
        rows = [(inputs["image"], targets) for inputs, targets in batches.epoch(1, start, share).as_numpy_iterator()]
        return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])

    whole = epoch()
    assert whole[1].shape == (len(data.train) // 60, 60, 10)
    assert whole[1].dtype == np.float32
    assert (whole[1].max(-1) < 1).mean() > 0.2
    shares = [epoch(9, Share(index, 2)) for index in range(2)]
    for part in range(2):
        np.testing.assert_array_equal(np.concatenate([one[part] for one in shares], 1), whole[part][9:])


def test_losses_and_sums_of_shares_are_those_of_their_classes() -> None:
    graph, model = task("classes").graph, described()
    found = tf.constant(np.random.default_rng(0).normal(size=(5, 3)), tf.float32)
    targets = tf.constant([0, 1, 2, 1, 0], tf.int64)
    whole = tf.one_hot(targets, 3)
    for smoothing in (0.0, 0.1):
        np.testing.assert_allclose(
            graph.losses(whole, found, model, smoothing), graph.losses(targets, found, model, smoothing), rtol=1e-6
        )
    for name, value in graph.sums(targets, found, model).items():
        assert float(graph.sums(whole, found, model)[name]) == pytest.approx(float(value))
    shares = 0.7 * whole + 0.3 * tf.one_hot((targets + 1) % 3, 3)
    hits = float(graph.sums(shares, found, model)["hits"])
    assert hits == float(graph.sums(targets, found, model)["hits"]), "the largest share is the class"


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_each_share_has_the_weight_of_its_class(smoothing: float) -> None:
    weights = np.array([0.2, 1.0, 5.0], np.float32)
    losses = objective(described(), Recipe(label_smoothing=smoothing), weights)
    found = tf.constant(np.random.default_rng(1).normal(size=(4, 3)), tf.float32)
    first, second = (tf.constant(one, tf.int64) for one in ([0, 1, 2, 2], [1, 2, 2, 0]))
    mixture = losses(0.6 * tf.one_hot(first, 3) + 0.4 * tf.one_hot(second, 3), found)
    np.testing.assert_allclose(mixture, 0.6 * losses(first, found) + 0.4 * losses(second, found), rtol=1e-5)


REFUSED = [
    ("mixup", "text", "classes", WHOLE, "mixup does not mix texts: --set mixup=0"),
    ("mixup", "table", "classes", WHOLE, "mixup does not mix rows: --set mixup=0"),
    ("cutmix", "audio", "classes", WHOLE, "cutmix does not mix clips: --set cutmix=0"),
    ("mixup", "audio", "transcript", WHOLE, "mixup mixes classes, and the task is transcript: --set mixup=0"),
    ("cutmix", "image", "values", WHOLE, "cutmix mixes classes, and the task is values: --set cutmix=0"),
    ("mixup", "image", "classes", Share(0, 2), "a batch of each worker has an odd number of examples, 15: --set"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "kind", "target", "share", "line"), REFUSED)
def test_what_cannot_be_mixed_is_refused(key: str, kind: str, target: str, share: Share, line: str) -> None:
    recipe = override(Recipe(batch_size=30), [f"{key}=0.5"])
    with pytest.raises(ZooError) as caught:
        check(recipe, find(kind), task(target), 30, share=share)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("family", "source", "settings", "line"),
    [
        ("linear", "diabetes", ["sampling=balanced"], "the task is values"),
        ("linear", "iris", ["sampling=balanced", "class_weights=balanced"], "both balance the classes"),
        ("linear", "iris", ["mixup=0.2"], "mixup does not mix rows"),
        ("cnn", "digits", ["mixup=0.2", "batch_size=31"], "a batch has an odd number of examples, 31"),
        ("cnn", "digits", ["image.crop_ratio=1.3"], "set that below 1"),
    ],
)
def test_recipes_that_make_no_sense_are_refused_before_work_starts(
    family: str, source: str, settings: list[str], line: str, tmp_path: Path
) -> None:
    with pytest.raises(ZooError, match=line):
        train(tmp_path / "run", *settings, family=family, source=source)
    assert not (tmp_path / "run").exists()


EVERYTHING = (
    "mixup=0.4", "cutmix=1.0", "repeats=2", "sampling=balanced", "image.policy=randaugment", "image.erase=0.5",
    "image.smallest_crop=0.5", "image.crop_ratio=1.33", "label_smoothing=0.1", "batch_size=64",
)  # fmt: skip


@pytest.mark.full
def test_a_network_learns_from_mixed_images(tmp_path: Path) -> None:
    folder = train(tmp_path / "run", "epochs=2", "mixup=0.2", "cutmix=1.0", "accumulate=2")
    assert run.read_finished(folder).results["test_accuracy"] > 0.5


@pytest.mark.full
def test_a_run_with_everything_that_is_killed_ends_bit_for_bit_as_one_left_alone(tmp_path: Path) -> None:
    settings = ("cnn-small", "digits", "epochs=2", *EVERYTHING)
    drive(tmp_path / "alone", 1, "never", *settings)
    assert drive(tmp_path / "killed", 1, "step:1:9", *settings, minutes=0.0003) == -9
    drive(tmp_path / "killed", 1, "never", *settings)
    assert_same(tmp_path / "alone", tmp_path / "killed")
