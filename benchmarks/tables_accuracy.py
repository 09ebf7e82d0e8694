"""Networks of tables against scikit-learn's models, on the tables that scikit-learn ships.

Each family's small network is trained with its own recipe on five splits, whose seeds were not used to choose a recipe.
scikit-learn's model of the same kind is trained on the same rows, standardized by their mean and std (as are the target
values of diabetes). It has scikit-learn's default settings, except that the MLP has as many hidden units as zoo's; a
second one has scikit-learn's default of 100 units. All are measured on the same test rows: accuracy, or R² for
diabetes. The figures also have the coefficients that `linear` small finds for y = 2x on three rows by plain gradient
descent. There is no trial export before a training, and a run that is already in SCRATCH is not trained again.

usage: python -m benchmarks.tables_accuracy SCRATCH      writes results/tables_accuracy.json
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from benchmarks.measured import record
from zoo import run
from zoo.data.dataset import Examples
from zoo.data.load import load
from zoo.recipe import Split
from zoo.training.request import DataRequest, Execution, TrainingRequest
from zoo.training.start import start

SEEDS = range(1001, 1006)
TABLES = ("iris", "wine", "breast_cancer", "diabetes")
FAMILIES = ("linear", "mlp")
BOUND = {"accuracy": 0.02, "r2": 0.01}
"""The most by which zoo's mean may be below scikit-learn's; the R² of an MLP must not be below it at all."""

UNITS, DEFAULT_UNITS = 64, 100
"""The hidden units of zoo's MLP, and of scikit-learn's by default."""

LINE = "x,y\n1,2\n2,4\n3,6\n"
"""A table of y = 2x + 0."""

LINE_BOUND = 0.01
"""The most by which a coefficient of the line may be wrong."""


def trained(
    family: str,
    source: str,
    seed: int,
    folder: Path,
    size: str = "small",
    target: str | None = None,
    settings: Sequence[str] = (),
) -> tuple[str, float]:
    """Train a network as `zoo train` does, unless its run exists; return its metric and score on the test rows."""
    if not folder.exists():
        request = TrainingRequest(
            family=family,
            size=size,
            data=DataRequest(source, options={"target": target} if target else {}),
            settings=[f"seed={seed}", f"split.seed={seed}", *settings],
            out=folder,
        )
        start(request, Execution(strategy="single"), lambda model: None)
    results = run.read_finished(folder).results
    assert results is not None
    metric = "r2" if "test_r2" in results else "accuracy"
    return metric, results[f"test_{metric}"]


def line(scratch: Path) -> dict[str, Any]:
    """Train `linear` small on three rows of y = 2x; return its coefficients, and whether they are within the bound."""
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / "line.csv").write_text(LINE)
    run_folder = scratch / "linear-line"
    trained("linear", f"csv:{scratch / 'line.csv'}", 0, run_folder, target="y", settings=["optimizer.momentum=0"])
    rows = zoo.describe(run_folder)["explanation"]["rows"]
    w, b = float(rows["x"][0]), float(rows["intercept"][0])
    return {"w": w, "b": b, "within": LINE_BOUND, "holds": abs(w - 2) < LINE_BOUND and abs(b) < LINE_BOUND}


def theirs(family: str, table: str, seed: int, units: int = UNITS) -> float:
    """Train scikit-learn's model on the same rows; return its score on the test rows."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = load(table, "table", split=Split(seed=seed, copies_together=True))
    models: dict[tuple[str, str], Any] = {
        ("linear", "values"): LinearRegression(),
        ("linear", "classes"): LogisticRegression(),
        ("mlp", "values"): MLPRegressor(hidden_layer_sizes=(units,), random_state=seed),
        ("mlp", "classes"): MLPClassifier(hidden_layer_sizes=(units,), random_state=seed),
    }
    model = make_pipeline(StandardScaler(), models[family, data.task])
    if data.task == "values":
        model = TransformedTargetRegressor(model, transformer=StandardScaler())
    model.fit(features(data.train), np.squeeze(data.train.targets))
    return float(model.score(features(data.test), np.squeeze(data.test.targets)))


def features(rows: Examples) -> np.ndarray:
    """Return the values of rows, float64 [rows, columns]."""
    return np.array([rows.read(number) for number in range(len(rows))], np.float64)


def main() -> None:
    """Train every family on every table with every seed, in both libraries."""
    scratch = Path(sys.argv[1])
    of_line = line(scratch)
    print("y = 2x", of_line, file=sys.stderr, flush=True)
    figures: dict[str, Any] = {}
    for family in FAMILIES:
        for table in TABLES:
            ours, others, defaults, metric = [], [], [], ""
            for seed in SEEDS:
                metric, score = trained(family, table, seed, scratch / f"{family}-{table}-{seed}")
                ours.append(score)
                others.append(theirs(family, table, seed))
                if family == "mlp":
                    defaults.append(theirs(family, table, seed, DEFAULT_UNITS))
            bound = 0.0 if (family, metric) == ("mlp", "r2") else BOUND[metric]
            difference = float(np.mean(ours) - np.mean(others))
            figures[f"{family} {table}"] = {
                "metric": metric,
                "zoo": float(np.mean(ours)),
                "scikit_learn": float(np.mean(others)),
                "difference": difference,
                "within": -bound,
                "holds": difference >= -bound,
                "of_each_seed": {"zoo": ours, "scikit_learn": others},
            }
            if defaults:
                figures[f"{family} {table}"]["scikit_learn_default"] = float(np.mean(defaults))
                figures[f"{family} {table}"]["of_each_seed"]["scikit_learn_default"] = defaults
            print(family, table, figures[f"{family} {table}"], file=sys.stderr, flush=True)
    record("tables_accuracy", {"seeds": list(SEEDS), "line": of_line, "networks": figures}, seed=SEEDS[0])


if __name__ == "__main__":
    main()
