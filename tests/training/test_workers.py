"""Several worker processes on the loopback interface: one run, the same results, and clear messages at the end."""

from __future__ import annotations

import dataclasses
import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.processes import Process
from tests.training.ports import on_loopback
from tests.training.test_training import train as train_here
from zoo import run, weights_file

WORKER = Path(__file__).with_name("worker.py")
LIMITS = {"JOIN_SECONDS": 120.0}

TINY = (
    "epochs=2", "batch_size=24", "precision=float64", "keep=last", "label_smoothing=0.1", "optimizer.name=adamw",
    "optimizer.clip_norm=0.05", "optimizer.weight_decay=0.01",
)  # fmt: skip

LONGER = ("cnn", "--data", "digits", "--epochs", "3", "--set", "batch_size=48", "--set", "image.shift=0.1")


@dataclasses.dataclass(frozen=True)
class Ended:
    """A worker that has ended: its status, what it printed, and when it ended, on a clock that all share."""

    status: int
    out: str
    err: str
    at: float


def environment(config: str | None) -> dict[str, str]:
    """One thread each: workers share the cores of one machine."""
    return {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "2"} | ({"TF_CONFIG": config} if config else {})


def train(
    *arguments: str,
    workers: int = 2,
    moments: dict[int, str] | None = None,
    cwd: Path,
    limits: dict[str, float] | None = None,
) -> list[Ended]:
    """Train with a number of workers, a single one without TF_CONFIG; `moments` are by the worker's number.

    The workers beside the chief work in folders of their own, and leave nothing there.
    """
    cluster = on_loopback(workers)
    processes: list[Process] = []
    hanging = [index for index, moment in (moments or {}).items() if moment.startswith(("stop", "hang"))]
    for index in range(workers):
        config = {"cluster": {"worker": cluster.workers}, "task": {"type": "worker", "index": index}}
        moment = (moments or {}).get(index, "never")
        words = (moment, json.dumps(LIMITS | (limits or {})), *arguments)
        variables = environment(json.dumps(config) if workers > 1 else None)
        place = cwd if index == 0 else cwd / f"beside-{index}"
        place.mkdir(exist_ok=True)
        processes.append(Process(WORKER, *words, env=variables, cwd=place))
    at: dict[int, float] = {}
    until = time.monotonic() + 600
    while len(at) < workers - len(hanging) and time.monotonic() < until:
        time.sleep(0.1)
        ends = {index: time.monotonic() for index, process in enumerate(processes) if process.poll() is not None}
        at = ends | at
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.wait()
    for place in cwd.glob("beside-*"):
        assert not [*place.iterdir()]
        place.rmdir()
    return [
        Ended(process.wait(), *process.communicate(), at.get(index, until)) for index, process in enumerate(processes)
    ]


def assert_all(ended: Sequence[Ended], status: int) -> None:
    for one in ended:
        assert one.status == status, one.err[-3000:]


def assert_close(first: Path, second: Path, bound: float) -> None:
    one, two = (load_file(folder / run.WEIGHTS) for folder in (first, second))
    assert one.keys() == two.keys()
    for name, value in one.items():
        difference = np.linalg.norm(two[name] - value) / np.linalg.norm(value)
        assert difference < bound, f"{name} differs by {difference:.1e}"


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / run.METRICS).read_text().splitlines()]


def reached(folder: Path) -> tuple[int, int]:
    _, text = weights_file.read(folder / run.LAST)
    state = json.loads(text["state"])
    return state["epochs_done"], state["steps_done"]


def test_two_workers_that_accumulate_train_as_one_device_does(tmp_path: Path) -> None:
    train_here(tmp_path / "one", *TINY, family="linear", source="iris")
    changes = [word for setting in (*TINY, "accumulate=3") for word in ("--set", setting)]
    two = train("linear", "--data", "iris", *changes, "--out", "two", cwd=tmp_path)
    assert_all(two, 0)
    assert "two: test accuracy" in two[0].err
    assert two[1].out == two[1].err == "", "a worker beside the chief has nothing to say"
    assert_close(tmp_path / "one", tmp_path / "two", 1e-9)
    for one_row, two_row in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
            assert two_row[name] == pytest.approx(one_row[name], rel=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_request_that_the_chief_refuses_ends_all_workers(tmp_path: Path) -> None:
    ended = train("linear", "--data", "iris", "--set", "epoch=2", "--out", "run", cwd=tmp_path)
    assert_all(ended, 2)
    assert "did you mean 'epochs'" in ended[0].err
    assert "worker 0 (127.0.0.1:" in ended[1].err
    assert abs(ended[1].at - ended[0].at) < 11, "as docs/distributed.md says"
    assert not (tmp_path / "run").exists()


@pytest.mark.full
@pytest.mark.parametrize("index", [0, 1])
def test_sigterm_to_any_worker_saves_and_fewer_or_more_workers_go_on(index: int, tmp_path: Path) -> None:
    assert_all(train(*LONGER, "--out", "alone", cwd=tmp_path), 0)
    ended = train(*LONGER, "--out", "run", moments={index: "term:1:9"}, cwd=tmp_path)
    assert_all(ended, 143)
    assert "continue with zoo train --resume run" in ended[0].err
    epochs, steps = reached(tmp_path / "run")
    assert (epochs, steps) in ((1, 10), (1, 11)), "at most one step after the one that had begun"
    assert_all(train("--resume", "run", workers=3 - 2 * index, moments={0: "term:2:3"}, cwd=tmp_path), 143)
    assert_all(train("--resume", "run", cwd=tmp_path), 0)
    alone, resumed = (rows(tmp_path / name) for name in ("alone", "run"))
    assert [row["epoch"] for row in resumed] == [1, 2, 3]
    assert resumed[0]["loss"] == pytest.approx(alone[0]["loss"], rel=1e-4)


@pytest.mark.full
@pytest.mark.parametrize("moment", ["kill:1:5", "evaluation:0"])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_worker_that_is_killed_is_named_and_the_others_end(moment: str, index: int, tmp_path: Path) -> None:
    ended = train(*LONGER, "--out", "run", workers=3, moments={index: moment}, cwd=tmp_path)
    assert ended[index].status == -9
    assert_lost(ended, index, "is gone: it was killed, or its machine failed")
    assert max(one.at for one in ended) - ended[index].at < 11, "as docs/distributed.md says"
    assert_all(train("--resume", "run", workers=2, cwd=tmp_path), 0)


@pytest.mark.full
@pytest.mark.parametrize(
    ("moment", "limits", "why"),
    [
        ("stop:1:5", {"SILENT_SECONDS": 5.0}, "sends nothing for 5 s: it hangs, or is cut off"),
        ("hang:1:5", {"STALL_SECONDS": 6.0}, "did not come to the step in which the others have waited for 6 s"),
    ],
)
@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_that_hangs_is_named_and_the_others_end(
    moment: str, limits: dict[str, float], why: str, index: int, tmp_path: Path
) -> None:
    ended = train(
        *LONGER, "--out", "run", moments={index: moment}, cwd=tmp_path, limits={"GRACE_SECONDS": 2.0, **limits}
    )
    assert_lost(ended, index, why)


def assert_lost(ended: Sequence[Ended], index: int, why: str) -> None:
    """All workers but one end with the status for a lost worker, and one line that names it."""
    for number, one in enumerate(ended):
        if number == index:
            continue
        assert one.status == 138, one.err[-3000:]
        line = one.err.splitlines()[-1]
        assert line.startswith(f"zoo: worker {index} (127.0.0.1:"), one.err[-3000:]
        assert why in line
