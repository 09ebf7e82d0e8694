"""The source `breast_cancer`: a table that scikit-learn ships."""

from __future__ import annotations

from zoo.data.example import RawDataset
from zoo.data.source import Source
from zoo.inputs.table.bundled import LICENSES, SUMMARIES
from zoo.text import Say


def read(argument: str, say: Say, kind: str) -> RawDataset:
    """Return all rows. The data have no splits."""
    from zoo.inputs.table.data import dataset_of_bundled

    return dataset_of_bundled("breast_cancer")


SOURCE = Source(
    scheme="breast_cancer",
    kinds=("table",),
    summary=SUMMARIES["breast_cancer"],
    read=read,
    license=LICENSES["breast_cancer"],
)
