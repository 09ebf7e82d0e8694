"""The source `files`: it reads every file below a folder, and trainings with labels refuse it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.training.test_training import train
from zoo.data.load import load
from zoo.data.unlabeled import load_unlabeled, load_unlabeled_again, moved_with
from zoo.errors import ZooError
from zoo.recipe import Split


def test_every_file_below_a_folder_is_an_example(images_folder: Path) -> None:
    dataset = load(f"files:{images_folder}", "image", split=Split())
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (43, 5, 12)
    assert dataset.task == "unlabeled"
    flat = load(f"files:{images_folder / 'class0'}", "image", split=Split())
    assert len(flat.train) + len(flat.validation) + len(flat.test) == 20


def test_links_to_folders_are_not_followed(images_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for number in range(3):
        target = tmp_path / "own" / f"{number}.png"
        target.write_bytes((images_folder / "class0" / f"{number}.png").read_bytes())
    (tmp_path / "own" / "back").symlink_to(tmp_path)
    said: list[str] = []
    dataset = load(f"files:{tmp_path}", "image", split=Split(), say=said.append)
    assert len(dataset.train) == 1
    assert "left out: links to folders, which are not followed because they may form a cycle: own/back" in said


def test_no_network_is_trained_on_it_with_labels(images_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="has no labels to learn: name data that have, or use 'zoo pretrain'"):
        train(tmp_path / "run", source=f"files:{images_folder}")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="holds no images: name another folder"):
        load(f"files:{tmp_path}", "image", split=Split())
    with pytest.raises(ZooError, match="there is no folder"):
        load(f"files:{tmp_path / 'none'}", "image", split=Split())


def test_unlabeled_files_that_moved_are_named(images_folder: Path, tmp_path: Path) -> None:
    labeled = load("digits", "image", split=Split())
    rest = labeled.train.only(np.arange(0))
    shutil.copytree(images_folder, tmp_path / "first")
    images, described = load_unlabeled(f"files:{tmp_path / 'first'}", labeled, rest, data_dir=None)
    np.testing.assert_array_equal(load_unlabeled_again(described, labeled, rest).digests, images.digests)
    (tmp_path / "first").rename(tmp_path / "second")
    with pytest.raises(ZooError, match=r"the unlabeled data are not in .*first: move or link them there again"):
        load_unlabeled_again(moved_with(described, labeled.source, tmp_path / "second"), labeled, rest)
    (tmp_path / "first").symlink_to(tmp_path / "second")
    np.testing.assert_array_equal(load_unlabeled_again(described, labeled, rest).digests, images.digests)
