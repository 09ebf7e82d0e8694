"""The tables that scikit-learn ships are read in the units of the data, with their licenses."""

from __future__ import annotations

import pytest

from zoo.errors import ZooError
from zoo.inputs.table.bundled import LICENSES, SUMMARIES, bundled
from zoo.inputs.table.columns import TableSettings, inferred
from zoo.inputs.table.preprocessing import encode, suiting


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("iris", (150, 4), 3), ("wine", (178, 13), 3), ("breast_cancer", (569, 30), 2), ("diabetes", (442, 10), 0)],
)
def test_a_bundled_table_is_read(name: str, shape: tuple[int, int], classes: int) -> None:
    table = bundled(name)
    columns = inferred(table.names, table.rows, TableSettings())
    assert {column.kind for column in columns} == {"number"}
    assert encode(table.rows, suiting(columns, table.rows))["features"].shape == shape
    assert len(table.labels) == classes
    assert len(table.targets) == shape[0]
    assert table.license


def test_units_are_those_of_the_data() -> None:
    assert bundled("diabetes").rows[0][:2] == (59.0, 2.0)
    assert bundled("breast_cancer").labels == ("malignant", "benign")
    assert LICENSES.keys() == SUMMARIES.keys()
    with pytest.raises(ZooError, match="did you mean 'iris'"):
        bundled("irs")
