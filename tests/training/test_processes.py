"""Trainings as whole processes: replicas agree with one device, and an interrupted run with an uninterrupted one."""

from __future__ import annotations

import json
import math
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import zoo
from tests import processes
from tests.conftest import write_images
from zoo import weights_file
from zoo.errors import ZooError

DRIVER = Path(__file__).with_name("driver.py")
ENDINGS = (0, -signal.SIGKILL, -signal.SIGTERM)
OFTEN = 0.0003
"""Minutes between checkpoints: there is one after nearly every step."""

SETTINGS = ("cnn-base", "digits", "epochs=5", "batch_size=64", "image.shift=0.1")
MOMENTS = ("step:0:7", "write:next:4", "rename:next:3", "evaluation:2", "epoch:3")
"""In this order: each is in what the kill before it left."""


def drive(folder: Path, devices: int, moment: str, *settings: str, minutes: float = math.inf) -> int:
    done = processes.run(DRIVER, folder, devices, moment, minutes, *settings)
    assert done.returncode in ENDINGS, done.stderr[-3000:]
    if done.returncode == -signal.SIGTERM:
        assert f"continue with zoo train --resume {folder}" in done.stdout
    return done.returncode


def reached(folder: Path) -> tuple[int, int]:
    """The epochs and the steps that the last checkpoint holds."""
    names = ("next", "last", "previous")
    paths = (folder / f"checkpoints/{name}.safetensors" for name in names)
    _, text = weights_file.read(next(path for path in paths if path.exists()))
    state = json.loads(text["state"])
    return state["epochs_done"], state["steps_done"]


def assert_same(alone: Path, killed: Path) -> None:
    """Check that weights and metrics are equal bit for bit: dropout, shifts, momentum and schedule were restored."""
    for name in ("weights.safetensors", "checkpoints/best.safetensors", "checkpoints/last.safetensors"):
        first, second = load_file(alone / name), load_file(killed / name)
        assert first.keys() == second.keys()
        for key, value in first.items():
            np.testing.assert_array_equal(value, second[key], err_msg=f"{name} {key}")
    rows = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()] for folder in (alone, killed)
    ]
    for alone_row, killed_row in zip(*rows, strict=True):
        for key in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
            assert alone_row[key] == killed_row[key]
    assert not list(killed.glob("checkpoints/.*")), "nothing half-written is left"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "alone"
    assert drive(folder, 1, "never", *SETTINGS) == 0
    return folder


def test_two_replicas_train_as_one_device_does(tmp_path: Path) -> None:
    """Eight steps of the default recipe, in float64, with a narrow network.

    In float32, even another order of the batch on one device would change the result by more than any bound that could
    detect an error: if rounding moves the input of a ReLU across zero, a gradient changes by a finite step.
    """
    images = write_images(tmp_path / "images", classes=3, each=22, side=8)
    shares = ["split.test=0.01", "split.validation=0.01", "batch_size=8"]
    recipe = ["epochs=1", *shares, "image.shift=0", "keep=last", "precision=float64", "network.width=0.25"]
    settings = ["resnet-small", f"folder:{images}", *recipe]
    for devices in (1, 2):
        assert drive(tmp_path / str(devices), devices, "never", *settings) == 0
    one, two = (load_file(tmp_path / str(devices) / "weights.safetensors") for devices in (1, 2))
    history = json.loads((tmp_path / "2" / "metrics.jsonl").read_text())
    assert history["loss"] > 0
    assert one.keys() == two.keys()
    assert any("moving_variance" in name for name in one)
    for name, value in one.items():
        assert value.dtype == np.float64
        difference = np.linalg.norm(two[name] - value) / np.linalg.norm(value)
        assert difference < 1e-4, f"{name} differs by {difference:.1e}"


def test_killed_at_every_kind_of_moment_a_run_ends_as_one_left_alone(tmp_path: Path, alone: Path) -> None:
    """This also shows that the same command gives the same bits twice."""
    folder, before = tmp_path / "killed", (0, 0)
    for moment in MOMENTS:
        assert drive(folder, 1, moment, *SETTINGS, minutes=OFTEN) == -signal.SIGKILL
        assert not (folder / "weights.safetensors").exists()
        assert reached(folder) > before, moment
        before = reached(folder)
    assert drive(folder, 1, "never", *SETTINGS) == 0
    assert_same(alone, folder)


@pytest.mark.full
def test_killed_at_ten_random_moments_a_run_ends_as_one_left_alone(tmp_path: Path, alone: Path) -> None:
    """The clock triggers the kills. A run that ends before its kill is compared, too, and another one begins."""
    generator, folder, kills = random.Random(0), tmp_path / "killed", 0
    while kills < 10:
        moment = f"after:{generator.uniform(0.5, 4.0)}"
        if drive(folder, 1, moment, *SETTINGS, minutes=OFTEN) == -signal.SIGKILL:
            kills += 1
        else:
            assert_same(alone, folder)
            folder = tmp_path / f"killed after {kills}"
    assert drive(folder, 1, "never", *SETTINGS) == 0
    assert_same(alone, folder)


def test_sigterm_within_an_epoch_saves_what_was_done(tmp_path: Path, alone: Path) -> None:
    folder = tmp_path / "ended"
    assert drive(folder, 1, "term:1:12", *SETTINGS) == -signal.SIGTERM
    assert reached(folder) == (1, 13), "the step that had begun is made"
    assert drive(folder, 1, "never", *SETTINGS) == 0
    assert_same(alone, folder)


@pytest.mark.full
@pytest.mark.parametrize("rule", ["adamw", "lamb"])
def test_two_replicas_that_accumulate_train_as_one_device_does(rule: str, tmp_path: Path) -> None:
    """A batch as a whole, and each half of it in two parts. ViT normalizes no batch, and nothing is dropped."""
    images = write_images(tmp_path / "images", classes=3, each=20, side=16)
    settings = ["vit-tiny", f"folder:{images}", "epochs=1", "batch_size=8", "keep=last", "precision=float64"]
    settings += [f"optimizer.name={rule}", "ema_decay=0.9", "schedule.shape=linear"]
    assert drive(tmp_path / "one", 1, "never", *settings) == 0
    assert drive(tmp_path / "two", 2, "never", *settings, "accumulate=2") == 0
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-6, atol=1e-9, err_msg=name)


def test_two_replicas_go_on_within_an_epoch(tmp_path: Path) -> None:
    settings = ("cnn-small", "digits", "epochs=2", "batch_size=64", "image.shift=0.1", "keep=last")
    assert drive(tmp_path / "alone", 2, "never", *settings) == 0
    assert drive(tmp_path / "ended", 2, "term:1:9", *settings) == -signal.SIGTERM
    assert reached(tmp_path / "ended") == (1, 10)
    assert drive(tmp_path / "ended", 2, "never", *settings) == 0
    one, two = (load_file(tmp_path / run / "weights.safetensors") for run in ("alone", "ended"))
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("settings", [("batch_size=63",)])
def test_a_batch_that_replicas_cannot_share_is_refused(tmp_path: Path, settings: tuple[str, ...]) -> None:
    done = processes.run(DRIVER, tmp_path / "run", 2, "never", math.inf, "cnn-small", "digits", *settings)
    assert "a batch of 63 cannot be shared by 2 replicas" in done.stderr
    assert not (tmp_path / "run").exists()


def test_two_networks_are_trained_on_replicas_of_one_process(tmp_path: Path) -> None:
    """The collective operations of the second network do not meet those of the first."""
    code = (
        "import sys, zoo\n"
        "for number, size in enumerate(('small', 'base', 'small')):\n"
        "    made = zoo.train('mlp', size=size, data='iris', epochs=1, devices=2, strategy='mirrored',\n"
        "                     out=f'{sys.argv[1]}/{number}')\n"
        "    print(made.run.model.size)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["small", "base", "small"], done.stderr[-2000:]


def test_several_sizes_are_trained_on_logical_devices(tmp_path: Path) -> None:
    """Checking the networks starts TensorFlow, which fixes the devices of a process."""
    script = tmp_path / "sizes.py"
    script.write_text(
        "import zoo\n"
        "made = zoo.train_sizes('linear', size=['small', 'base'], data='iris', epochs=1, devices=2,\n"
        "                       strategy='mirrored', out='sizes')\n"
        "print(*(one.run.model.size for one in made.runs))\n"
    )
    done = processes.run(script, cwd=tmp_path)
    assert done.stdout.split() == ["small", "base"], done.stderr[-2000:]


def test_devices_that_cannot_be_had_leave_no_folder_of_sizes(tmp_path: Path) -> None:
    for devices, words in ((99, "1 to 16 logical CPU devices can be made"), (1.5, "is not a whole number")):
        with pytest.raises(ZooError, match=words):
            zoo.train_sizes("linear", size=["small", "base"], data="iris", devices=devices, out=tmp_path / "sizes")
    assert not (tmp_path / "sizes").exists()
