"""Series and studies whose data move or change before their call is repeated."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo import experiment, run
from zoo.errors import ZooError
from zoo.measurement import SECONDS
from zoo.verbs import series
from zoo.verbs.series import Point


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table, in which a series is interrupted before its last network."""
    (tmp_path / "first").mkdir()
    rows = [f"{number},{number % 7},{'ab'[number % 2]}" for number in range(60)]
    (tmp_path / "first" / "rows.csv").write_text("\n".join(["x,z,y", *rows]))
    return tmp_path


class Interrupted(BaseException):
    """Simulates that the process is killed."""


def stop_at(count: int) -> Callable[[str], None]:
    """Return a function for `say` that ends the call when the run number `count` begins."""
    seen = []

    def say(line: str) -> None:
        if "training rows" in line:
            seen.append(line)
            if len(seen) == count:
                raise Interrupted

    return say


@pytest.mark.usefixtures("no_trial_export")
def test_sizes_continue_with_data_that_have_moved(folder: Path) -> None:
    asked: dict[str, Any] = {"data": f"csv:{folder / 'first/rows.csv'}", "target_column": "y", "epochs": 1}
    out = folder / "sizes"
    with pytest.raises(Interrupted):
        zoo.train_sizes("linear", size=["small", "base"], **asked, out=out, say=stop_at(2))
    (folder / "first").rename(folder / "second")
    with pytest.raises(ZooError, match=r"rows\.csv"):
        zoo.train_sizes(resume=out)
    made = zoo.train_sizes(resume=out, data_dir=folder / "second")
    assert [one.run.finished for one in made.runs] == [True, True]
    assert experiment.read("sizes", out).asked["data_dir"] == str(folder / "second")
    assert zoo.train_sizes(resume=out).rows == made.rows


@pytest.mark.usefixtures("no_trial_export")
def test_a_repeated_call_is_for_the_same_data(folder: Path) -> None:
    file, out, said = folder / "first/rows.csv", folder / "sizes", list[str]()
    asked: dict[str, Any] = {"data": f"csv:{file}", "target_column": "y", "epochs": 1}
    call: dict[str, Any] = {"family": "linear", "size": ["small", "base"], **asked, "out": out, "say": said.append}
    made = zoo.train_sizes(**call)
    assert not [line for line in said if "was finished at" in line]
    assert zoo.train_sizes(**call).rows == made.rows
    assert "these are its figures: another --out trains again" in said[-1]
    points = [dataclasses.asdict(Point(size)) for size in ("small", "base")]
    request = {**series.asked("linear", asked), "points": points, "seconds": SECONDS}
    experiment.begin("scale", folder / "scale", request, {}, 0)
    shutil.copytree(out / "small", folder / "scale/runs/small")

    with file.open("a") as rows:
        rows.write("\n60,4,a")
    changed = r"has changed since .* \(another --out than \S+ trains on the data as they are\)$"
    with pytest.raises(ZooError, match=changed):
        zoo.train_sizes(**call)
    assert zoo.train_sizes(resume=out).rows == made.rows, "a folder that is named is shown, whatever became of the data"
    with pytest.raises(ZooError, match=changed):
        zoo.scale("linear", sizes=["small", "base"], **asked, out=folder / "scale")
    shutil.rmtree(out / "base")
    unfinished = dataclasses.replace(made.record.provenance, finished=None)
    experiment.write("sizes", out, dataclasses.replace(made.record, provenance=unfinished, results={}))
    for again in (call, {"resume": out}):
        with pytest.raises(ZooError, match=changed):
            zoo.train_sizes(**again)
    assert not (out / "base").exists(), "nothing is trained on data that one table cannot compare"


def test_a_study_continues_with_data_that_have_moved(folder: Path) -> None:
    asked: dict[str, Any] = {"data": f"csv:{folder / 'first/rows.csv'}", "target_column": "y", "epochs": 1}
    out = folder / "study"

    def say(line: str) -> None:
        if line.startswith("1 of 2 finished"):
            raise Interrupted

    with pytest.raises(Interrupted):
        zoo.tune("linear", size="small", trials=2, **asked, out=out, say=say)
    (folder / "first").rename(folder / "second")
    with pytest.raises(ZooError, match=r"rows\.csv"):
        zoo.tune(resume=out)
    made = zoo.tune(resume=out, data_dir=folder / "second")
    assert [trial.value is not None for trial in made.trials] == [True, True]
    assert run.read_finished(out / "best").finished


def test_data_of_zoo_itself_are_in_no_folder(folder: Path) -> None:
    with pytest.raises(Interrupted):
        zoo.train_sizes("linear", size=["small", "base"], data="iris", epochs=1, out=folder / "s", say=stop_at(1))
    with pytest.raises(ZooError, match="are not read from a folder: leave --data-dir out"):
        zoo.train_sizes(resume=folder / "s", data_dir=folder)
