"""Images that are in the data twice: which split they go to, and how they are counted and reported."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.sample_images import encoded, fill, noise
from zoo import schema
from zoo.data import digests
from zoo.data.dataset import Dataset
from zoo.data.example import Example
from zoo.data.load import load
from zoo.data.splits import split_examples
from zoo.description import Model
from zoo.errors import Refused, ZooError
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.recipe import Recipe, Split

TOGETHER = Recipe().split


def remarks(folder: Path, split: Split = TOGETHER) -> tuple[Dataset, list[str]]:
    said: list[str] = []
    data = load(f"folder:{folder}", "image", split=split, say=said.append)
    return data, said + list(digests.overlap_remarks(data, digests.digests_of(data)))


def test_a_test_split_that_is_a_copy_of_train_is_said(tmp_path: Path) -> None:
    fill(tmp_path / "train", {"cat": 10, "dog": 10})
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    data, said = remarks(tmp_path)
    assert said == [
        "20 of 40 images are copies of others, byte for byte",
        "18 of 20 test examples are also training examples: test/cat/0.png, test/cat/1.png, test/cat/2.png and 15 more",
        said[2],
    ]
    assert said[2].startswith("2 of 20 test examples are also validation examples: test/cat/")
    assert data.description().overlap == {"validation": 0, "test": 20}


def test_files_doubled_across_splits_are_counted(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        fill(tmp_path / split, {"cat": 5, "dog": 5})
    shutil.copy(tmp_path / "train/cat/1.png", tmp_path / "val/cat/again.png")
    shutil.copy(tmp_path / "val/dog/2.png", tmp_path / "test/dog/again.png")
    data, said = remarks(tmp_path)
    assert said == [
        "2 of 32 images are copies of others, byte for byte",
        "1 of 11 validation examples are also training examples: val/cat/again.png",
        "1 of 11 test examples are also validation examples: test/dog/again.png",
    ]
    assert data.description().overlap == {"validation": 1, "test": 1}


def test_an_image_in_two_classes_is_named(tmp_path: Path) -> None:
    fill(tmp_path, {"cat": 8, "dog": 8})
    shutil.copy(tmp_path / "cat/1.png", tmp_path / "dog/cat.png")
    _, said = remarks(tmp_path)
    assert "2 images are in several classes: cat/1.png, dog/cat.png: remove them from the wrong ones" in said


def test_data_without_copies_bring_no_remark(tmp_path: Path) -> None:
    data, said = remarks(fill(tmp_path, {"cat": 8, "dog": 8}))
    assert said == []
    assert data.description().overlap == {"validation": 0, "test": 0}


def examples(contents: list[tuple[int, int]]) -> list[Example]:
    """Make images of (label, content)."""
    return [
        Example("train", label, f"{place}", b"", 0, content.to_bytes(32, "little"))
        for place, (label, content) in enumerate(contents)
    ]


@given(
    contents=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), max_size=60),
    seed=st.integers(0, 5),
)
def test_all_copies_of_an_image_go_to_one_split(contents: list[tuple[int, int]], seed: int) -> None:
    # Each class has images of its own, enough to draw from.
    contents += [(label, 100 + 10 * label + number) for label in range(3) for number in range(4)]
    every = examples(contents)
    dealt = split_examples(every, "abc", Split(seed=seed, copies_together=True), "images")
    found = [{example.digest for example in part} for part in dealt]
    assert sum(map(len, found)) == len(set.union(*found))
    assert sorted(int(example.name) for part in dealt for example in part) == list(range(len(contents)))
    for part in dealt:
        assert [int(example.name) for example in part] == sorted(int(example.name) for example in part)
        assert {example.target for example in part} == {0, 1, 2}


@given(counts=st.lists(st.integers(3, 20), min_size=2, max_size=4), seed=st.integers(0, 5))
def test_without_copies_the_splits_are_the_same_as_before(counts: list[int], seed: int) -> None:
    contents = [(label, 100 * label + number) for label, count in enumerate(counts) for number in range(count)]
    old, new = (
        split_examples(examples(contents), "abcd", Split(seed=seed, copies_together=one), "images")
        for one in (False, True)
    )
    assert [[example.name for example in part] for part in old] == [[example.name for example in part] for part in new]


def test_a_class_of_copies_only_is_refused() -> None:
    with pytest.raises(ZooError, match=r"'b' has too few images to draw a split from \(5 are copies of others\)"):
        split_examples(examples([(0, number) for number in range(9)] + [(1, 50)] * 6), "ab", TOGETHER, "images")


def bmp(number: int) -> bytes:
    """A file whose bytes depend on no library."""
    sizes = [54, 40, 8, 8]
    head = b"BM" + (246).to_bytes(4, "little") + bytes(4) + b"".join(size.to_bytes(4, "little") for size in sizes)
    body = bytes((number // 4 * 7 + number % 2 * 100 + place) % 256 for place in range(192))
    return head + (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24) + body


def test_the_splits_of_old_runs_are_unchanged(tmp_path: Path) -> None:
    """The recipes of old runs do not have `copies_together`; this pins the splits of such runs."""
    for number in range(24):
        place = tmp_path / ("cat" if number % 2 else "dog")
        place.mkdir(exist_ok=True)
        (place / f"{number}.bmp").write_bytes(bmp(number))
    values = schema.to_dict(Recipe())
    assert values["split"].pop("copies_together") is True
    before = schema.parse(Recipe, values, "recipe").split
    data, said = remarks(tmp_path, before)
    assert data.fingerprint == "f75c6903a788d6bf95b42f705e702ae411ade301cb3a97d19832045eb0e4cdb2"
    assert said[0] == "12 of 24 images are copies of others, byte for byte"
    assert said[1] == "2 of 2 validation examples are also training examples: cat/11.bmp, dog/4.bmp"
    assert load("digits", "image", split=before).fingerprint == load("digits", "image", split=TOGETHER).fingerprint
    assert load("digits", "image", split=before).fingerprint.startswith("08d2f035cbd0")
    _, said = remarks(tmp_path)
    assert len(said) == 1


def test_digests_are_written_and_a_damaged_file_is_refused(tmp_path: Path) -> None:
    data = load("digits", "image", split=TOGETHER)
    first = digests.digests_of(data)
    later = digests.digests_of(
        load(f"folder:{fill(tmp_path / 'data', {'a': 5, 'b': 5})}", "image", split=TOGETHER), origins=[first]
    )
    path = tmp_path / "images.npz"
    digests.write(path, later)
    assert path.stat().st_size < 8 * (1797 + 10) + 2000
    read = digests.read(path)
    for name in digests.LISTS:
        np.testing.assert_array_equal(getattr(read, name), getattr(later, name))
    assert read.complete
    assert len(read.seen) == len(data.train) + len(data.validation) + 8
    good = path.read_bytes()
    for damaged in (good[:-30], b"", good[:200] + b"\0" * 50 + good[250:]):
        path.write_bytes(damaged)
        with pytest.raises(Refused, match=r"images\.npz cannot be read"):
            digests.read(path)
    lists = {name: np.zeros(3, np.uint64) for name in digests.LISTS}
    for changes in ({"train": np.array(["a", None], object)}, {"train": np.zeros(3)}, {"complete": np.zeros(2, bool)}):
        arrays: dict[str, Any] = {"complete": np.array(True), **lists, **changes}
        np.savez(path, **arrays)
        with pytest.raises(Refused, match=r"images\.npz cannot be read"):
            digests.read(path)


def test_seen_images_are_left_out_and_the_order_is_kept(tmp_path: Path) -> None:
    data = load(f"folder:{fill(tmp_path / 'data', {'a': 20, 'b': 20})}", "image", split=TOGETHER)
    known = digests.digests_of(data)
    fill(tmp_path / "other", {"a": 3, "b": 3})
    shutil.copy(tmp_path / "data" / data.train.names(0), tmp_path / "other/a/10.png")
    (tmp_path / "other/b/11.png").write_bytes(data.validation.read(0))
    (tmp_path / "other/b/12.png").write_bytes(encoded(noise("L", 12, 10, seed=12345), "PNG"))
    (tmp_path / "other/b/13.png").write_bytes(data.test.read(0))
    from zoo.data.evaluation_data import load_for_evaluation

    model = Model("cnn", "small", ("b", "a"), Preprocessing(8, 8, 1, (0.5,), (0.5,)), 0, 0)

    images, _ = load_for_evaluation(model, f"folder:{tmp_path / 'other'}")
    left, overlap = digests.leave_out_seen(images, known, None, include=False)
    assert overlap == digests.Overlap(examples=2, of=10, left_out=True)
    assert [left.names(place) for place in range(len(left))] == [
        "a/0.png", "a/1.png", "a/2.png", "b/0.png", "b/1.png", "b/2.png", "b/12.png", "b/13.png"
    ]  # fmt: skip
    assert left.targets.tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert left.read(6) == (tmp_path / "other/b/12.png").read_bytes()
    assert left.total_bytes == sum(len(left.read(place)) for place in range(len(left)))
    every, overlap = digests.leave_out_seen(images, known, None, include=True)
    assert (len(every), overlap) == (10, digests.Overlap(examples=2, of=10, left_out=False))
    every, overlap = digests.leave_out_seen(images, None, "nobody knows", include=False)
    assert (len(every), overlap) == (10, digests.Overlap(None, 10, left_out=False, unknown="nobody knows"))
    with pytest.raises(ZooError, match="all 28 examples were used to train or validate"):
        digests.leave_out_seen(data.train, known, None, include=False)
