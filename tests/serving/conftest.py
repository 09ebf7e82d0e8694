"""Artifacts and images to serve, damage and measure."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.serving.handmade import SAVE, make_artifact, python, sign, weights
from zoo.formats.saved_model import SAVED_MODEL


@pytest.fixture
def onnx_artifact(tmp_path: Path) -> Path:
    """An artifact with an ONNX file only."""
    return make_artifact(tmp_path / "dense")


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base path of the same network as a SavedModel, made in a process of its own."""
    folder = tmp_path_factory.mktemp("saved")
    kernel, bias = weights()
    np.savez(folder / "weights.npz", kernel=kernel, bias=bias)
    made = python(SAVE, folder / "base", folder / "weights.npz")
    assert made.returncode == 0, made.stderr
    return folder / "base"


@pytest.fixture
def both_artifact(tmp_path: Path, saved_model: Path) -> Path:
    """An artifact in both formats."""
    folder = make_artifact(tmp_path / "both", ("onnx", "saved_model"))
    shutil.copytree(saved_model, folder / SAVED_MODEL.path)
    sign(folder)
    return folder


@pytest.fixture
def saved_model_artifact(tmp_path: Path, saved_model: Path) -> Path:
    """An artifact with a SavedModel only."""
    folder = make_artifact(tmp_path / "saved", ("saved_model",))
    shutil.copytree(saved_model, folder / SAVED_MODEL.path)
    sign(folder)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of three images of several kinds and sizes, a text beside them, a hidden file and a folder within."""
    folder = tmp_path / "images"
    (folder / "within").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name, shape in (("10.png", (9, 9, 3)), ("2.JPG", (12, 7, 3)), ("1.gif", (6, 5))):
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(folder / name)
    shutil.copy(folder / "10.png", folder / "within" / "3.png")
    (folder / ".4.png").write_bytes(b"litter")
    (folder / "notes.txt").write_text("no image", encoding="utf-8")
    return folder
