"""The index of a folder: a second start reads only new and changed files, and gives the same examples."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tests.data.sample_images import encoded, fill, noise
from zoo import user_cache
from zoo.data import folder_index
from zoo.data.dataset import Dataset
from zoo.data.load import load
from zoo.data.sources import folder
from zoo.input import find
from zoo.inputs.audio.synthetic import write_folder
from zoo.recipe import Split

SPLITS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, in which every folder has an index and files settle at once."""
    monkeypatch.setenv(user_cache.CACHE_DIR, str(tmp_path / "cache"))
    monkeypatch.setattr(folder_index, "FEWEST", 1)
    monkeypatch.setattr(folder_index, "SETTLED", 0)
    return tmp_path / "cache"


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read completely."""
    names: list[str] = []
    whole = folder.inspect

    def noting(file: folder.Candidate, kind: object) -> object:
        names.append(file.name)
        return whole(file, kind)  # type: ignore[arg-type]

    monkeypatch.setattr(folder, "inspect", noting)
    return names


def loaded(place: Path, kind: str = "image", **options: object) -> tuple[Dataset, list[str]]:
    """The dataset, and the messages printed while it was loaded."""
    # Times of files are counted in ticks of a few milliseconds.
    time.sleep(0.02)
    said: list[str] = []
    return load(f"folder:{place}", kind, split=Split(), say=said.append, **options), said  # type: ignore[arg-type]


def known(data: Dataset) -> list[object]:
    """Everything that the examples of a dataset hold."""
    every = [getattr(data, split) for split in SPLITS]
    return [
        data.fingerprint,
        data.form,
        data.labels,
        *(split.digests.tolist() for split in every),
        *(split.sizes.tolist() for split in every),
        *(
            [split.names(place), split.traits(place), split.read(place)]
            for split in every
            for place in range(len(split))
        ),
    ]


def test_a_second_start_reads_nothing_and_knows_the_same(tmp_path: Path, inspected: list[str]) -> None:
    place = fill(tmp_path / "data", {"cat": 6, "dog": 6})
    (place / "cat/print.jpg").write_bytes(encoded(noise("CMYK", 12, 10), "JPEG"))
    (place / "dog/damaged.jpg").write_bytes(encoded(noise("RGB", 64, 64), "JPEG")[:-900] + b"\xff\xd9")
    (place / os.fsdecode(b"dog/\xff.png")).write_bytes(encoded(noise("L", 9, 9, seed=1), "PNG"))
    first, said = loaded(place)
    assert len(inspected) == 15
    assert "reading 15 of 15 images, which are new or have changed" in said
    inspected.clear()
    second, said = loaded(place)
    assert inspected == []
    assert said == []
    assert known(second) == known(first)
    traits = [
        split.traits(number) for split in (second.train, second.validation, second.test) for number in range(len(split))
    ]
    assert any(one.damage for one in traits)
    assert {type(value) for one in traits for value in (one.height, one.gray, one.damage)} == {int, bool, str}


def test_only_what_is_new_or_has_changed_is_read(tmp_path: Path, inspected: list[str]) -> None:
    place = fill(tmp_path / "data", {"cat": 6, "dog": 6})
    before, _ = loaded(place)
    inspected.clear()
    same_size = bytearray((place / "cat/1.png").read_bytes())
    (place / "cat/2.png").unlink()
    (place / "cat/2.png").write_bytes(same_size)
    times = (place / "cat/3.png").stat()
    (place / "cat/3.png").write_bytes((place / "dog/4.png").read_bytes())
    os.utime(place / "cat/3.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    (place / "dog/new.png").write_bytes(encoded(noise("L", 9, 9, seed=1), "PNG"))
    (place / "dog/5.png").rename(place / "dog/renamed.png")
    after, _ = loaded(place)
    assert sorted(inspected) == ["cat/2.png", "cat/3.png", "dog/new.png", "dog/renamed.png"]
    assert after.fingerprint != before.fingerprint
    inspected.clear()
    again, _ = loaded(place)
    assert inspected == []
    assert known(again) == known(after)


def test_files_that_have_just_changed_are_read_again(
    tmp_path: Path, inspected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_index, "SETTLED", 10**9 * 3600)
    place = fill(tmp_path / "data", {"cat": 4, "dog": 4})
    loaded(place)
    inspected.clear()
    loaded(place)
    assert len(inspected) == 8


def test_files_that_cannot_be_read_are_tried_again(tmp_path: Path, inspected: list[str]) -> None:
    place = fill(tmp_path / "data", {"cat": 4, "dog": 4})
    (place / "cat/x.png").write_text("no image")
    first, _ = loaded(place, bad_examples="skip")
    inspected.clear()
    second, _ = loaded(place, bad_examples="skip")
    assert inspected == ["cat/x.png"]
    assert second.skipped == first.skipped


def test_what_an_interrupted_start_has_read_is_kept(
    tmp_path: Path, inspected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = fill(tmp_path / "data", {"cat": 6, "dog": 6})
    time.sleep(0.02)
    monkeypatch.setattr(folder, "AT_ONCE", 1)
    whole = folder.inspect

    def interrupted(file: folder.Candidate, kind: object) -> object:
        if file.name == "dog/0.png":
            raise KeyboardInterrupt
        return whole(file, kind)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(folder, "inspect", interrupted)
        loaded(place)
    inspected.clear()
    loaded(place)
    assert sorted(inspected) == [f"dog/{number}.png" for number in range(6)]


@pytest.mark.parametrize("harm", ["cut", "garbage", "empty", "another folder", "another library", "another array"])
def test_an_index_that_is_not_right_is_made_anew(
    tmp_path: Path, cache: Path, inspected: list[str], monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    place = fill(tmp_path / "data", {"cat": 4, "dog": 4})
    first, _ = loaded(place)
    (index,) = cache.rglob("*.npz")
    if harm == "cut":
        index.write_bytes(index.read_bytes()[:500])
    elif harm == "garbage":
        index.write_bytes(bytes(range(256)) * 9)
    elif harm == "empty":
        index.write_bytes(b"")
    elif harm == "another folder":
        other = fill(tmp_path / "other", {"cat": 4, "dog": 4})
        loaded(other)
        shutil.copy(folder_index.index_path(other, find("image")), index)
    elif harm == "another library":
        monkeypatch.setattr(folder_index, "_version", lambda package: "0.0")
    else:
        with np.load(index) as stored:
            arrays = {name: stored[name] for name in stored.files}
        np.savez(index, allow_pickle=False, **arrays | {"digests": arrays["digests"][1:]})
    inspected.clear()
    second, said = loaded(place)
    assert len(inspected) == 8
    assert said[0].startswith(f"the index {index} is not used (")
    assert known(second) == known(first)
    inspected.clear()
    assert loaded(place)[1] == []
    assert inspected == []


def test_without_a_cache_that_can_be_written_it_goes_on(tmp_path: Path, cache: Path, inspected: list[str]) -> None:
    place = fill(tmp_path / "data", {"cat": 4, "dog": 4})
    cache.write_text("a file where the folder should be")
    first, said = loaded(place)
    assert said[-1].startswith("no index is kept in ")
    assert len(first.train)


def test_small_folders_have_no_index(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_index, "FEWEST", 9)
    loaded(fill(tmp_path / "data", {"cat": 4, "dog": 4}))
    assert not cache.exists()


def test_each_kind_has_its_own_index(tmp_path: Path, cache: Path, inspected: list[str]) -> None:
    sounds, texts = tmp_path / "sounds", tmp_path / "texts"
    write_folder(sounds, 3, words={"see": "si", "am": "am"})
    for label in ("a", "b"):
        (texts / label).mkdir(parents=True)
        for number in range(4):
            (texts / label / f"{number}.txt").write_text(f"{label} {number}")
    for place, kind in ((sounds, "audio"), (texts, "text")):
        first, _ = loaded(place, kind)
        inspected.clear()
        second, _ = loaded(place, kind)
        assert inspected == []
        assert known(second) == known(first)
    assert sorted(path.stem.split("-")[1] for path in cache.rglob("*.npz")) == ["audio", "text"]


def test_indexes_that_are_not_used_any_more_are_removed(tmp_path: Path, cache: Path) -> None:
    loaded(fill(tmp_path / "one", {"cat": 4, "dog": 4}))
    (old,) = cache.rglob("*.npz")
    os.utime(old, (0, 0))
    loaded(fill(tmp_path / "two", {"cat": 4, "dog": 4}))
    assert not old.exists()
    assert len(list(cache.rglob("*.npz"))) == 1
