"""Series and studies whose data move while they are interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo import experiment, run
from zoo.errors import ZooError


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


def test_a_study_continues_with_data_that_have_moved(folder: Path) -> None:
    asked: dict[str, Any] = {"data": f"csv:{folder / 'first/rows.csv'}", "target_column": "y", "epochs": 1}
    out = folder / "study"

    def say(line: str) -> None:
        if line.startswith("1 of 2 finished"):
            raise Interrupted

    with pytest.raises(Interrupted):
        zoo.tune("linear", size="small", trials=2, **asked, out=out, say=say)
    (folder / "first").rename(folder / "second")
    with pytest.raises(ZooError, match="1 of 2 trials are finished: mend that, and continue with"):
        zoo.tune(resume=out)
    made = zoo.tune(resume=out, data_dir=folder / "second")
    assert [trial.value is not None for trial in made.trials] == [True, True]
    assert run.read_finished(out / "best").finished


def test_data_of_zoo_itself_are_in_no_folder(folder: Path) -> None:
    with pytest.raises(Interrupted):
        zoo.train_sizes("linear", size=["small", "base"], data="iris", epochs=1, out=folder / "s", say=stop_at(1))
    with pytest.raises(ZooError, match="are in no folder of yours: leave --data-dir out"):
        zoo.train_sizes(resume=folder / "s", data_dir=folder)
