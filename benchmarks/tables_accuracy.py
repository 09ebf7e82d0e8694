"""Networks of tables against scikit-learn's models, on the tables that scikit-learn ships.

Each family's small network is trained with its own recipe on five splits, whose seeds were not used to choose a recipe.
scikit-learn's model of the same kind is trained on the same rows, standardized by their mean and std (as are the target
values of diabetes). It has scikit-learn's default settings, except that the MLP has as many hidden units as zoo's. Both
are measured on the same test rows: accuracy, or R² for diabetes. There is no trial export before a training, and a run
that is already in SCRATCH is not trained again.

usage: python -m benchmarks.tables_accuracy SCRATCH      writes results/tables_accuracy.json
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

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


def trained(
    family: str, source: str, seed: int, folder: Path, size: str = "small", target: str | None = None
) -> tuple[str, float]:
    """Train a network as `zoo train` does, unless its run exists; return its metric and score on the test rows."""
    if not folder.exists():
        request = TrainingRequest(
            family=family,
            size=size,
            data=DataRequest(source, options={"target": target} if target else {}),
            settings=[f"seed={seed}", f"split.seed={seed}"],
            out=folder,
        )
        start(request, Execution(strategy="single"), lambda model: None)
    results = run.read_finished(folder).results
    assert results is not None
    metric = "r2" if "test_r2" in results else "accuracy"
    return metric, results[f"test_{metric}"]


def theirs(family: str, table: str, seed: int) -> float:
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
        ("mlp", "values"): MLPRegressor(hidden_layer_sizes=(64,), random_state=seed),
        ("mlp", "classes"): MLPClassifier(hidden_layer_sizes=(64,), random_state=seed),
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
    figures: dict[str, Any] = {}
    for family in FAMILIES:
        for table in TABLES:
            ours, others, metric = [], [], ""
            for seed in SEEDS:
                metric, score = trained(family, table, seed, scratch / f"{family}-{table}-{seed}")
                ours.append(score)
                others.append(theirs(family, table, seed))
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
            print(family, table, figures[f"{family} {table}"], file=sys.stderr, flush=True)
    record("tables_accuracy", {"seeds": list(SEEDS), "networks": figures}, seed=SEEDS[0])


if __name__ == "__main__":
    main()
