"""Rows of sources become datasets, whose columns suit a network or are refused."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from pyarrow import parquet

from zoo.data import digests
from zoo.data.dataset import Dataset
from zoo.data.example import Unreadable
from zoo.data.fitting import fitting
from zoo.data.load import load, read_source
from zoo.data.reload import load_again
from zoo.data.sources import csv
from zoo.errors import ZooError
from zoo.inputs.table import client, data, graph
from zoo.inputs.table.columns import Column, Kind, Row, TableSettings
from zoo.inputs.table.frame import files, read_frame
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.inputs.table.rows import typed
from zoo.recipe import Split
from zoo.text import silent
from zoo.training.data_of_request import fit

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
    with pytest.raises(ZooError, match=r"penguins\.csv line 62: column 'species', the target, is empty: fix"):
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


def people(path: Path, count: int, seed: int) -> Path:
    """A table of two categories and a noisy target, whose rows are equal by chance."""
    generator = np.random.default_rng(seed)
    rows = ["sex,pclass,survived"]
    for sex, pclass, luck in zip(*generator.integers(0, (2, 3, 10), (count, 3)).T, strict=True):
        rows.append(f"{('female', 'male')[sex]},{pclass + 1},{('no', 'yes')[int(sex * 4 + luck > 6)]}")
    path.write_text("\n".join(rows))
    return path


def test_rows_of_categories_are_no_copies(tmp_path: Path) -> None:
    said: list[str] = []
    first, other = people(tmp_path / "one.csv", 300, 0), people(tmp_path / "other.csv", 300, 1)

    def read(path: Path) -> Dataset:
        return load(f"csv:{path}", "table", split=SPLIT, options={"target": "survived"}, say=said.append)

    dataset = read(first)
    assert not said
    assert [len(one) for one in (dataset.train, dataset.validation, dataset.test)] == [216, 24, 60]
    seen = digests.digests_of(dataset)
    again, overlap = digests.leave_out_seen(read(first).test, seen, None, False)
    assert (len(again), overlap.examples) == (60, 0)
    kept, overlap = digests.leave_out_seen(read(other).train, seen, None, False)
    assert (len(kept), overlap.examples) == (216, 0)


def test_equal_rows_of_measurements_are_copies(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{number / 7},{number % 2}" for number in range(60)]
    path.write_text("\n".join(["x,y", *rows, *rows[:4]]))
    said: list[str] = []
    dataset = load(f"csv:{path}", "table", split=SPLIT, options={"target": "y"}, say=said.append)
    assert said == ["4 of 64 rows are copies of others, byte for byte"]
    splits = [
        {dataset_split.read(place) for place in range(len(dataset_split))}
        for dataset_split in (dataset.train, dataset.test)
    ]
    assert not splits[0] & splits[1]


def test_a_value_that_does_not_fit_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{number / 7},{number % 2}" for number in range(60)]
    path.write_text("\n".join(["x,y", *rows[:3], "oops,1", *rows[3:]]))
    dataset = load(f"csv:{path}", "table", split=SPLIT, options={"target": "y"})
    with pytest.raises(ZooError, match=r"and 'oops' in t\.csv line 5: fix"):
        data.suiting(dataset, TableSettings(), None)


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_number_that_is_too_large_is_named_by_its_line_in_every_split(seed: int, tmp_path: Path) -> None:
    rows = [f"{number / 7},{number % 2}" for number in range(50)]
    rows[16] = "1e39,0"
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows]))
    split = dataclasses.replace(SPLIT, seed=seed)
    dataset = load(f"csv:{tmp_path / 't.csv'}", "table", split=split, options={"target": "y"})
    made = data.suiting(dataset, TableSettings(), None)
    with pytest.raises(
        ZooError, match=r"1 of the rows: t\.csv line 18: column 'x' has a number that is too large for float32: fix"
    ):
        fit(dataset, made, "error", silent, labeled=True)
    kept = fit(dataset, made, "skip", silent, labeled=True)
    assert sum(map(len, (kept.train, kept.validation, kept.test))) == 49
    assert np.isfinite([made.columns[0].mean, made.columns[0].std, *made.columns[0].knots]).all()


def test_a_column_may_be_missing_in_training_only(tmp_path: Path) -> None:
    for split, since, number in (("train", "", ""), ("val", "2020-01-01", "5"), ("test", "2021-02-03", "7")):
        lines = [f"{place},{since},{number},{place % 2}" for place in range(30)]
        (tmp_path / f"{split}.csv").write_text("\n".join(["x,since,more,y", *lines]))
    files = ",".join(str(tmp_path / f"{split}.csv") for split in ("train", "val", "test"))
    dataset = load(f"csv:{files}", "table", split=SPLIT, options={"target": "y"})
    made = data.suiting(dataset, TableSettings(), None)
    assert [*data.adjustments(dataset, made, TableSettings())][1:3] == [
        "column since: dates, all missing in training",
        "column more: numbers, all missing in training",
    ]
    assert not any(column.missing for column in made.columns), "a feature would be 1 in all training rows"


def test_what_is_odd_about_columns_is_said(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).permutation(60)
    lines = [f"{number + 0.5},{place},{number + 100_000_000},1,{place % 2}" for number, place in enumerate(numbers)]
    (tmp_path / "t.csv").write_text("\n".join(["x,number,line,one,y", *lines]))
    dataset = load(f"csv:{tmp_path / 't.csv'}", "table", split=SPLIT, options={"target": "y"})
    made = data.suiting(dataset, TableSettings(), None)
    assert [*data.adjustments(dataset, made, TableSettings())][4:] == [
        "column 'one' has one value only in training: nothing can be learned from it",
        *(
            f"column '{name}' has consecutive integers, a different one in each row: if it only numbers the rows, "
            f"--set table.ignore={name}"
            for name in ("number", "line")
        ),
        "column 'line' has 60 different numbers, and 8 in float32, which the network takes: subtract a constant, such "
        "as the least of them",
    ]


def test_values_that_become_equal_in_float32_are_counted(tmp_path: Path) -> None:
    first = datetime.datetime(2023, 11, 14, 22, 13, 20)
    lines = [
        f"{1_700_000_000 + number},{number / 1000},{(first + datetime.timedelta(seconds=number)).isoformat()},"
        f"{first.date() + datetime.timedelta(days=number)},{number % 2}"
        for number in range(1000)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["unix,x,time,day,y", *lines]))
    dataset = load(f"csv:{tmp_path / 't.csv'}", "table", split=SPLIT, options={"target": "y"})
    made = data.suiting(dataset, TableSettings(), None)
    said = [line for line in data.adjustments(fitting(dataset, made), made, TableSettings()) if "float32" in line]
    assert [line.partition(", which")[0] for line in said] == [
        "column 'unix' has 1,000 different numbers, and 9 in float32",
        "column 'time' has 1,000 different dates, and 7 in float32",
    ]
    assert said[0].endswith("subtract a constant, such as the least of them")
    assert said[1].endswith("write them as numbers, such as the seconds since the first of them")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,y\n1,red\n2,red\n", "has one class only, 'red': at least two classes"),
        (b"a,y\n" + b"1,3\n" * 9, "has one class only, '3'"),
        (b'a,y\n1,red\n2,"gr\neen"\n', r"'gr\\neen' cannot be the name of a class"),
    ],
)
def test_classes_that_cannot_be_learned_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ZooError, match=reason):
        load(f"csv:{path}", "table", split=SPLIT, options={"target": "y"})


def test_a_header_may_have_other_delimiters_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"Income, yearly, net";"Age";"y, or n"\n1;2;a\n3;4;b\n')
    _, raw = read_source(f"csv:{path}", "table", options={"target": "y, or n"})
    assert raw.form == ("Income, yearly, net", "Age")


def test_no_row_with_a_target_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,a,b\n" + "1,p,\n2,,q\n" * 20)
    with pytest.raises(ZooError, match=r"none of the rows of .* can be read: t\.csv line 2: column 'b'"):
        read_source(f"csv:{path}", "table", options={"target": "a,b"}, bad_examples="skip")


def test_a_class_without_readable_rows_is_refused_for_several_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,a,b\n" + "1,p,r\n2,q,s\n" * 20)
    _, raw = read_source(f"csv:{path}", "table", options={"target": "a,b"})
    gone = tuple(Unreadable("train", one.target, one.name, "damaged") for one in raw.examples if one.target[1] == 1)
    damaged = dataclasses.replace(raw, examples=[one for one in raw.examples if one.target[1] == 0], unreadable=gone)
    monkeypatch.setattr(csv, "SOURCE", dataclasses.replace(csv.SOURCE, read=lambda *arguments, **options: damaged))
    with pytest.raises(ZooError, match="no row of class 'q' in the train split"):
        read_source(f"csv:{path}", "table", options={"target": "a,b"}, bad_examples="skip")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([2**58], pa.timestamp("us")),
        ([-(2**31)], pa.date32()),
        ([b"caf\xe9"], pa.binary()),
    ],
)
def test_values_that_python_does_not_have_are_refused(tmp_path: Path, values: list[Any], kind: pa.DataType) -> None:
    column = pa.array(values, kind)
    if pa.types.is_binary(kind):
        column = column.cast(pa.string(), safe=False)
    parquet.write_table(pa.table({"since": column, "y": [1.0]}), tmp_path / "t.parquet")
    with pytest.raises(ZooError, match=r"t\.parquet: column 'since'"):
        read_frame([tmp_path / "t.parquet"])


@pytest.mark.parametrize("ignored", [(), ("tags",)])
def test_columns_of_lists_are_left_out(ignored: tuple[str, ...], tmp_path: Path) -> None:
    numbers = [*range(40)]
    columns = {"x": [number / 7 for number in numbers], "tags": [[number] for number in numbers]}
    parquet.write_table(pa.table({**columns, "y": [number % 2 for number in numbers]}), tmp_path / "t.parquet")
    said: list[str] = []
    source, options = f"csv:{tmp_path / 't.parquet'}", {"target": "y"}
    dataset = load(source, "table", split=SPLIT, options=options, say=said.append)
    assert len(said) == 1
    assert said[0].startswith("left out: columns that are not numbers, text, dates or booleans: tags (list<")
    made = data.suiting(dataset, TableSettings(ignore=ignored), None)
    assert [column.name for column in made.columns] == ["x"]
    assert fitting(dataset, made).train.read(0) == (dataset.train.read(0)[0],)
    with pytest.raises(ZooError, match=r"table\.ignore .*: there is no column 'tag'"):
        data.suiting(dataset, TableSettings(ignore=("tag",)), None)
    wanted = dataclasses.replace(made, columns=(*made.columns, Column("tags", "word")))
    with pytest.raises(ZooError, match="no column 'tags', which the network takes"):
        data.suiting(dataset, TableSettings(), wanted)


def test_words_that_are_numbers_are_equal_in_all_files() -> None:
    columns = [Column("zip", "word", words=("8001",))]
    rows: list[Row] = [(8001.0,), ("8001.0",), ("8001",), ("08001",)]
    assert typed(rows, [0], columns)[0] == [
        ("8001",),
        ("8001",),
        ("8001",),
        ("08001",),
    ]


def test_values_are_targets_of_one_number() -> None:
    dataset = load("diabetes", "table", split=SPLIT)
    assert (dataset.task, dataset.labels) == ("values", ("target",))
    assert dataset.train.targets.shape == (len(dataset.train), 1)
    assert dataset.license.startswith("not stated by its authors")


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("y", "'NA' is a class of the target: leave the cell empty where it is missing"),
        ("x,y", "'NA' is a class of the target 'y': leave the cell empty where it is missing"),
        ("x", None),
        ("z:classes", None),
    ],
)
def test_a_class_that_is_called_as_a_missing_value_is_named(target: str, line: str | None, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y,z\n" + "1.5,no,0\n2.5,NA,1\n3.5,yes,NA\n" * 9)
    said: list[str] = []
    read_source(f"csv:{path}", "table", options={"target": target}, bad_examples="skip", say=said.append)
    assert said == ([line] if line else [])


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


def test_files_of_several_folders_that_were_moved_are_found(tmp_path: Path) -> None:
    options = {"target": "y"}
    for year in ("2023", "2024"):
        (tmp_path / "old" / year).mkdir(parents=True)
        (tmp_path / "old" / year / "rows.csv").write_text("x,y\n" + f"{year},2.5\n2,3.5\n" * 20)
    source = f"csv:{tmp_path}/old/2023/rows.csv,{tmp_path}/old/2024/rows.csv"
    described = load(source, "table", split=SPLIT, options=options).description()
    for old, new in (("old", "new"), ("new", "newer")):
        (tmp_path / old).rename(tmp_path / new)
        dataset = load_again(described, "table", SPLIT, tmp_path / new)
        assert dataset.source == source.replace("/old/", f"/{new}/")
    described = dataset.description()
    assert load_again(described, "table", SPLIT).source == dataset.source, "the moved data are recorded"
    with pytest.raises(ZooError, match=f"there is no file {tmp_path}/gone/2023/rows.csv"):
        load_again(described, "table", SPLIT, tmp_path / "gone")


def test_files_of_several_folders_may_be_moved_into_one(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("x,y\n" + "1,2.5\n2,3.5\n" * 20)
    (tmp_path / "test.csv").write_text("x,y\n" + "3,2.5\n4,3.5\n" * 5)
    found = files("/gone/a/train.csv,s3://bucket/b/test.csv", tmp_path)
    assert [*found.values()] == [tmp_path / "train.csv", tmp_path / "test.csv"]


def test_batches_are_the_rows_in_an_order_of_the_epoch() -> None:
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
    (row,) = data.damaged((1.0, 2.0, 3.0), made).values()
    with pytest.raises(ZooError, match="too large"):
        encode([row], made)
    examples, license = data.stand_ins()
    assert len(examples) == 150
    assert license.startswith("CC BY 4.0")


@pytest.mark.parametrize(
    ("kinds", "row"),
    [
        (["number"], (1.0,)),
        (["date"], ("2024-02-29",)),
        (["boolean"], ("yes",)),
        (["word", "boolean", "date", "number", "number"], ("a", "no", "2024-02-29", 1.0, None)),
    ],
)
def test_each_type_of_column_but_words_has_a_damaged_sample(kinds: list[Kind], row: tuple[Any, ...]) -> None:
    made = TablePreprocessing(tuple(Column(f"x{place}", kind) for place, kind in enumerate(kinds)))
    for sample in data.samples([row], made):
        damaged = data.damaged(sample, made)
        assert len(damaged) == len({*kinds} - {"word"})
        for wrong in damaged.values():
            with pytest.raises(ZooError):
                client.encode([wrong], made)
            tensors = {name: tf.constant(values) for name, values in client.raw_arrays([sample, wrong], made).items()}
            _, status = graph.decoded(tensors, made)
            assert [text != b"" for text in status.numpy()] == [False, True]


def test_a_dataset_that_fits_has_the_columns_and_types_of_the_network(penguins: Callable[..., Any]) -> None:
    dataset = penguins()
    made = data.suiting(dataset, TableSettings(ignore=("id",)), None)
    fit = fitting(dataset, made)
    assert {len(split.read(0)) for split in (fit.train, fit.validation, fit.test)} == {3}
    assert not fit.skipped


@pytest.mark.parametrize(
    ("targets", "target", "where"),
    [
        ([1_700_000_000 + number for number in range(50)], "y", ""),
        ([2.5] * 50, "y", ""),
        ([2.5] * 50, "x,y:values", " in the column 'y'"),
    ],
)
def test_one_value_cannot_be_learned(tmp_path: Path, targets: list[float], target: str, where: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,x,y\n" + "".join(f"{number / 9},{number / 7},{y}\n" for number, y in enumerate(targets)))
    with pytest.raises(ZooError, match=rf"has one value only, [\d.e+]+ in float32{where}: .* two values are needed"):
        load(f"csv:{path}", "table", split=SPLIT, options={"target": target})
    assert read_source(f"csv:{path}", "table", options={"target": target})[1].examples, "data to measure on"
    assert load(f"csv:{path}", "table", split=SPLIT, options={"target": target}, again=True), "data of an earlier run"
    assert load(f"csv:{path}", "table", split=SPLIT, options={"target": target}, labeled=False), "data to pretrain on"


@pytest.mark.parametrize(("target", "where"), [("y", ""), ("x,y", " in the column 'y'"), ("x", None)])
def test_targets_that_become_equal_in_float32_are_counted(target: str, where: str | None, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{number / 9},{number / 7},{1_700_000_000 + number}" for number in range(500)]
    path.write_text("\n".join(["a,x,y", *rows]))
    said: list[str] = []
    options = {"target": target}
    load(f"csv:{path}", "table", split=SPLIT, options=options, say=said.append)
    line = (
        f"the target has 500 different values{where}, and 5 in float32, in which networks learn them: subtract a "
        "constant, such as the least of them"
    )
    assert said == ([] if where is None else [line])
    load(f"csv:{path}", "table", split=SPLIT, options=options, again=True, say=said.append)
    assert len(said) < 2, "data of an earlier run"


@pytest.mark.parametrize(
    ("test", "target", "reason"),
    [
        ("red,a", "y", None),
        ("Red,a", "y", "class 'Red' of .* is in its test split, but not in train, which has 'red': write both alike"),
        ("green,a", "y", "class 'green' of .* is in its test split, but not in train: add rows of it to train, or"),
        ("red,c", "y,z", "class 'c' of the column 'z' of .* is in its test split, but not in train"),
    ],
)
def test_a_class_that_training_never_sees_is_refused(
    tmp_path: Path, test: str, target: str, reason: str | None
) -> None:
    (tmp_path / "train.csv").write_text("x,y,z\n" + "1,red,a\n2,blue,b\n3,red,b\n4,blue,a\n" * 9)
    (tmp_path / "test.csv").write_text(f"x,y,z\n5,blue,b\n6,{test}\n")
    source, options = f"csv:{tmp_path}/train.csv,{tmp_path}/test.csv", {"target": target}
    if reason is None:
        assert len(load(source, "table", split=SPLIT, options=options).test) == 2
        return
    with pytest.raises(ZooError, match=reason):
        load(source, "table", split=SPLIT, options=options)
    assert read_source(source, "table", options=options)[1].examples, "data to measure on"
    assert load(source, "table", split=SPLIT, options=options, again=True), "data of an earlier run"
    assert load(source, "table", split=SPLIT, options=options, labeled=False), "data to pretrain on"
