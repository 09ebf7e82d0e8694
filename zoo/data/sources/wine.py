"""The source `wine`: a table that scikit-learn ships."""

from __future__ import annotations

from zoo.data.example import RawDataset
from zoo.data.source import Source
from zoo.inputs.table.bundled import LICENSES, SUMMARIES
from zoo.text import Say


def read(argument: str, say: Say, kind: str) -> RawDataset:
    """Return all rows. The data have no splits."""
    from zoo.inputs.table.data import dataset_of_bundled

    return dataset_of_bundled("wine")


SOURCE = Source(scheme="wine", kinds=("table",), summary=SUMMARIES["wine"], read=read, license=LICENSES["wine"])
