"""Scores of `mlp` large and base, and the gain from each encoding of large: words as vectors, numbers piecewise linear.

The data are tables of scikit-learn, including its digits as 64 columns, and `sales`, a synthetic table with many
different words: the target depends on the combination of city and product, on the day of the year, and on a price above
which nobody buys. Each network is trained with its own recipe on five splits, whose seeds were not used to choose a
recipe. With `--variants`, large is also trained without each of its encodings. The score is accuracy, or R² for values.

usage: python -m benchmarks.tables_large SCRATCH [--tables NAME …] [--variants]      writes results/tables_large.json

A run that is already in SCRATCH is not trained again. A table's figures are recorded when its networks are trained.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measured import record, recorded
from benchmarks.tables_accuracy import trained
from zoo import registry
from zoo.models import mlp

SEEDS = range(1001, 1006)

VARIANTS: dict[str, dict[str, Any]] = {
    "large without words as vectors": {"word_width": 0},
    "large without numbers as pieces": {"intervals": 0},
}
"""The variants, each with its changes to the options of large."""

NETWORKS = ("base", "large")

CITIES, PRODUCTS, ROWS, TASTES = 300, 120, 6000, 3


def with_variants() -> None:
    """Register the variants as further sizes of the family, in this process only."""
    large = mlp.FAMILY.size("large")
    sizes = [dataclasses.replace(large, name=name, options={**large.options, **VARIANTS[name]}) for name in VARIANTS]
    mlp.FAMILY = dataclasses.replace(mlp.FAMILY, sizes=(*mlp.FAMILY.sizes, *sizes))
    registry.forget()


def sales(path: Path) -> None:
    """Write the synthetic table. A few cities and products have most of the rows, as is usual for words."""
    generator = np.random.default_rng(0)
    city, product = (generator.choice(count, ROWS, p=frequencies(count)) for count in (CITIES, PRODUCTS))
    likes, has = (generator.normal(size=(count, TASTES)) / TASTES**0.25 for count in (CITIES, PRODUCTS))
    day, price = generator.integers(0, 365, ROWS), generator.gamma(2.0, 10.0, ROWS)
    sold = (likes[city] * has[product]).sum(1) + np.sin(2 * np.pi * day / 60) - 1.5 * (price > 30)
    sold += generator.normal(0, 0.3, ROWS)
    columns = zip(city, product, day, price, sold, strict=True)
    rows = ([f"city {c}", f"product {p}", d, f"{paid:.2f}", f"{y:.3f}"] for c, p, d, paid, y in columns)
    write(path, ("city", "product", "day", "price", "sold"), rows)


def frequencies(count: int) -> np.ndarray:
    """Return the share of each of the given number of words, by Zipf's law."""
    shares: np.ndarray = 1 / (np.arange(count) + 5.0)
    return shares / shares.sum()


def digits(path: Path) -> None:
    """Write scikit-learn's digits, a column for each pixel."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    rows = ([*map(int, pixels), f"digit {target}"] for pixels, target in zip(loaded.data, loaded.target, strict=True))
    write(path, (*(f"pixel{number}" for number in range(64)), "sold"), rows)


def write(path: Path, header: Any, rows: Any) -> None:
    """Write a table whose target is its last column, `sold`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


MADE = {"sales": sales, "digits": digits}
TABLES = (*MADE, "diabetes", "breast_cancer", "wine", "iris")


def score(table: str, size: str, seed: int, scratch: Path) -> tuple[str, float]:
    """Train a network as `zoo train` does, unless its run exists; return its metric and score on the test rows."""
    folder = scratch / f"{table}-{size.replace(' ', '-')}-{seed}"
    made = scratch / f"{table}.csv"
    if table not in MADE:
        return trained("mlp", table, seed, folder, size)
    if not made.exists():
        MADE[table](made)
    return trained("mlp", f"csv:{made}", seed, folder, size, target="sold")


def main() -> None:
    """Train every network on every table with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--variants", action="store_true")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    with_variants()
    figures: dict[str, Any] = recorded("tables_large").get("tables", {})
    for table in options.tables:
        found: dict[str, Any] = {}
        for size in (*NETWORKS, *(VARIANTS if options.variants else ())):
            scores = [score(table, size, seed, options.scratch) for seed in SEEDS]
            each = [value for _, value in scores]
            found[size] = {"mean": float(np.mean(each)), "of_each_seed": each}
            print(table, size, f"{np.mean(each):.4f}", each, file=sys.stderr, flush=True)
        difference = np.subtract(found["large"]["of_each_seed"], found["base"]["of_each_seed"])
        figures[table] = {
            "metric": scores[0][0],
            "networks": found,
            "large_minus_base": float(difference.mean()),
            "seeds_where_large_is_better": int((difference > 0).sum()),
        }
        record("tables_large", {"seeds": list(SEEDS), "tables": figures}, seed=SEEDS[0])


if __name__ == "__main__":
    main()
