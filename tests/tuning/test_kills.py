"""`kill -9` of whole processes: studies, sizes and scales resume and end with the same result. Takes minutes."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.processes import wait_for
from zoo import run

pytestmark = pytest.mark.full


def zoo(place: Path, arguments: list[str]) -> dict[str, Any]:
    """Return the output of `zoo` in a process of its own."""
    command = [sys.executable, "-P", "-m", "zoo", *arguments, "--json"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def killed(place: Path, arguments: list[str], folder: str, seconds: float) -> bool:
    """Kill `zoo` so many seconds after it has begun the next training below a folder; False if it ended before."""
    runs = len(begun(place / folder))
    command = [sys.executable, "-P", "-m", "zoo", *arguments, "--json"]
    with subprocess.Popen(
        command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    ) as process:
        wait_for(lambda: len(begun(place / folder)) > runs or process.poll() is not None, process)
        time.sleep(seconds)
        if process.poll() is not None:
            return False
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, alive = psutil.wait_procs(children, timeout=15)
        assert not alive, "the processes that train end with the one that started them"
    return True


def begun(folder: Path) -> list[Path]:
    # Unlike Path.glob (Python 3.11), os.walk passes over a folder that gets its final name while it is read.
    return [Path(parent) / "run.json" for parent, _, names in os.walk(folder) if "run.json" in names]


def killed_until_done(place: Path, arguments: list[str], folder: str, longest: float) -> dict[str, Any]:
    moments = random.Random(1)
    assert killed(place, arguments, folder, 0.0)
    for _ in range(2):
        killed(place, arguments, folder, moments.uniform(0, longest))
    return zoo(place, arguments)


TUNE = ["tune", "mlp", "--data", "iris", "--trials", "8", "--epochs", "4", "--out"]


@pytest.mark.parametrize("parallel", ["1", "2"])
def test_a_study_that_is_killed_has_exactly_its_trials(tmp_path: Path, parallel: str) -> None:
    arguments = [*TUNE, "killed", "--parallel", parallel]
    found = killed_until_done(tmp_path, arguments, "killed", 3)
    folder = tmp_path / "killed"
    assert [trial["place"] for trial in found["trials"]] == [*range(8)]
    assert sorted(path.name for path in (folder / "trials").iterdir()) == [f"{place:04}" for place in range(8)]
    with contextlib.closing(sqlite3.connect(folder / "study.db")) as database:
        states = [state for (state,) in database.execute("select state from trials")]
    assert sum(state in ("COMPLETE", "PRUNED") for state in states) == 8
    assert set(states) <= {"COMPLETE", "PRUNED", "FAIL"}
    assert len([*csv.DictReader((folder / "trials.csv").open())]) == 8
    assert (folder / "history.png").stat().st_size > 1000
    results = found["results"]
    assert results["val_accuracy"] >= results["default"]
    best = run.read_finished(folder / "best")
    assert best.results["val_accuracy"] == results["val_accuracy"]
    tested = [path for path in folder.glob("trials/*/run.json") if json.loads(path.read_text())["results"]]
    assert not tested, "no trial has seen the test examples"
    if parallel == "1":
        alone = zoo(tmp_path, [*TUNE, "alone"])
        keys = ("place", "params", "value", "epochs", "reason")
        assert [[one[key] for key in keys] for one in alone["trials"]] == [
            [one[key] for key in keys] for one in found["trials"]
        ]
    assert zoo(tmp_path, ["tune", "--resume", "killed"]) == found


def test_sizes_that_are_killed_are_trained_once(tmp_path: Path) -> None:
    arguments = ["train", "mlp", "--size", "small,base", "--data", "iris", "--epochs", "30", "--out", "sizes"]
    found = killed_until_done(tmp_path, arguments, "sizes", 3)
    assert [Path(one["run"]).name for one in found["runs"]] == ["small", "base"]
    again = zoo(tmp_path, ["train", "--resume", "sizes"])
    assert again == found


def test_pruning_in_steps_that_is_killed_ends_with_the_same_weights(tmp_path: Path) -> None:
    zoo(tmp_path, ["train", "cnn", "--data", "digits", "--epochs", "2", "--out", "whole"])
    pruning = ["--prune", "0.8,0.5", "--set", "prune.multiple=4"]
    arguments = ["train", "--weights", "whole", *pruning, "--epochs", "3", "--out"]
    found = killed_until_done(tmp_path, [*arguments, "killed"], "killed", 8)
    assert [Path(one["run"]).name for one in found["runs"]] == ["0.8", "0.5"]
    zoo(tmp_path, [*arguments, "alone"])
    for name in ("0.8", "0.5"):
        weights = [(tmp_path / folder / name / run.WEIGHTS).read_bytes() for folder in ("killed", "alone")]
        assert weights[0] == weights[1]


def test_a_scale_that_is_killed_goes_on(tmp_path: Path) -> None:
    arguments = ["scale", "mlp", "--widths", "0.5,1,2", "--data", "iris", "--epochs", "5", "--seconds", "0.2"]
    found = killed_until_done(tmp_path, [*arguments, "--out", "scale"], "scale", 8)
    rows = found["results"]["networks"]
    assert [row["name"] for row in rows] == ["small-x0.5", "small", "small-x2"]
    assert all(row["latency"]["p50_ms"] > 0 and row["not_exported"] is None for row in rows)
    assert found["results"]["law"]["networks"] == 3
    assert found["results"]["law"]["covers"] == ["test examples"]
    assert (tmp_path / "scale" / "scale.png").stat().st_size > 1000
    assert zoo(tmp_path, [*arguments, "--out", "scale"]) == found


def test_ctrl_c_ends_the_processes_that_train(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "zoo", *TUNE, "study", "--parallel", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_for((tmp_path / "study/trials/0000").exists, process)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "zoo: interrupted"
    _, alive = psutil.wait_procs(children, timeout=15)
    assert not alive
