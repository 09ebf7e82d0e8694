"""Tables whose columns have texts or names of files, read without a target for training without labels."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoo
from tests.training.test_training import SignalAt
from tests.trainings import SINGLE
from zoo import run
from zoo.data.load import load
from zoo.data.unlabeled import load_unlabeled, load_unlabeled_again
from zoo.errors import ZooError
from zoo.recipe import Split
from zoo.training import start

COLUMN = {"image": "file"}


@pytest.fixture
def table(images_folder: Path, tmp_path: Path) -> str:
    """A table of the images of three classes, as a source."""
    shutil.copytree(images_folder, tmp_path / "images")
    files = sorted((tmp_path / "images").rglob("*.png"))
    with (tmp_path / "images.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "kind"])
        rows.writerows([str(path.relative_to(tmp_path)), path.parent.name] for path in files)
    return f"csv:{tmp_path / 'images.csv'}"


def test_images_and_texts_of_a_table_need_a_target_only_for_training_with_labels(table: str) -> None:
    dataset = load(table, "image", split=Split(), options=COLUMN, labeled=False)
    assert dataset.task == "unlabeled"
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (43, 5, 12)
    assert load(table, "text", split=Split(), options={"text": "kind"}, labeled=False).task == "unlabeled"
    assert load(table, "image", split=Split(), options=COLUMN, again=True).fingerprint == dataset.fingerprint
    with pytest.raises(ZooError, match="say with --target which column to predict"):
        load(table, "image", split=Split(), options=COLUMN)
    with pytest.raises(ZooError, match="say with --target which column to predict"):
        load(table, "table", split=Split(), labeled=False)


def test_a_network_is_pretrained_on_a_table_without_a_target(table: str, tmp_path: Path) -> None:
    settings = {"batch_size": 8, "image.size": 16, "simclr.projection": 8}
    pretrain: dict[str, Any] = {"method": "simclr", "data": table, "image_column": "file", "epochs": 2, "set": settings}
    alone = zoo.pretrain("cnn", **pretrain, out=tmp_path / "alone").folder
    with pytest.raises(KeyboardInterrupt):
        zoo.pretrain("cnn", **pretrain, out=tmp_path / "ended", callbacks=[SignalAt(2)])
    start.resume(tmp_path / "ended", None, SINGLE)
    assert (alone / run.WEIGHTS).read_bytes() == (tmp_path / "ended" / run.WEIGHTS).read_bytes()
    with pytest.raises(ZooError, match="say with --target which column to predict"):
        zoo.train(weights=alone)
    this = zoo.train(weights=alone, target_column="kind", epochs=1, out=tmp_path / "tuned").run
    assert this.data is not None
    assert this.model.labels == ("class0", "class1", "class2")
    assert this.data.options == {"image": "file", "target": "kind"}


def test_unlabeled_images_of_a_table(table: str, images_folder: Path) -> None:
    labeled = load(table, "image", split=Split(), options={**COLUMN, "target": "kind"})
    rest = labeled.train.only(np.arange(0))
    options = {**COLUMN, "target": "kind"}
    images, described = load_unlabeled(table, labeled, rest, data_dir=None, options=options)
    assert len(images) == len(labeled.train)
    assert described.options == COLUMN
    np.testing.assert_array_equal(load_unlabeled_again(described, labeled, rest).digests, images.digests)
    folder = load(f"folder:{images_folder}", "image", split=Split())
    with pytest.raises(ZooError, match=r"--unlabeled csv:.* needs --image, which only --data csv:FILE takes: name the"):
        load_unlabeled(table, folder, rest, data_dir=None)
