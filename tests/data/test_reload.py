"""Data of earlier runs that are loaded again: whatever has changed is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.data.sample_images import fill
from tests.described import described as network_of
from zoo import migration, provenance, run
from zoo.data.fraction import labeled_fraction
from zoo.data.load import load
from zoo.data.reload import digests_for, load_again
from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.recipe import Split


def test_a_split_without_readable_rows_is_refused(tmp_path: Path) -> None:
    for name, price in (("train", "7.5"), ("test", "")):
        lines = [f"{number / 7:.3f},{price and number / 3:.3f}" if price else f"{number}," for number in range(30)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["a,price", *lines]))
    source = f"csv:{tmp_path}/train.csv,{tmp_path}/test.csv"
    with pytest.raises(ZooError, match=r"no row of the test split of csv:.* can be read: fix them, or remove"):
        load(source, "table", split=Split(), options={"target": "price"}, bad_examples="skip")


def test_a_column_of_lists_that_appears_later_is_named(tmp_path: Path) -> None:
    path, rows = tmp_path / "rows.parquet", np.random.default_rng(0).normal(size=(60, 2))
    columns = {"x": rows[:, 0].tolist(), "y": rows[:, 1].tolist()}
    parquet.write_table(pa.table(columns), path)
    described = load(f"csv:{path}", "table", split=Split(), options={"target": "y"}).description()
    parquet.write_table(pa.table({**columns, "tags": [[1]] * 60}), path)
    with pytest.raises(ZooError, match=r"under other columns \(tags\): restore its header"):
        load_again(described, "table", Split())


def test_the_same_rows_under_other_columns_are_refused(tmp_path: Path) -> None:
    rows = [f"{a:.4f},{b:.4f},{a - b:.4f}" for a, b in np.random.default_rng(0).normal(size=(60, 2))]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["height,weight,y", *rows]))
    described = load(f"csv:{path}", "table", split=Split(), options={"target": "y"}).description()
    assert load_again(described, "table", Split()).description() == described
    path.write_text("\n".join(["weight,height,y", *rows]))
    with pytest.raises(ZooError, match=r"under other columns \(weight, height\): restore its header"):
        load_again(described, "table", Split())
    path.write_text("\n".join(["height,weight,y", *rows, "1,2,3"]))
    with pytest.raises(ZooError, match=r"has changed .* \(.*[0-9]+ [a-z]+ examples, [0-9]+ before\): restore it"):
        load_again(described, "table", Split())
    path.write_text("\n".join(["height;weight;y", *(row.replace(",", ";").replace(";", "0;", 1) for row in rows)]))
    with pytest.raises(ZooError, match=r"\(as many examples, with other bytes or targets, or in another order\)"):
        load_again(described, "table", Split())
    path.write_text("\n".join(["weight,height,y", *rows]))
    # Runs of earlier versions did not record the columns.
    assert load_again(dataclasses.replace(described, columns=()), "table", Split())


def test_examples_that_the_run_left_out_are_no_change_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = [f"{number / 7:.3f},{'ab'[number % 2]}" for number in range(60)]
    path.write_text("\n".join(["x,y", *rows]))
    whole = load(f"csv:{path}", "table", split=Split(), options={"target": "y"})
    smaller, rest = labeled_fraction(whole, 0.5, 0)
    described = dataclasses.replace(smaller, test=smaller.test.only(np.arange(5))).description()
    assert len(rest) > 0
    assert load_again(described, "table", Split()).fingerprint == whole.fingerprint
    path.write_text("\n".join(["x,y", "99,a", *rows[1:]]))
    with pytest.raises(ZooError, match=r"\(as many examples, with other bytes or targets, or in another order\)"):
        load_again(described, "table", Split())


def test_a_model_without_data_is_named_also_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled = run.Run(
        migration.SCHEMA, network_of(Preprocessing(8, 8, 1, (0.5,), (0.5,))), None, None, provenance.here(0)
    )
    monkeypatch.chdir(tmp_path)
    assert digests_for(Path(), pulled) == (None, f"{tmp_path.name} was trained elsewhere")


def test_a_table_that_was_moved_is_asked_for_by_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["a,y", *(f"{number / 7:.3f},{number / 3:.3f}" for number in range(60))]))
    described = load(f"csv:{path}", "table", split=Split(), options={"target": "y"}).description()
    (tmp_path / "new").mkdir()
    path.rename(tmp_path / "new" / path.name)
    with pytest.raises(ZooError, match=r"there is no file .*rows\.csv: say with --data-dir in which folder the data"):
        load_again(described, "table", Split())
    assert load_again(described, "table", Split(), tmp_path / "new").fingerprint == described.fingerprint


def test_a_folder_of_one_class_is_loaded_without_its_labels_and_again(tmp_path: Path) -> None:
    described = load(f"folder:{fill(tmp_path, {'cat': 12})}", "image", split=Split(), labeled=False).description()
    assert load_again(described, "image", Split()).description() == described
