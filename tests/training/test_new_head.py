"""Training on the weights of another run: its data, and the scales of a head that is new."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

import zoo
from tests.conftest import leave_trial_exports_out
from zoo import folder_lock, run
from zoo.errors import ZooError
from zoo.training import start
from zoo.training.decision import decide
from zoo.verbs.train import request_of


def table(path: Path, target: str, mean: float, std: float) -> str:
    """A table of 60 rows whose target is linear in its only feature."""
    x = np.random.default_rng(0).normal(size=60)
    rows = [f"{value:.4f},{mean + std * value:.4f}" for value in x]
    path.write_text("\n".join([f"x,{target}", *rows]))
    return f"csv:{path}"


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that predicts prices."""
    folder = tmp_path_factory.mktemp("prices")
    with pytest.MonkeyPatch.context() as patch:
        leave_trial_exports_out(patch)
        source = table(folder / "prices.csv", "price", 300_000, 80_000)
        zoo.train("mlp", data=source, target_column="price", set={"epochs": 1, "split.seed": 3}, out=folder / "run")
    return folder


@pytest.mark.usefixtures("no_trial_export")
def test_a_head_for_another_value_has_its_scale(prices: Path, tmp_path: Path) -> None:
    source = table(tmp_path / "weights.csv", "weight", 70, 4)
    made = zoo.train(weights=prices / "run", data=source, target_column="weight", epochs=1, out=tmp_path / "run")
    assert made.run.initial is not None
    assert made.run.initial.new_head
    (scale,) = made.run.model.scales
    assert (round(scale.mean, -1), round(scale.std)) == (70, 4)


def test_without_data_the_run_of_the_weights_names_them(prices: Path) -> None:
    earlier = run.read_finished(prices / "run")
    assert earlier.data is not None
    decision = decide(request_of({"weights": prices / "run"}))
    assert (decision.data.source, decision.data.options) == (earlier.data.source, {"target": "price"})
    assert decision.recipe.split.seed == 3
    other = decide(request_of({"weights": prices / "run", "set": ["split.seed=4"]}))
    assert other.recipe.split.seed == 4


def test_a_run_is_trained_by_one_process_at_a_time(
    prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "PATIENCE_SECONDS", 0.0)
    unfinished = shutil.copytree(prices / "run", tmp_path / "unfinished")
    this = run.read(unfinished)
    begun = dataclasses.replace(this.provenance, finished=None)
    run.write(unfinished, dataclasses.replace(this, results={}, provenance=begun))
    with start._alone(unfinished), pytest.raises(ZooError, match="another process is using"):
        zoo.train(resume=unfinished)


def test_a_finished_run_is_refused_and_left_as_it_is(prices: Path, tmp_path: Path) -> None:
    pulled = shutil.copytree(prices / "run", tmp_path / "pulled", ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(ZooError, match="is finished already"):
        zoo.train(resume=pulled)
    assert not (pulled / run.CHECKPOINTS).exists()


def test_a_run_without_data_of_its_own_asks_for_them(prices: Path, tmp_path: Path) -> None:
    pulled = shutil.copytree(prices / "run", tmp_path / "pulled")
    run.write(pulled, dataclasses.replace(run.read(pulled), data=None, recipe=None))
    with pytest.raises(ZooError, match="has no data of its own: name the data to train on with --data"):
        decide(request_of({"weights": pulled}))


def test_texts_that_look_like_paths_are_trained_and_exported(tmp_path: Path) -> None:
    """Words of a column and classes, each the path of a folder that every machine has."""
    rows = [f"{word},{label}" for word, label in (("/tmp", "/usr"), ("/etc", "/bin"))] * 30
    (tmp_path / "visits.csv").write_text("\n".join(["page,route", *rows]))
    source = f"csv:{tmp_path / 'visits.csv'}"
    settings = {"epochs": 1, "split.copies_together": False}
    made = zoo.train("linear", data=source, target_column="route", set=settings, out=tmp_path / "run")
    assert made.run.model.labels == ("/bin", "/usr")
    zoo.export_run(made.folder, saved_model=True, out=tmp_path / "artifact")


@pytest.mark.usefixtures("no_trial_export")
def test_weights_of_which_nothing_is_left_are_refused(tmp_path: Path) -> None:
    source = table(tmp_path / "prices.csv", "price", 300_000, 80_000)
    zoo.train("linear", data=source, target_column="price", epochs=1, out=tmp_path / "run")
    other = table(tmp_path / "weights.csv", "weight", 70, 4)
    with pytest.raises(ZooError, match=r"linear small has only a head, .* leave --weights out"):
        zoo.train(weights=tmp_path / "run", data=other, target_column="weight", epochs=1, out=tmp_path / "next")
    assert not (tmp_path / "next").exists()
