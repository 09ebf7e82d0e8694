"""The search, with processes that do not train: counting trials, ending early, failures, and resuming after a kill."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import zoo
from tests.conftest import Answer
from zoo import experiment, folder_lock, run, schema
from zoo.cli import tables
from zoo.data.source import moved
from zoo.errors import ZooError
from zoo.registry import resolve
from zoo.text import silent
from zoo.tuning import search as searching
from zoo.tuning.process import Died, StudyEnds, TrialProcess
from zoo.tuning.search import search
from zoo.tuning.space import checked
from zoo.tuning.study import Study, Trial, best_of, changes_of, write_table
from zoo.tuning.trial import Settled, StudyRequest
from zoo.verbs import series, tune
from zoo.verbs.results import Folder

MLP, SMALL = resolve("mlp")
PLAIN = {"optimizer.lr": {"low": 1e-4, "high": 1.0, "log": True}, "batch_size": [8, 16, 32]}
SETTLED = Settled("mlp", "small", "mlp-iris", PLAIN, {"optimizer.lr": 0.01, "batch_size": 16}, "accuracy", True, 0)
EPOCHS = 3


class Killed(BaseException):
    """Simulates that this process is killed."""


class Process:
    """A process that does not train: the closer its learning rate is to 0.1, the better its value."""

    killed_after = 10**9
    dies: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()
    without_data: tuple[str, ...] = ()
    answered = 0
    jobs: ClassVar[list[str]] = []

    def __init__(self, threads: int | None, lock: int) -> None:
        self.job: dict[str, Any] = {}
        self.epoch, self.ended = 0, False

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        """End."""

    def send(self, **message: Any) -> None:
        if "train" in message:
            self.job, self.epoch, self.ended = message["train"], 0, False
            Process.jobs.append(Path(self.job["run"]).name)
            (Path(self.job["run"]) / run.CHECKPOINTS).mkdir(parents=True)
        else:
            self.ended = message["end"]

    def answer(self) -> dict[str, Any]:
        Process.answered += 1
        if Process.answered > Process.killed_after:
            raise Killed
        place = Path(self.job["run"]).name
        if place in Process.dies and Process.jobs.count(place) <= Process.dies.count(place):
            raise Died(-9)
        settings = dict(setting.split("=") for setting in self.job["settings"])
        rate = float(settings.get("optimizer.lr", 0.01))
        if place in Process.without_data:
            raise StudyEnds("there is no file")
        if place in Process.fails:
            raise ZooError("the loss is nan")
        value = (1 - abs(rate - 0.1)) * self.epoch / EPOCHS
        if self.epoch == EPOCHS or self.ended:
            return {"figures": {"value": value, "ended": self.ended, "loss": 1 - value}}
        self.epoch += 1
        return {"epoch": self.epoch, "value": (1 - abs(rate - 0.1)) * self.epoch / EPOCHS}


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "TrialProcess", Process)
    monkeypatch.setattr(searching, "_ready", lambda processes: processes)
    monkeypatch.setattr(Process, "jobs", [])
    monkeypatch.setattr(Process, "answered", 0)
    monkeypatch.setattr(Process, "killed_after", 10**9)


def go(folder: Path, trials: int, parallel: int = 1, said: list[str] | None = None) -> list[Trial]:
    folder.mkdir(exist_ok=True)
    study = Study(folder, checked(PLAIN, MLP, None, MLP.recipe_of(SMALL), ()), SETTLED.usual, 0, True)
    request = StudyRequest("mlp", None, "iris", None, {}, "error", (), trials)
    try:
        study.fail_unfinished()
        say = silent if said is None else said.append
        return search(folder, study, request, SETTLED, parallel, 0, say, silent)
    finally:
        study.close()


@pytest.mark.parametrize("parallel", [1, 3])
def test_there_are_as_many_trials_as_were_asked_for(tmp_path: Path, parallel: int) -> None:
    said: list[str] = []
    trials = go(tmp_path / "study", 10, parallel, said)
    assert [trial.place for trial in trials] == [*range(10)]
    assert trials[0].params == {"optimizer.lr": 0.01, "batch_size": 16}
    assert trials[0].value == pytest.approx(0.91)
    best = best_of(trials, True)
    assert best is not None
    assert best.value is not None
    assert best.value >= 0.91
    early = [trial for trial in trials if trial.reason.startswith("ended early")]
    assert all(trial.value is None and trial.epochs < EPOCHS for trial in early)
    assert len(said) == 10
    kept = [path.parent.name for path in (tmp_path / "study" / "trials").glob("*/checkpoints")]
    assert kept == [f"{best.place:04}"]
    assert go(tmp_path / "study", 10) == trials, "a finished study makes no further trial"


def test_a_study_that_is_killed_again_and_again_makes_the_same_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = go(tmp_path / "alone", 9)
    assert any(trial.reason.startswith("ended early") for trial in alone)
    for killed_after in (0, 1, 7, 12):
        monkeypatch.setattr(Process, "answered", 0)
        monkeypatch.setattr(Process, "killed_after", killed_after)
        with pytest.raises(Killed):
            go(tmp_path / "killed", 9)
    monkeypatch.setattr(Process, "killed_after", 10**9)
    assert go(tmp_path / "killed", 9) == alone


def test_with_several_processes_no_trial_counts_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for killed_after in (3, 9):
        monkeypatch.setattr(Process, "answered", 0)
        monkeypatch.setattr(Process, "killed_after", killed_after)
        with pytest.raises(Killed):
            go(tmp_path / "study", 6, 3)
    monkeypatch.setattr(Process, "killed_after", 10**9)
    trials = go(tmp_path / "study", 6, 3)
    assert [trial.place for trial in trials] == [*range(6)]


def test_a_process_that_dies_once_is_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "dies", ("0001", "0002", "0002"))
    trials = go(tmp_path / "a?b {x} %20", 3)
    assert [trial.place for trial in trials] == [*range(3)]
    assert Process.jobs.count("0001") == 2
    assert trials[1].value is not None
    assert trials[2].value is None
    assert "its process ended with status -9" in trials[2].reason


def test_a_trial_that_was_interrupted_twice_may_still_die_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        monkeypatch.setattr(Process, "answered", 0)
        monkeypatch.setattr(Process, "killed_after", 1)
        with pytest.raises(Killed):
            go(tmp_path / "study", 1)
    monkeypatch.setattr(Process, "killed_after", 10**9)
    monkeypatch.setattr(Process, "dies", ("0000",))
    monkeypatch.setattr(Process, "jobs", [])
    trials = go(tmp_path / "study", 1)
    assert Process.jobs == ["0000", "0000"]
    assert trials[0].value is not None


def test_a_training_that_fails_has_no_value_and_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "fails", ("0000", "0002"))
    trials = go(tmp_path / "a?b {x} %20", 3)
    assert [trial.reason for trial in trials] == ["the loss is nan", "", "the loss is nan"]
    assert [trial.value is None for trial in trials] == [True, False, True]


def test_data_that_cannot_be_read_end_the_call_and_use_up_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = go(tmp_path / "whole", 5)
    monkeypatch.setattr(Process, "without_data", ("0002", "0003"))
    with pytest.raises(ZooError, match="there is no file; 2 of 5 trials are finished: fix that, and continue with"):
        go(tmp_path / "study", 5)
    monkeypatch.setattr(Process, "without_data", ())
    assert [trial.value for trial in go(tmp_path / "study", 5)] == [trial.value for trial in whole]


def test_of_equal_trials_the_one_with_the_lower_loss_is_the_best() -> None:
    trials = [
        Trial(0, {}, 0.9, 3, figures={"loss": 0.5}),
        Trial(1, {}, 1.0, 3, figures={"loss": 0.4}),
        Trial(2, {}, 1.0, 3, figures={"loss": 0.3}),
        Trial(3, {}, 1.0, 3, figures={"loss": 0.3}),
        Trial(4, {}, None, 1, reason="ended early"),
    ]
    best = best_of(trials, True)
    assert best is not None
    assert best.place == 2
    lowest = best_of(trials, False)
    assert lowest is not None
    assert lowest.place == 0
    assert best_of(trials[4:], True) is None


def test_the_table_has_a_row_for_each_trial(tmp_path: Path) -> None:
    trials = [Trial(0, {"a": 1}, 0.5, 2, figures={"loss": 0.1}), Trial(1, {"a": 2, "b": "x"}, None, 1, "ended early")]
    write_table(tmp_path / "trials.csv", trials, "accuracy")
    assert (tmp_path / "trials.csv").read_text().splitlines() == [
        "trial,val_accuracy,epochs,loss,a,b,reason",
        "0,0.5,2,0.1,1,,",
        "1,,1,,2,x,ended early",
    ]


def test_a_study_whose_trials_all_fail_has_a_table_with_the_reasons(tmp_path: Path) -> None:
    trials = [Trial(0, {}, None, 0, "the loss is nan"), Trial(1, {}, None, 0, "out of memory")]
    record: Any = None
    request = StudyRequest("mlp", None, "iris", None, {}, "error", (), 2)
    with pytest.raises(ZooError, match=r"no trial of .* has a value; trials\.csv has the reasons, the first: the loss"):
        tune._end(tmp_path, record, request, SETTLED, trials, 0, silent)
    rows = (tmp_path / "trials.csv").read_text().splitlines()
    assert [row.rpartition(",")[2] for row in rows] == ["reason", "the loss is nan", "out of memory"]


def test_what_is_printed_tells_trials_that_failed_from_those_that_ended_early(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trials = [
        Trial(0, {"a": 1}, 0.5, 3),
        Trial(1, {"a": 2}, None, 1, "ended early after 1 epochs"),
        Trial(2, {"a": 3}, None, 2, "its accuracy of validation is nan"),
        Trial(3, {"a": 4}, None, 0, "the loss is no longer finite"),
    ]
    tables.trials(trials, "accuracy", trials[0])
    assert capsys.readouterr().out.splitlines()[-1] == "4 trials: 1 ended early, 2 failed"


def test_the_reason_why_a_network_is_not_exported_is_below_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"parameters": 10, "multiply_adds": 10, "train_seconds": 1.0, "metric": "accuracy", "score": 0.9}
    small = {**figures, "name": "small", "score_low": 0.8, "score_high": 1.0, "latency": {"p50_ms": 0.5}}
    base = {**small, "name": "base", "latency": None, "not_exported": "the gate onnx failed: 3 answers differ"}
    tables.networks([{**small, "not_exported": None}, base])
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in shown[1:3]] == ["0.5", "—"]
    assert shown[3:] == ["base is not exported: the gate onnx failed: 3 answers differ"]
    tables.networks([base])
    assert capsys.readouterr().out.splitlines()[2:] == shown[3:]
    tables.networks([{**small, "latency": None}])
    assert len(capsys.readouterr().out.splitlines()) == 2, "of networks that nobody exports, there is nothing to say"


def test_the_size_is_no_change_of_the_recipe() -> None:
    assert changes_of({"size": "base", "optimizer.lr": 0.1}) == ("base", ["optimizer.lr=0.1"])
    assert changes_of({"batch_size": 8}) == (None, ["batch_size=8"])


def test_a_process_that_cannot_be_started_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.tuning.process.MODULE", "zoo.no_such_module")
    with TrialProcess() as process:
        process.send(check={})
        with pytest.raises(Died, match="status 1"):
            process.answer()


REFUSED = [
    (["tune"], "name a family"),
    (["tune", "mlp"], "say how many trials"),
    (["tune", "mlp", "--trials", "0"], "--trials 0: 1 to"),
    (["tune", "mlp", "--trials", "3", "--parallel", "0"], "--parallel 0: 1 to"),
    (["tune", "mpl", "--trials", "3"], "did you mean 'mlp'"),
    (["tune", "mlp", "--trials", "3", "--size", "huge"], "mlp has no size 'huge'"),
    (["tune", "mlp", "--trials", "3", "--set", "optimizer.lr=-1"], "optimizer.lr should be greater than 0"),
    (["tune", "mlp", "--trials", "3", "--space", "none.toml"], "there is no space file at none.toml"),
    (["tune", "mlp", "--trials", "3", "--space", "bad.toml"], "optimizer.lr should be greater than 0"),
    (["tune", "mlp", "--trials", "3", "--set", "freeze=true"], "and this one starts from scratch: leave it out"),
    (["tune", "mlp", "--trials", "3", "--set", "fixmatch.ratio=2"], "about unlabeled data"),
    (["tune", "mlp", "--trials", "3", "--space", "freeze.toml"], "the space: freeze=True: freeze trains only the head"),
    (["tune", "mlp", "--trials", "3", "--space", "distill.toml"], "the space: distill.temperature=2.0: --distill"),
    (["scale", "mlp", "--set", "freeze=true"], "and this one starts from scratch: leave it out"),
    (["scale", "mlp", "--recipe", "fixmatch.toml"], "about unlabeled data"),
    (["scale", "linear", "--data", "iris", "--widths", "0.5,1"], "linear small has no layers of other widths"),
    (["benchmark", "--data", "digits", "--family", "cnn", "--set", "freeze=true"], "and this one starts from scratch"),
    (
        ["train", "vgg", "--data", "digits", "--set", "xla=true"],
        "XLA cannot compile the gradient of max pooling deterministically",
    ),
    (["train", "mlp", "--set", "prune.multiple=8"], "prune.… removes channels of a trained network"),
    (["tune", "mlp", "--resume", "studies/a"], "leave family out"),
    (["tune", "--resume", "studies/a"], "study.json is missing"),
    (["tune", "mlp", "--trials", "3", "--out", "full"], "full exists already"),
    (
        ["tune", "mlp", "--data", "iris", "--trials", "3", "--set", "label_fraction=0.2", "--set", "batch_size=64"],
        "a batch of 64 is more than the 21 training examples",
    ),
    (["benchmark", "--data", "digits", "--family", "cnn", "--set", "fixmatch.ratio=2"], "about unlabeled data"),
    (["train", "cnn", "--data", "digits", "--recipe", "fixmatch.toml"], "about unlabeled data: name them with"),
    (["train", "mlp", "--data", "iris", "--set", "network.width=1000000"], "network.width should be less than or"),
    (
        ["train", "linear", "--data", "iris", "--set", "optimizer.layer_decay=0.5"],
        "linear small has none: leave it out",
    ),
    (["train", "mlp", "--data", "iris", "--recipe", "twice.json"], "the key 'optimizer.lr' is there twice"),
    (["train", "mlp", "--data", "iris", "--recipe", "same.json"], "the key 'epochs' is there twice"),
    (["train", "mlp", "--data", "iris", "--recipe", "true.toml"], "epochs is True: write a value such as"),
    (["train", "mlp", "--data", "iris", "--set", "schedule.warmup_epochs=1e300"], "less than or equal to 1000000"),
    (
        ["train", "mlp", "--data", "iris", "--epochs", "3", "--set", "schedule.warmup_epochs=50"],
        "longer than the training",
    ),
    (["scale"], "name a family"),
    (["scale", "mlp", "--sizes", "small"], "name 2 to"),
    (
        ["scale", "resnet50", "--widths", "0.5,1"],
        "resnet50 is one size: name the family, resnet, and its sizes, such as base",
    ),
    (["train", "resnet50", "--size", "small,base"], "resnet50 is one size: name the family, resnet"),
    (["scale", "mlp", "--sizes", "small,huge"], "mlp has no size 'huge'"),
    (["scale", "mlp", "--widths", "1,1"], "small is named twice"),
    (["scale", "mlp", "--widths", "1,-1"], "network.width should be greater than 0"),
    (["scale", "mlp", "--widths", "1,a"], "is not a list of numbers"),
    (["scale", "mlp", "--set", "network.width=2"], "network.width cannot be set in addition to the widths"),
    (["scale", "mlp", "--recipe", "wide.toml"], "network.width cannot be set in addition to the widths"),
    (["train", "mlp", "--recipe", "simclr.toml"], "simclr.temperature is for 'zoo pretrain --method simclr'"),
    (["train", "mlp", "--data", "iris", "--recipe", "batch.toml"], "a batch of 256 is more than the"),
    (
        ["train", "mlp", "--data", "iris", "--set", "epochs=2", "--epochs", "3"],
        "the option that sets epochs to 3 differ",
    ),
    (["train", "mlp", "--data", "diabetes", "--set", "label_smoothing=0.1"], "label_smoothing is for classes, and"),
    (["scale", "mlp", "--seconds", "0"], "--seconds 0 is out of range: give a number above 0"),
    (["scale", "mlp", "--seconds", "5000"], "--seconds 5000 is out of range: give a number above 0 and at most 3600"),
    (["benchmark", "--data", "iris", "--family", "mlp", "--seconds", "inf"], "--seconds inf is out of range"),
    (["scale", "mlp", "--resume", "scales/a", "--widths", "1,2", "--seconds", "1"], "leave family, --widths out"),
    (["train", "mlp", "--size", "small,base", "--resume", "runs/a"], "leave family, --size out"),
    (["train", "mlp", "--size", "small,huge"], "mlp has no size 'huge'"),
    (["train", "mlp", "--size", "small,small"], "small is named twice"),
    (["train", "mlp", "--size", "small,base", "--weights", "full"], "--weights can be used for one size only"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=lambda value: " ".join(value))
def test_wrong_requests_end_with_one_line_and_leave_nothing(
    zoo_command: Callable[..., Answer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("fixmatch.toml").write_text("[fixmatch]\nratio = 2\n")
    Path("freeze.toml").write_text("freeze = [false, true]\n")
    Path("distill.toml").write_text("[distill]\ntemperature = [2.0, 1.0]\n")
    Path("twice.json").write_text('{"optimizer": {"lr": 0.5}, "optimizer.lr": 0.25}')
    Path("same.json").write_text('{"epochs": 3, "epochs": 7}')
    Path("true.toml").write_text("epochs = true\n")
    Path("wide.toml").write_text("[network]\nwidth = 2.0\n")
    Path("simclr.toml").write_text("[simclr]\ntemperature = 3.0\n")
    Path("batch.toml").write_text("batch_size = 256\n")
    Path("bad.toml").write_text("[optimizer]\nlr = {low = 0.0, high = 1.0}\n")
    before = sorted(tmp_path.rglob("*"))
    answer = zoo_command(*arguments)
    assert answer.status == 2, answer.err
    lines = [line for line in answer.err.splitlines() if line.startswith("zoo: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_is_known_by_what_was_asked_for(tmp_path: Path) -> None:
    usual, asked = tmp_path / "studies" / "a", {"family": "mlp", "settings": ("x=1",), "trials": 3}
    assert experiment.place("study", None, usual, asked) == (usual, None)
    made = experiment.begin("study", usual, asked, {"space": {}}, 0)
    assert not made.finished
    assert experiment.place("study", None, usual, asked) == (usual, made)
    assert experiment.place("study", usual, usual, asked) == (usual, made)
    other = {**asked, "trials": 4}
    assert experiment.place("study", None, usual, other) == (usual.with_name("a-2"), None)
    with pytest.raises(ZooError, match="belongs to a call with other trials"):
        experiment.place("study", usual, usual, other)
    fewer = {name: value for name, value in asked.items() if name != "trials"}
    with pytest.raises(ZooError, match="belongs to a call with other trials"):
        experiment.place("study", usual, usual, fewer)
    with pytest.raises(ZooError, match="exists already"):
        experiment.place("scale", usual, usual, asked)
    later = {**schema.to_dict(made), "schema": experiment.VERSION + 1}
    (usual / "study.json").write_text(json.dumps(later))
    with pytest.raises(ZooError, match=r"study\.json was written by a later version of zoo: update zoo"):
        experiment.read("study", usual)
    (usual / "study.json").write_text("{")
    with pytest.raises(ZooError, match="cannot be read"):
        experiment.read("study", usual)
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_a_folder_is_of_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "PATIENCE_SECONDS", 0.0)
    with folder_lock.locked(tmp_path), pytest.raises(ZooError, match="another process is using"):
        folder_lock.locked(tmp_path).__enter__()
    with folder_lock.locked(tmp_path) as descriptor:
        assert os.fstat(descriptor)

    def flock(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(ZooError, match=r"cannot be locked \(No locks available\): choose a file system"):
        folder_lock.locked(tmp_path).__enter__()


def test_a_study_given_for_a_run_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    experiment.begin("study", folder, {"a": 1}, {}, 0)
    with pytest.raises(ZooError, match="is a study, not a run: name its best run"):
        run.read(folder)
    assert json.loads((folder / "study.json").read_text())["provenance"]["command"]


def test_the_way_to_execute_several_trainings_is_no_part_of_what_is_asked_for() -> None:
    execution = {"tf_data_service": "data-1:5050", "devices": 2, "checkpoint_minutes": 1.0}
    assert series.asked("mlp", {"data": "iris", **execution}) == {"family": "mlp", "data": "iris", "set": []}


def test_several_sizes_are_not_trained_on_several_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    with pytest.raises(ZooError, match="several networks cannot be trained on a cluster"):
        zoo.train_sizes("mlp", size=["small", "base"], data="iris", out=tmp_path / "sizes")
    with pytest.raises(ZooError, match="several networks cannot be trained on a cluster"):
        zoo.train_sizes(resume=tmp_path / "sizes")
    with pytest.raises(ZooError, match="several networks cannot be trained on a cluster"):
        zoo.scale("mlp", data="iris", out=tmp_path / "scale")
    assert not [*tmp_path.iterdir()]


def test_networks_of_different_data_or_teachers_make_no_table() -> None:
    def made(name: str, data: str, unlabeled: str | None = None, teacher: str | None = None) -> Any:
        recorded = {
            "data": SimpleNamespace(fingerprint=data),
            "unlabeled": unlabeled and SimpleNamespace(fingerprint=unlabeled),
            "teacher": teacher and SimpleNamespace(sha256=teacher),
        }
        return SimpleNamespace(folder=Path(name), run=SimpleNamespace(**recorded))

    series.refuse_other_data([made("small", "a"), made("base", "a")])
    series.refuse_other_data([made("small", "a", "b", "c"), made("base", "a", "b", "c")])
    with pytest.raises(ZooError, match="the data changed between small and large"):
        series.refuse_other_data([made("small", "a"), made("base", "a"), made("large", "b")])
    with pytest.raises(ZooError, match="the unlabeled data changed between small and base"):
        series.refuse_other_data([made("small", "a", "b"), made("base", "a", "c")])
    with pytest.raises(ZooError, match="the teacher changed between small and base"):
        series.refuse_other_data([made("small", "a", None, "c"), made("base", "a", None, "d")])


def test_a_study_of_other_data_is_refused_before_a_trial_and_before_its_figures(tmp_path: Path) -> None:
    settled = dataclasses.replace(SETTLED, fingerprint="that of other data")
    request = StudyRequest("mlp", None, "iris", None, {}, "error", ("epochs=1",), 2)
    begun = experiment.begin(
        "study", tmp_path / "study", schema.to_dict(request), schema.to_dict(settled), 0,
        fill=lambda staging: tune._study(staging, settled).close(),
    )  # fmt: skip
    with pytest.raises(ZooError, match=r"the data have changed since the study began: .* with another --out$"):
        zoo.tune("mlp", trials=2, data="iris", epochs=1, out=tmp_path / "study")
    experiment.end("study", tmp_path / "study", begun, {"trials": 2})
    with pytest.raises(ZooError, match="the data have changed since the study began"):
        zoo.tune("mlp", trials=2, data="iris", epochs=1, out=tmp_path / "study")
    assert not Process.jobs


def test_a_study_keeps_a_space_that_needs_the_settings_of_its_request(tmp_path: Path) -> None:
    """`image.crop_ratio` has an effect only with crops, which the default recipe has not."""
    space = {"image.crop_ratio": [1.0, 1.33], "optimizer.lr": {"low": 1e-4, "high": 0.1, "log": True}}
    usual: dict[str, Any] = {"image.crop_ratio": 1.33, "optimizer.lr": 0.01}
    settled = Settled("cnn", "small", "cnn-digits", space, usual, "accuracy", True, 0)
    asked = []
    for place in range(2):  # in a study that is begun, and in one that goes on
        study = tune._study(tmp_path, settled)
        asked.append(study.ask(place).params)
        study.close()
    assert asked[0] == usual
    assert asked[1].keys() == space.keys()
    assert asked[1]["image.crop_ratio"] in space["image.crop_ratio"]


def test_a_later_size_that_makes_no_sense_is_refused_before_the_first_is_trained(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"data": "synthetic_speech", "epochs": 1, "set": {"network.drop_path": 0.1}}
    with pytest.raises(ZooError, match="keyword small has no residual branches"):
        zoo.train_sizes("keyword", size=["base", "small"], **settings, out=tmp_path / "sizes")
    assert not (tmp_path / "sizes").exists()


def test_requests_of_series_name_data_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for data, recorded in (
        ("folder:images", f"folder:{tmp_path}/images"),
        ("folder:~/images", f"folder:{tmp_path}/home/images"),
        ("csv:a.csv,b.csv", f"csv:{tmp_path}/a.csv,{tmp_path}/b.csv"),
        ("folder:s3://bucket/images", "folder:s3://bucket/images"),
        ("tfds:mnist", "tfds:mnist"),
    ):
        assert series.asked("cnn", {"data": data, "data_dir": "here"})["data"] == recorded
    other = series.asked("cnn", {"unlabeled": "files:more", "teacher": "runs/a", "data_dir": "here"})
    assert other["unlabeled"] == f"files:{tmp_path}/more"
    assert (other["teacher"], other["data_dir"]) == (f"{tmp_path}/runs/a", f"{tmp_path}/here")
    assert series.asked("cnn", {"unlabeled": "rest"})["unlabeled"] == "rest"
    assert series.asked("cnn", {"teacher": Folder(Path("runs/a"))})["teacher"] == f"{tmp_path}/runs/a"
    relative = {"family": "cnn", "data": "folder:images", "teacher": "runs/a", "set": []}
    experiment.begin("sizes", tmp_path / "earlier", relative, {}, 0)
    again = series.asked("cnn", {"data": "folder:images", "teacher": "runs/a"})
    _, begun = experiment.place("sizes", tmp_path / "earlier", tmp_path / "usual", again)
    assert begun is not None, "a call of an earlier version is continued"
    with pytest.raises(ZooError, match="home folder that does not exist: write the whole path"):
        series.asked("cnn", {"data": "folder:~nobody-of-this-name/images"})
    (tmp_path / "home/images").mkdir(parents=True)
    assert moved("folder:~/images", None, None)[0] == f"folder:{tmp_path}/home/images"
