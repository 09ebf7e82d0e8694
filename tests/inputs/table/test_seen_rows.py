"""Rows that a network was trained on are recognized in other files, whatever their form there."""

from __future__ import annotations

import csv
import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from zoo.data.dataset import Dataset
from zoo.data.digests import Digests, digests_of, leave_out_seen
from zoo.data.fitting import fitting
from zoo.data.load import load
from zoo.errors import ZooError
from zoo.inputs.table import data
from zoo.inputs.table.bundled import bundled
from zoo.inputs.table.columns import TableSettings
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.recipe import Split

Rows = Sequence[Sequence[object]]


def written(path: Path, names: Sequence[str], rows: Rows) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return f"csv:{path}"


def loaded(source: str) -> Dataset:
    options = {} if source == "wine" else {"target": "class"}
    return load(source, "table", split=Split(), options=options, bad_examples="error")


def wine() -> tuple[list[str], list[list[object]]]:
    table = bundled("wine")
    rows = [[*row, table.labels[int(target)]] for row, target in zip(table.rows, table.targets, strict=True)]
    return [*table.names, "class"], rows


def trained(dataset: Dataset) -> tuple[TablePreprocessing, Digests]:
    preprocessing = data.suiting(dataset, TableSettings(), None)
    return preprocessing, digests_of(fitting(dataset, preprocessing))


def unseen(dataset: Dataset, preprocessing: TablePreprocessing, digests: Digests) -> int:
    whole = fitting(dataset, preprocessing)
    return sum(
        len(leave_out_seen(split, digests, None, include=False)[0])
        for split in (whole.train, whole.validation, whole.test)
        if not split.known(digests.seen).all()
    )


@pytest.mark.parametrize("form", ["the same", "columns reversed", "one more column", "numbers spelled otherwise"])
@pytest.mark.parametrize("source", ["csv", "wine"])
def test_rows_are_recognized_whatever_their_form(form: str, source: str, tmp_path: Path) -> None:
    names, rows = wine()
    dataset = loaded(written(tmp_path / "train.csv", names, rows) if source == "csv" else "wine")
    preprocessing, digests = trained(dataset)
    if form == "columns reversed":
        names, rows = names[::-1], [row[::-1] for row in rows]
    if form == "one more column":
        names, rows = ["note", *names], [[f"n{number % 7}", *row] for number, row in enumerate(rows)]
    if form == "numbers spelled otherwise":
        rows = [[f"{value:.6f}" if isinstance(value, float) else value for value in row] for row in rows]
    other = loaded(written(tmp_path / "other.csv", names, rows))
    assert unseen(other, preprocessing, digests) == len(dataset.test)


def test_rows_are_recognized_in_files_of_another_format(tmp_path: Path) -> None:
    generator, first = np.random.default_rng(0), datetime.datetime(2024, 1, 1)
    names = ("size", "count", "member", "since", "at", "city", "class")
    columns: list[list[Any]] = [
        generator.normal(size=120).astype(np.float32).tolist(),
        generator.integers(0, 9, 120).tolist(),
        (generator.random(120) < 0.5).tolist(),
        [first.date() + datetime.timedelta(days=number) for number in range(120)],
        [first + datetime.timedelta(days=number) for number in range(120)],
        [("Bern", "Z\u00fcrich")[number % 2] for number in range(120)],
        ["ab"[number % 2] for number in range(120)],
    ]
    rows = [*zip(*columns, strict=True)]
    dataset = loaded(written(tmp_path / "train.csv", names, [[row[0].__format__(".9g"), *row[1:]] for row in rows]))
    preprocessing, digests = trained(dataset)
    kinds = [column.kind for column in preprocessing.columns]
    assert kinds == ["number", "number", "boolean", "date", "date", "word"]

    table = pa.table(dict(zip(names, columns, strict=True)))
    table = table.set_column(0, "size", pa.array(columns[0], pa.float32()))
    parquet.write_table(table, tmp_path / "other.parquet")
    assert unseen(loaded(f"csv:{tmp_path / 'other.parquet'}"), preprocessing, digests) == len(dataset.test)
    spelled = [
        (f"{row[0]:.12f}", f"{row[1]}.0", "ny"[row[2]], f"{row[3]}T00:00", row[3], "Zu\u0308rich", row[6])
        if row[5] != "Bern"
        else row
        for row in rows
    ]
    other = loaded(written(tmp_path / "spelled.csv", names, spelled))
    assert unseen(other, preprocessing, digests) == len(dataset.test)


def test_other_rows_are_not_recognized(tmp_path: Path) -> None:
    names, rows = wine()
    preprocessing, digests = trained(loaded("wine"))
    changed = [[float(str(row[0])) + 0.001, *row[1:]] for row in rows]
    other = loaded(written(tmp_path / "other.csv", names, changed))
    assert unseen(other, preprocessing, digests) == len(rows)


def test_rows_of_few_different_values_are_recognized_only_in_the_same_file(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = [[*generator.integers(0, 2, 3).tolist(), "ab"[number % 2]] for number in range(100)]
    source = written(tmp_path / "train.csv", ("x", "y", "z", "class"), rows)
    dataset = loaded(source)
    preprocessing, digests = trained(dataset)
    assert unseen(loaded(source), preprocessing, digests) == len(dataset.test)
    other = loaded(written(tmp_path / "other.csv", ("x", "y", "z", "class"), rows[::-1]))
    assert unseen(other, preprocessing, digests) == len(rows)
    overlap = leave_out_seen(fitting(other, preprocessing).train, digests, None, include=False)[1]
    assert str(overlap.unknown).endswith("are equal, so rows of the training are recognized only in the same file")
    assert leave_out_seen(fitting(dataset, preprocessing).test, digests, None, include=False)[1].unknown is None
    part = fitting(other, preprocessing).train
    distinct = dataclasses.replace(part, fitted_digests=part.digests, unrecognizable=None)
    overlap = leave_out_seen(distinct, digests, None, include=False)[1]
    assert str(overlap.unknown).startswith("some or all examples of the training are recognized only in the same file")


def test_all_splits_of_a_training_are_recognized_by_their_values_or_none_is(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 1500, 1000).tolist()
    rows = [[value, "ab"[number % 2]] for number, value in enumerate(values)]
    dataset = loaded(written(tmp_path / "train.csv", ("x", "class"), rows))
    preprocessing, digests = trained(dataset)
    fit = fitting(dataset, preprocessing)
    assert fit.train.fitted_digests is None, "many of its rows are equal"
    assert fit.test.fitted_digests is not None, "few of its rows are equal"
    seen = [[dataset.train.read(number)[0], "ab"[number % 2]] for number in range(100)]
    part = fitting(loaded(written(tmp_path / "part.csv", ("x", "class"), seen)), preprocessing).train
    assert part.fitted_digests is not None
    overlap = leave_out_seen(part, digests, None, include=False)[1]
    assert (overlap.examples, str(overlap.unknown).partition(",")[0]) == (
        0,
        "some or all examples of the training are recognized only in the same file",
    )
    # Earlier versions wrote the digests of the splits that have them.
    mixed = dataclasses.replace(digests, validation=fit.validation.every_digest, test=fit.test.every_digest)
    assert part.known(mixed.seen).any()
    assert leave_out_seen(part, mixed, None, include=False)[1].unknown == overlap.unknown


def test_digests_of_an_earlier_version_are_recognized(tmp_path: Path) -> None:
    dataset = loaded("wine")
    preprocessing = data.suiting(dataset, TableSettings(), None)
    assert unseen(dataset, preprocessing, digests_of(dataset)) == len(dataset.test)
    with pytest.raises(ZooError, match="examples were used to train or validate the model"):
        leave_out_seen(fitting(dataset, preprocessing).train, digests_of(dataset), None, include=False)
