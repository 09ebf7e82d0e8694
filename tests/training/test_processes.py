"""Promises about whole processes: replicas agree with one device, and an interrupted run with one left alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import write_images

DRIVER = Path(__file__).with_name("driver.py")
NEVER = ("-1", "-1")


def drive(folder: Path, devices: int, moment: tuple[str, str], *settings: str) -> int:
    command = [sys.executable, str(DRIVER), str(folder), str(devices), *moment, *settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-3000:]
    return done.returncode


def test_two_replicas_train_as_one_device_does(tmp_path: Path) -> None:
    """20 steps of the default recipe, in float64.

    In float32 a batch in another order on one device differs by more than any bound that would catch a mistake: a ReLU
    whose input is rounded across zero changes a gradient by a finite step.
    """
    images = write_images(tmp_path / "images", classes=3, each=56, side=8)
    shares = ["split.test=0.01", "split.validation=0.01", "batch_size=8"]
    recipe = ["epochs=1", *shares, "image.shift=0", "keep=last", "precision=float64"]
    settings = ["resnet-small", f"folder:{images}", *recipe]
    for devices in (1, 2):
        assert drive(tmp_path / str(devices), devices, NEVER, *settings) == 0
    one, two = (load_file(tmp_path / str(devices) / "weights.safetensors") for devices in (1, 2))
    history = json.loads((tmp_path / "2" / "metrics.jsonl").read_text())
    assert history["loss"] > 0
    assert one.keys() == two.keys()
    assert any("moving_variance" in name for name in one)
    for name, value in one.items():
        assert value.dtype == np.float64
        difference = np.linalg.norm(two[name] - value) / np.linalg.norm(value)
        assert difference < 1e-4, f"{name} differs by {difference:.1e}"


def test_killed_three_times_a_run_ends_as_one_left_alone(tmp_path: Path) -> None:
    """Dropout, moved images, momentum, the schedule and the kept epoch all have to come back."""
    settings = ["cnn-base", "digits", "epochs=5", "batch_size=64", "image.shift=0.1"]
    assert drive(tmp_path / "alone", 1, NEVER, *settings) == 0
    for moment in (("0", "7"), ("2", "0"), ("4", "18")):
        assert drive(tmp_path / "killed", 1, moment, *settings) == -signal.SIGKILL
        assert not (tmp_path / "killed" / "weights.safetensors").exists()
    assert drive(tmp_path / "killed", 1, NEVER, *settings) == 0
    for name in ("weights.safetensors", "checkpoints/best.safetensors"):
        alone, killed = (load_file(tmp_path / run / name) for run in ("alone", "killed"))
        assert alone.keys() == killed.keys()
        for key, value in alone.items():
            np.testing.assert_array_equal(value, killed[key], err_msg=f"{name} {key}")
    rows = [
        [json.loads(line) for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        for run in ("alone", "killed")
    ]
    for alone_row, killed_row in zip(*rows, strict=True):
        for key in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
            assert alone_row[key] == killed_row[key]


def test_the_same_command_twice_gives_the_same_bits(tmp_path: Path) -> None:
    settings = ["cnn-small", "digits", "epochs=1", "batch_size=128", "image.shift=0.1", "seed=3"]
    for name in ("first", "second"):
        assert drive(tmp_path / name, 1, NEVER, *settings) == 0
    first, second = (load_file(tmp_path / name / "weights.safetensors") for name in ("first", "second"))
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key])


@pytest.mark.parametrize("settings", [("batch_size=63",)])
def test_a_batch_that_replicas_cannot_share_is_refused(tmp_path: Path, settings: tuple[str, ...]) -> None:
    command = [sys.executable, str(DRIVER), str(tmp_path / "run"), "2", *NEVER, "cnn-small", "digits", *settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert "a batch of 63 cannot be shared by 2 replicas" in done.stderr
    assert not (tmp_path / "run").exists()
