"""Signals that end a command: it leaves nothing half-written, and prints one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import zoo
from tests.processes import LIMIT, Process, wait_for
from tests.test_surroundings import described, finished_run
from zoo.cli.ending import Ended, ended_by_signals

PACKAGE = Path(zoo.__file__).parent
"""The folder of the code of zoo, which is in every traceback that zoo prints."""


def one_line(process: Process) -> str:
    _, said = process.communicate(timeout=LIMIT)
    lines = [line for line in said.splitlines() if line.startswith("zoo: ")]
    assert len(lines) == 1, said
    # TensorFlow 2.21 prints an exception that a signal raises within its C code.
    assert not [line for line in said.splitlines() if line.startswith("  File ") and str(PACKAGE) in line], said
    return lines[0]


def hidden(place: Path) -> list[Path]:
    return list(place.rglob(".*"))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_export_leaves_nothing(number: signal.Signals, status: int, tmp_path: Path) -> None:
    finished_run(tmp_path / "run", described())
    process = Process("zoo", "export", "run", "--out", "made/it", cwd=tmp_path)
    wait_for(lambda: bool(list(tmp_path.glob("made/.*"))), process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert number.name in one_line(process)
    assert process.returncode == status
    assert not hidden(tmp_path)
    assert not list((tmp_path / "made").iterdir())
    assert not psutil.wait_procs(children, timeout=30)[1]


def test_a_training_ends_where_it_can_go_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zoo", "train", "cnn", "--epochs", "500", "--out", "run"]
    process = subprocess.Popen(
        [*command, "--checkpoint-minutes", "0.001"], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    wait_for((tmp_path / "run/checkpoints/last.safetensors").exists, process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=LIMIT)
    *_, saved, line = said.splitlines()
    assert saved.startswith("saved after ")
    assert saved.endswith(": continue with zoo train --resume run")
    assert line.startswith("zoo: ended by SIGTERM")
    assert "Traceback" not in said
    assert process.returncode == 143
    assert not hidden(tmp_path)
    assert (tmp_path / "run/run.json").exists()


def test_a_signal_raises_once_and_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Ended, match="SIGTERM"), ended_by_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)  # while things are removed
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_children_end_too() -> None:
    with pytest.raises(Ended), ended_by_signals():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        os.kill(os.getpid(), signal.SIGTERM)
    assert child.wait(30) == -signal.SIGTERM


def test_a_signal_that_c_code_turns_into_another_error_ends_the_command() -> None:
    with pytest.raises(Ended) as ended, ended_by_signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        except Ended:
            raise AttributeError("an error of the code in C") from None
    assert ended.value.exit_status == 143
    with pytest.raises(AttributeError), ended_by_signals():
        raise AttributeError("without a signal")
