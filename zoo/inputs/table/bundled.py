"""The tables that scikit-learn ships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.errors import ZooError, did_you_mean

UCI = "CC BY 4.0: {}, UCI, doi:10.24432/{}"

LICENSES = {
    "iris": UCI.format("R. A. Fisher, Iris, 1936", "C56C76"),
    "wine": UCI.format("S. Aeberhard, M. Forina, Wine, 1992", "C5PC7J"),
    "breast_cancer": UCI.format("W. Wolberg et al., Breast Cancer Wisconsin (Diagnostic), 1993", "C5DW2B"),
    "diabetes": "not stated by its authors (B. Efron et al., Least Angle Regression, Annals of Statistics 32, 2004); "
    "shipped with scikit-learn, which is BSD-3-Clause",
}
"""The license of each table, by its name."""

SUMMARIES = {
    "iris": "150 flowers of three species, scikit-learn's",
    "wine": "178 chemical analyses of wines of three growers, scikit-learn's",
    "breast_cancer": "569 cell samples, malignant or benign, scikit-learn's",
    "diabetes": "442 patients, to predict the progress of their disease after a year (values), scikit-learn's",
}
"""A noun phrase for each table."""


@dataclass(frozen=True)
class Bundled:
    """A table of numbers.

    Attributes:
        names: the names of its columns.
        rows: float values, in the units of the data.
        labels: the names of the classes; empty where the targets are values.
        targets: the index of each row's class in `labels`, or its value.
        license: the license of the data.
    """

    names: tuple[str, ...]
    rows: list[tuple[float, ...]]
    labels: tuple[str, ...]
    targets: list[int] | list[float]
    license: str


def bundled(name: str) -> Bundled:
    """Return the table called `name`.

    Raises:
        ZooError: scikit-learn ships no such table.
    """
    from sklearn import datasets

    if name not in LICENSES:
        raise ZooError(f"scikit-learn ships no table '{name}': {did_you_mean(name, LICENSES)}")
    # By default, scikit-learn scales the columns of this table, so that they lose their units.
    options = {"scaled": False} if name == "diabetes" else {}
    loaded = getattr(datasets, f"load_{name}")(**options)
    labels: Sequence[str] = getattr(loaded, "target_names", ())
    return Bundled(
        names=tuple(map(str, loaded.feature_names)),
        rows=[tuple(row) for row in loaded.data.tolist()],
        labels=tuple(map(str, labels)),
        targets=loaded.target.tolist(),
        license=LICENSES[name],
    )
