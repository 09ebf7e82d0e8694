"""Drawings: any name is plain text, no setting of the surroundings counts, and one that fails stops nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

from zoo import drawing
from zoo.tasks.classes.figures import draw_confusion, measure
from zoo.training import learning_curves

NAMES = ["$x$", "\\frac{", "a_b^{c", " $", "100 %", "猫　犬", "ไทย", "👩‍👧", "नमस्ते", "n" * 300]
PNG = b"\x89PNG"
TITLES = {"loss": "cross-entropy", "accuracy": "accuracy"}

DRAW = """
import sys
from pathlib import Path
from zoo.training import learning_curves
row = {"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5}
titles = {"loss": "loss", "accuracy": "accuracy"}
learning_curves.draw(Path(sys.argv[1]), [row, row], titles, "50 $ and more: cnn small", print)
"""


def never(text: str) -> None:
    raise AssertionError(text)


def test_names_are_plain_text(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    logits, truth = random.random((60, len(NAMES))).astype(np.float32), random.integers(0, len(NAMES), 60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_confusion(tmp_path / "c.png", measure(logits, truth, NAMES), "$run_{ and $", never)
        for title in NAMES:
            row = {"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5}
            learning_curves.draw(tmp_path / "d.png", [row], TITLES, title, never)
            assert (tmp_path / "d.png").read_bytes().startswith(PNG)
    assert (tmp_path / "c.png").read_bytes().startswith(PNG)


def test_a_notebooks_settings_count_for_nothing_and_stay(tmp_path: Path) -> None:
    row = {"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5}
    learning_curves.draw(tmp_path / "plain.png", [row], TITLES, "a title", never)
    others: Any = {"text.usetex": True, "font.family": ["nothing"], "savefig.format": "pdf", "figure.facecolor": "red"}
    with matplotlib.rc_context(others):
        learning_curves.draw(tmp_path / "other.png", [row], TITLES, "a title", never)
        assert {key: matplotlib.rcParams[key] for key in others} == others
    assert (tmp_path / "other.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_a_matplotlibrc_and_mplbackend_count_for_nothing(backend: str, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.family: nothing\nnonsense: 1\n")
    done = subprocess.run(
        [sys.executable, "-c", DRAW, "curves.png"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "MPLBACKEND": backend},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)


def test_one_that_fails_is_said_in_one_line(tmp_path: Path) -> None:
    said: list[str] = []

    def paint(figure: object) -> None:
        raise RuntimeError("no\nink")

    drawing.draw(tmp_path / "c.png", paint, inches=(1, 1), dpi=10, say=said.append)
    (tmp_path / "folder.png").mkdir()
    drawing.draw(tmp_path / "folder.png", lambda figure: None, inches=(1, 1), dpi=10, say=said.append)
    assert said[0] == "c.png is left out, because it could not be drawn (RuntimeError: no ink)"
    assert said[1].startswith("folder.png is left out")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]
