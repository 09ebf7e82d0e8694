"""Search for a recipe of `mlp` on scikit-learn's wine that is killed repeatedly, and compare its best trial.

The script kills `zoo tune mlp --data wine` (SIGKILL) at random times, and then repeats the command until it ends by
itself. The study must then have exactly the requested trials, none counted twice. On the validation rows, its best
trial must be no worse than the unchanged recipe. That recipe is also trained alone, for its score on the test rows.

usage: python -m benchmarks.tune_wine SCRATCH [--trials 40] [--kills 3] [--parallel 1]      writes results/tune.json
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.measured import record, zoo

SECONDS = (20, 60)
"""The earliest and the latest time of a kill, in seconds after the start of the command."""


def main() -> None:
    """Search, kill, resume, and compare with the unchanged recipe."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="epochs of every trial [those of the recipe]")
    asked = parser.parse_args()
    study = asked.scratch / "study"
    epochs = [] if asked.epochs is None else ["--epochs", asked.epochs]
    arguments = ["tune", "mlp", "--data", "wine", "--trials", asked.trials, "--parallel", asked.parallel, *epochs]
    arguments += ["--out", study]
    started = time.perf_counter()
    kills = [killed for killed in (kill(arguments, number) for number in range(asked.kills)) if killed]
    found = zoo(*arguments)
    seconds = time.perf_counter() - started
    alone = zoo("train", "mlp", "--data", "wine", *epochs, "--out", asked.scratch / "alone")
    results = found["results"]
    places = [trial["place"] for trial in found["trials"]]
    metric = found["settled"]["metric"]
    figures: dict[str, Any] = {
        "trials": len(places),
        "killed_after_seconds": kills,
        "exactly_the_trials_asked_for": places == [*range(asked.trials)],
        "states_in_the_database": states(study / "study.db"),
        "no_worse_than_the_default": results["default"] is None or results[f"val_{metric}"] >= results["default"],
        "val_default": results["default"],
        "val_best": results[f"val_{metric}"],
        "test_default": alone["results"],
        "test_best": results["test"],
        "best": {"trial": results["best"], "params": results["params"]},
        "ended_early": results["ended_early"],
        "parallel": asked.parallel,
        "seconds": seconds,
    }
    record("tune", figures)


def kill(arguments: list[object], number: int) -> float | None:
    """Run the command and kill it at a random time; return that time, or None if it had ended before."""
    after = random.Random(number).uniform(*SECONDS)
    command = [sys.executable, "-m", "zoo", *map(str, arguments), "--json"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            return after
    return None


def states(database: Path) -> dict[str, int]:
    """Return how many trials Optuna has in each state; those that a kill ended are FAIL."""
    with contextlib.closing(sqlite3.connect(database)) as opened:
        return dict(Counter(state for (state,) in opened.execute("select state from trials")))


if __name__ == "__main__":
    main()
