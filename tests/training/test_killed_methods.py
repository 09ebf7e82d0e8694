"""`kill -9` within an epoch of every way to train: the run goes on, and ends bit for bit as one left alone."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.test_several_targets import shop
from tests.training.test_data_service import assert_same
from tests.training.test_processes import drive, reached

pytestmark = pytest.mark.full

EPOCHS, KILLS = "epochs=3", ("saved:1:2", "saved:2:1")
ALWAYS = 1e-6
"""Minutes between checkpoints: one is begun after every step."""
GROWING = ("network.width=0.25", "image.size=12", "image.first_size=8", "image.size_stages=2", "batch_size=32")


def finished(folder: Path) -> Path:
    """A run to take weights from."""
    assert drive(folder, 1, "never", "cnn-base", "digits", "epochs=1", "batch_size=256") == 0
    return folder


METHODS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "simclr": lambda place: (
        "cnn-small-simclr", "digits", "batch_size=128", "simclr.projection=16", "simclr.blur=0.5", "ema_decay=0.9"
    ),
    "mae": lambda place: (
        "vit-tiny-mae", "digits", "batch_size=256", "image.size=16", "network.width=0.35", "mae.depth=1", "mae.width=32"
    ),
    "mlm": lambda place: (
        "bert-small-mlm", "messages", "batch_size=256", "text.vocabulary=200", "text.max_length=16", "network.width=0.1"
    ),
    "fixmatch": lambda place: (
        "cnn-small", "digits@rest", "batch_size=16", "label_fraction=0.05", "fixmatch.ratio=3", "fixmatch.threshold=0.3"
    ),
    "several targets": lambda place: (
        "mlp-small", f"csv:{shop(place / 'shop.csv')}", "target=bought,spent on it", "batch_size=16", "ema_decay=0.9"
    ),
    "pruning": lambda place: (finished(place / "whole"), "digits", "batch_size=256", "prune.share=0.5"),
    "growing images": lambda place: ("resnet-small", "digits", "label_fraction=0.1", "image.shift=0.2", *GROWING),
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_killed_within_an_epoch_it_ends_as_one_left_alone(method: str, tmp_path: Path) -> None:
    settings = (*map(str, METHODS[method](tmp_path)), EPOCHS, "keep=last")
    assert drive(tmp_path / "alone", 1, "never", *settings) == 0
    for epoch, moment in enumerate(KILLS, start=1):
        assert drive(tmp_path / "killed", 1, moment, *settings, minutes=ALWAYS) == -signal.SIGKILL
        done, steps = reached(tmp_path / "killed")
        assert done == epoch
        assert steps > 0
    assert drive(tmp_path / "killed", 1, "never", *settings) == 0
    assert_same(tmp_path / "alone", tmp_path / "killed")
