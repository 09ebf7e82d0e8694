"""The examples of an epoch with repeats and balanced sampling, for every kind of input and after a resume."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.load import load
from zoo.data.sampling import ALL, Sampling
from zoo.data.share import WHOLE, Share
from zoo.description import Model
from zoo.input import find
from zoo.recipe import Recipe, Split
from zoo.training.batches import Batches

KINDS = {"image": "digits", "table": "wine", "text": "messages"}


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_all_is_a_permutation() -> None:
    order, drawn = ALL.epoch(9, 2, generator())
    np.testing.assert_array_equal(order, generator().permutation(9))
    np.testing.assert_array_equal(drawn, np.arange(9))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(2, 7), st.integers(0, 99))
def test_copies_of_an_example_are_in_one_batch(count: int, batch: int, repeats: int, seed: int) -> None:
    order, drawn = Sampling(repeats).epoch(count, batch, generator(seed))
    assert len(drawn) == count
    assert len(order) == count // batch * batch
    assert sorted(order) == list(range(len(order)))
    times = Counter(drawn.tolist())
    assert len(times) == -(-count // repeats)
    assert sorted(times.values())[1:] == [repeats] * (len(times) - 1)
    if batch % repeats == 0:
        for rows in drawn[order].reshape(-1, batch):
            assert set(Counter(rows.tolist()).values()) == {repeats}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=200), st.integers(1, 4), st.integers(0, 99))
def test_balanced_epochs_have_as_many_of_each_class(classes: list[int], repeats: int, seed: int) -> None:
    targets = np.array(classes)
    order, drawn = Sampling(repeats, targets).epoch(len(targets), 1, generator(seed))
    assert sorted(order) == list(range(len(targets)))
    times = Counter(targets[drawn].tolist())
    assert set(times) == set(classes) or len(drawn) < repeats * len(set(classes))
    assert max(times.values()) - min(times.values()) <= 2 * repeats - 1
    if repeats == 1:
        assert max(times.values()) - min(times.values()) <= 1
        for one in set(times):
            members = Counter(drawn[targets[drawn] == one].tolist())
            every = [members.get(int(place), 0) for place in np.flatnonzero(targets == one)]
            assert max(every) - min(every) <= 1, "an example comes again only after all others of its class"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changes", [{"repeats": 3}, {"sampling": "balanced"}], ids=str)
def test_epochs_of_every_kind_are_drawn_so(kind: str, changes: dict[str, Any]) -> None:
    found = find(kind)
    data = load(KINDS[kind], kind, split=Split())
    own = found.settings()
    model = Model("cnn", "small", data.labels, found.data.suiting(data, own, None), 0, 0)
    train = data.train.only(np.arange(96))
    recipe = dataclasses.replace(Recipe(batch_size=12, seed=3, input=own), **changes)
    batches = Batches(train, model, recipe, [np.arange(96)])

    def epoch(number: int, start: int = 0, share: Share = WHOLE) -> tuple[np.ndarray, np.ndarray]:
        """Return targets and the numbers of examples, [batches, batch]."""
        rows = [(targets, numbers) for _, targets, numbers in batches.epoch(number, start, share).as_numpy_iterator()]
        return np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])

    targets, numbers = epoch(1)
    assert numbers.shape == (8, 12), "as many steps as without"
    np.testing.assert_array_equal(targets, train.targets[numbers])
    if "repeats" in changes:
        assert len(np.unique(numbers)) == 32
        if kind != "text":
            assert all(set(Counter(row.tolist()).values()) == {3} for row in numbers)
    else:
        times = np.bincount(targets.reshape(-1))
        assert times[times > 0].max() - times[times > 0].min() <= 1
    halves = [epoch(1, 5, Share(index, 2))[1] for index in range(2)]
    np.testing.assert_array_equal(np.concatenate(halves, 1), numbers[5:])
    assert (epoch(2)[1] != numbers).any()


def test_copies_of_an_image_are_augmented_each_on_its_own() -> None:
    data = load("digits", "image", split=Split())
    own = find("image").settings(erase=1.0)
    model = Model("cnn", "small", data.labels, find("image").data.suiting(data, own, None), 0, 0)
    recipe = Recipe(batch_size=60, repeats=3, input=own)
    train = data.train.only(np.arange(60))
    inputs, _, numbers = next(iter(Batches(train, model, recipe, [np.arange(60)]).epoch(0)))
    images, numbers = inputs["image"].numpy(), numbers.numpy()
    for number in np.unique(numbers):
        one, two, three = images[numbers == number]
        assert (one != two).any()
        assert (two != three).any()


def test_examples_that_are_kept_encoded_are_encoded_once_for_all_epochs() -> None:
    data = load("wine", "table", split=Split())
    read: list[int] = []

    def reading(index: int) -> Any:
        read.append(index)
        return data.train.read(index)

    preprocessing = find("table").data.suiting(data, find("table").settings(), None)
    examples = dataclasses.replace(data.train, read=reading, sampling=Sampling(2, data.train.targets))
    for epoch in range(3):
        made = find("table").graph.training_batches(examples, preprocessing, None, batch_size=8, seed=0, epoch=epoch)
        assert len(list(made)) == len(examples) // 8
    assert len(read) == len(examples)
