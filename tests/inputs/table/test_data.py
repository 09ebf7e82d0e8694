"""Rows of sources become datasets, whose columns suit a network or are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.data.fitting import fitting
from zoo.data.load import load
from zoo.errors import ZooError
from zoo.inputs.table import data
from zoo.inputs.table.columns import TableSettings
from zoo.recipe import Split

SPLIT = Split(copies_together=True)


@pytest.fixture
def penguins(tmp_path: Path) -> Callable[..., Any]:
    def read(more: str = "", **options: Any) -> Any:
        generator = np.random.default_rng(0)
        lines = ["id,bill,island,sex,species"]
        for number in range(60):
            bill = "NA" if number % 7 == 0 else f"{generator.normal(40, 5):.1f}"
            island = ("Dream", "Biscoe", "Torgersen")[number % 3]
            lines.append(
                f"{number},{bill},{island},{('male', 'female')[number % 2]},{('Adelie', 'Gentoo')[number % 2]}"
            )
        path = tmp_path / "penguins.csv"
        path.write_text("\n".join(lines) + "\n" + more)
        return load(f"csv:{path}", "table", split=SPLIT, options={"target": "species"}, **options)

    return read


def test_a_csv_becomes_rows_with_the_columns_of_a_network(penguins: Callable[..., Any]) -> None:
    dataset = penguins()
    assert (dataset.task, dataset.labels) == ("classes", ("Adelie", "Gentoo"))
    made = data.suiting(dataset, TableSettings(ignore=("id",)), None)
    assert [column.name for column in made.columns] == ["bill", "island", "sex"]
    assert made.columns[0].missing
    train, left_out = data.kept(dataset.train, made)
    assert not left_out
    assert len(train) == len(dataset.train)
    again, _ = data.kept(train, made)
    assert again.read(0) == train.read(0)
    assert isinstance(train.read(1)[0], float | None)
    assert list(data.adjustments(dataset, made, TableSettings(ignore=("id",))))[1] == "column island: 3 words"
    assert not list(data.remarks((train, train, train), made))


def test_identifiers_are_refused_and_rows_without_a_target_are_named(penguins: Callable[..., Any]) -> None:
    with pytest.raises(ZooError, match=r"table\.ignore=id"):
        data.suiting(penguins(), TableSettings(), None)
    with pytest.raises(ZooError, match=r"penguins\.csv line 62: column 'species', the target, is empty: mend"):
        penguins("60,1,Dream,male,\n")
    assert len(penguins("60,1,Dream,male,\n", bad_examples="skip").skipped) == 1


def test_a_row_that_does_not_fit_the_weights_is_left_out(penguins: Callable[..., Any]) -> None:
    dataset = penguins()
    made = data.suiting(dataset, TableSettings(ignore=("id",)), None)
    other = penguins("60,long,Dream,male,Adelie\n" * 9)
    assert data.suiting(other, TableSettings(), made) is made
    splits = [data.kept(split, made) for split in (other.train, other.validation, other.test)]
    reasons = [reason for _, left_out in splits for reason in left_out]
    assert len(reasons) == 9
    assert "column 'bill' takes numbers, not 'long'" in reasons[0]


def test_values_are_targets_of_one_number() -> None:
    dataset = load("diabetes", "table", split=SPLIT)
    assert (dataset.task, dataset.labels) == ("values", ("target",))
    assert dataset.train.targets.shape == (len(dataset.train), 1)
    assert dataset.license.startswith("not stated by its authors")


def test_a_target_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="say with --target"):
        load(f"csv:{tmp_path}/a.csv", "table", split=SPLIT)


def test_files_that_were_moved_are_found_by_their_folder(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("x,y\n" + "1,2.5\n2,3.5\n" * 20)
    (tmp_path / "test.csv").write_text("x,y\n" + "3,2.5\n4,3.5\n" * 5)
    argument = "csv:/gone/train.csv,/gone/test.csv"
    dataset = load(argument, "table", split=SPLIT, data_dir=tmp_path, options={"target": "y"})
    assert len(dataset.test) == 10
    assert dataset.source == f"csv:{tmp_path}/train.csv,{tmp_path}/test.csv"


def test_batches_are_the_rows_in_an_order_of_the_epoch() -> None:
    from zoo.inputs.table import graph

    dataset = load("iris", "table", split=SPLIT)
    made = data.suiting(dataset, TableSettings(), None)
    train, _ = data.kept(dataset.train, made)
    first, again, other = (
        [(inputs["features"].numpy(), targets.numpy()) for inputs, targets in batches]
        for batches in (
            graph.training_batches(train, made, TableSettings(), batch_size=32, seed=0, epoch=epoch)
            for epoch in (0, 0, 1)
        )
    )
    assert len(first) == len(train) // 32
    np.testing.assert_array_equal(first[0][0], again[0][0])
    assert (first[0][0] != other[0][0]).any()
    rest = graph.training_batches(train, made, TableSettings(), batch_size=32, seed=0, epoch=1, start=2)
    for (inputs, targets), whole in zip(rest, other[2:], strict=True):
        np.testing.assert_array_equal(inputs["features"], whole[0])
        np.testing.assert_array_equal(targets, whole[1])
    weights = np.concatenate(
        [w for _, _, w in graph.evaluation_batches(train, made, batch_size=32).as_numpy_iterator()]
    )
    assert weights.sum() == len(train)


def test_samples_and_damaged_rows_are_of_the_form_of_rows() -> None:
    from zoo.inputs.table.preprocessing import encode

    made = data.reference((3,))
    samples = data.samples([(1.0, 2.0, 3.0)], made)
    assert encode(samples, made)["features"].shape == (2, 3)
    for row in data.damaged((1.0, 2.0, 3.0)).values():
        with pytest.raises(ZooError, match="too large"):
            encode([row], made)
    examples, license = data.stand_ins()
    assert len(examples) == 150
    assert license.startswith("CC BY 4.0")


def test_a_dataset_that_fits_has_the_columns_and_types_of_the_network(penguins: Callable[..., Any]) -> None:
    dataset = penguins()
    made = data.suiting(dataset, TableSettings(ignore=("id",)), None)
    fit = fitting(dataset, made)
    assert {len(split.read(0)) for split in (fit.train, fit.validation, fit.test)} == {3}
    assert not fit.skipped
