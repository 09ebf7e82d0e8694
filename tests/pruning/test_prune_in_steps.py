"""Pruning in several steps: a folder with a run for each."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

import zoo
from tests.conformance import untrained_run
from tests.conftest import Answer
from zoo import experiment, run
from zoo.errors import ZooError

pytestmark = pytest.mark.usefixtures("no_trial_export")

SET = {"epochs": 1, "batch_size": 8, "schedule.warmup_epochs": 0, "prune.multiple": 4}


class StopIn(keras.callbacks.Callback):
    """An interruption in a training, given by its number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number, self.trainings = number, 0

    def on_train_begin(self, logs: object = None) -> None:
        self.trainings += 1
        if self.trainings == self.number:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, images_folder: Path) -> Path:
    return untrained_run(tmp_path_factory.mktemp("source") / "first", images_folder, "cnn", "small", 8)


@pytest.fixture
def call(source: Path, images_folder: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "weights": source,
        "prune": [0.8, 0.5],
        "data": f"folder:{images_folder}",
        "set": SET,
        "strategy": "single",
        "out": tmp_path / "pruned",
    }


def test_each_step_starts_from_the_one_before_and_shares_are_of_the_whole_network(
    call: dict[str, Any], source: Path
) -> None:
    pruned = zoo.train_pruned(**call)
    first, second = (run.read_finished(pruned.folder / name) for name in ("0.8", "0.5"))
    assert [one.folder.name for one in pruned.runs] == ["0.8", "0.5"]
    assert first.initial is not None
    assert second.initial is not None
    assert first.initial.pruning is not None
    whole = first.initial.pruning.multiply_adds_before
    assert 0.5 < first.model.multiply_adds / whole <= 0.8
    assert 0.3 < second.model.multiply_adds / whole <= 0.5
    weights = [one.initial.run for one in (first, second) if one.initial]
    assert weights[0] != weights[1]
    assert [row["name"] for row in pruned.rows] == ["0.8", "0.5"]
    assert [row["multiply_adds"] for row in pruned.rows] == [one.model.multiply_adds for one in (first, second)]
    # The same call, and the folder, show the figures without training again.
    before = {path: path.stat().st_mtime_ns for path in pruned.folder.rglob("*")}
    assert zoo.train_pruned(**call).rows == zoo.train_pruned(resume=pruned.folder).rows == pruned.rows
    assert before == {path: path.stat().st_mtime_ns for path in pruned.folder.rglob("*")}
    with pytest.raises(ZooError, match="belongs to a call with other shares"):
        zoo.train_pruned(**{**call, "prune": [0.8, 0.4]})


def test_an_interrupted_call_goes_on_and_ends_with_the_same_weights(call: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        zoo.train_pruned(**call, callbacks=[StopIn(2)])
    assert not experiment.read("pruned", call["out"]).finished
    resumed = zoo.train_pruned(resume=call["out"])
    alone = zoo.train_pruned(**{**call, "out": tmp_path / "alone"})
    for name in ("0.8", "0.5"):
        weights = [(one.folder / name / run.WEIGHTS).read_bytes() for one in (resumed, alone)]
        assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prune": []}, "name the shares"),
        ({"prune": [0.8, 1.5]}, "shares above 0 and below 1"),
        ({"prune": [0.5, 0.8]}, "each step leaves less than the one before"),
        ({"prune": [0.5, 0.5000000001]}, "each step leaves less than the one before"),
        ({"prune": [0.8, 0.79]}, "leave this step out"),
        ({"prune": [0.8, 0.001]}, "after the step before, cnn small cannot be pruned to less than"),
        ({"prune": [0.002, 0.001]}, "cannot be pruned to 0.002 of its multiply-adds"),
        ({"prune": "0.8,0.5"}, r"name the shares of the multiply-adds, such as \[0.7, 0.5\]"),
        ({"set": {**SET, "prune.share": 0.8}}, "prune.share is one share, and --prune names those of all steps"),
        ({"weights": None}, "name its run with --weights"),
        ({"freeze": True}, "freeze trains the head only"),
        ({"size": "base"}, "small"),
        ({"resume": "runs/pruned", "weights": None, "prune": ()}, "runs/pruned"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_first_step(
    call: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    if "resume" in changes:
        call = {}
    with pytest.raises(ZooError, match=message):
        zoo.train_pruned(**{**call, **changes})
    assert "out" not in call or not call["out"].exists()


def test_the_least_share_after_a_step_is_of_the_whole_network(call: dict[str, Any]) -> None:
    with pytest.raises(ZooError, match="than 0") as refused:
        zoo.train_pruned(**{**call, "prune": [0.8, 0.001]})
    least = float(str(refused.value).partition("less than ")[2].partition(" ")[0])
    with pytest.raises(ZooError, match="less than"):
        zoo.train_pruned(**{**call, "prune": [0.8, least - 0.002]})
    pruned = zoo.train_pruned(**{**call, "prune": [0.8, least]})
    first = pruned.runs[0].run.initial
    assert first is not None
    assert first.pruning is not None
    assert pruned.rows[-1]["multiply_adds"] <= least * first.pruning.multiply_adds_before


def test_a_step_that_leaves_less_after_training_does_not_end_the_call(
    call: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.verbs.train_pruned._check_shares", lambda *checked: None)
    first, second = (row["multiply_adds"] for row in zoo.train_pruned(**{**call, "prune": [0.8, 0.79]}).rows)
    assert second < first


@pytest.mark.parametrize("number", [1, 2])
def test_data_of_the_weights_may_have_moved(
    call: dict[str, Any], images_folder: Path, tmp_path: Path, number: int
) -> None:
    shutil.copytree(images_folder, tmp_path / "before")
    weights = untrained_run(tmp_path / "source", tmp_path / "before", "cnn", "small", 8)
    call = {**call, "weights": weights, "data": None}
    with pytest.raises(KeyboardInterrupt):
        zoo.train_pruned(**call, callbacks=[StopIn(number)])
    (tmp_path / "before").rename(tmp_path / "after")
    asked = experiment.read("pruned", call["out"]).asked
    with pytest.raises(ZooError, match="nowhere"):
        zoo.train_pruned(resume=call["out"], data_dir=tmp_path / "nowhere")
    assert experiment.read("pruned", call["out"]).asked == asked, "a folder without the data is not recorded"
    with pytest.raises(ZooError, match="say with --data-dir"):
        zoo.train_pruned(resume=call["out"])
    shutil.rmtree(weights)
    made = zoo.train_pruned(resume=call["out"], data_dir=tmp_path / "after")
    assert [one.run.finished for one in made.runs] == [True, True]
    assert zoo.train_pruned(resume=call["out"]).rows == made.rows


def test_data_of_the_weights_that_are_in_no_folder_refuse_a_data_dir(source: Path, tmp_path: Path) -> None:
    this, weights, folder = run.read(source), tmp_path / "source", tmp_path / "pruned"
    assert this.data is not None
    weights.mkdir()
    run.write(weights, dataclasses.replace(this, data=dataclasses.replace(this.data, source="digits")))
    record = experiment.begin("pruned", folder, {"weights": str(weights), "shares": [0.8, 0.5], "set": []}, {}, 0)
    with pytest.raises(ZooError, match="are not read from a folder: leave --data-dir out"):
        experiment.move_data("pruned", folder, record, tmp_path)
    assert experiment.read("pruned", folder).asked == record.asked


def test_one_training_takes_one_share(source: Path) -> None:
    several: Any = [0.8, 0.5]
    with pytest.raises(ZooError, match=r"name one share, such as 0.5; zoo.train_pruned takes several"):
        zoo.train(weights=source, prune=several)


def test_the_command_prints_a_row_for_each_step(
    call: dict[str, Any], zoo_command: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = [word for key, value in SET.items() for word in ("--set", f"{key}={value}")]
    words = ["--weights", call["weights"], "--prune", "0.8,0.5", "--data", call["data"], "--strategy", "single"]
    answer = zoo_command("train", *map(str, words), *settings)
    assert answer.status == 0, answer.err
    assert [line.split()[0] for line in answer.out.splitlines() if line.strip()][-2:] == ["0.8", "0.5"]
    assert Path("runs/cnn-small-pruned/pruned.json").is_file()
    again = zoo_command("train", "--resume", "runs/cnn-small-pruned", "--json")
    assert again.status == 0, again.err
    assert '"pruned": "runs/cnn-small-pruned"' in again.out
    wrong = zoo_command("export", "runs/cnn-small-pruned")
    assert wrong.status == 2
    assert "folder of pruned networks, not a run: name one of the runs in it" in wrong.err
