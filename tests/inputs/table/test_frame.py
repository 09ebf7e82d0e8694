"""Tables are read from CSV, gzip and Parquet, and every wrong file is refused in one line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zoo
from zoo.errors import ZooError
from zoo.inputs.table import client
from zoo.inputs.table import frame as frame_module
from zoo.inputs.table.columns import Column, TableSettings, inferred
from zoo.inputs.table.frame import Frame, files, read_frame
from zoo.inputs.table.preprocessing import TablePreprocessing, column_features, encode, suiting
from zoo.inputs.table.rows import features, places_of, typed
from zoo.inputs.table.targets import read_target_column, read_targets

PENGUINS = b"""island,bill,sex,seen,"body, mass"
Dream,39.1,male,2007-11-11,big
Biscoe, 40 ,,2007-11-12,small
"Torger
sen",NA,female,2007-11-13,big
"""


def frame_of(argument: str) -> Frame:
    return read_frame([*files(argument).values()])


def features_of(
    frame: Frame, leave_out: Any = (), settings: TableSettings | None = None
) -> tuple[list[Column], list[Any]]:
    names, rows = features(frame, leave_out)
    columns = inferred(names, rows, settings or TableSettings())
    places = places_of(columns, names)
    values, problems = typed(rows, places, columns)
    if problems:
        raise ZooError(problems[min(problems)])
    return columns, list(values)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(content: bytes, name: str = "rows.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return written


@pytest.mark.parametrize(
    "pack",
    [
        lambda content: content,
        gzip.compress,
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content.rstrip(b"\n") + b"\n\n",
        lambda content: content.replace(b",", b";").replace(b"y; m", b"y, m"),
        lambda content: content.replace(b",", b"\t").replace(b"y\t m", b"y, m"),
    ],
)
def test_a_csv_is_read_in_all_its_forms(pack: Callable[[bytes], bytes], write: Callable[..., Path]) -> None:
    frame = frame_of(str(write(pack(PENGUINS))))
    assert frame.names == ("island", "bill", "sex", "seen", "body, mass")
    target = read_target_column(frame, "body, mass")
    assert (target.task, target.labels, target.values) == ("classes", ("big", "small"), [0, 1, 0])
    columns, rows = features_of(frame, ("body, mass",))
    assert [column.kind for column in columns] == ["word", "number", "word", "date"]
    assert rows[:2] == [("Dream", 39.1, "male", "2007-11-11"), ("Biscoe", 40.0, None, "2007-11-12")]
    assert rows[2][1:] == (None, "female", "2007-11-13")
    assert encode(rows, suiting(columns, rows))["features"].shape == (3, 4)


def test_parquet_gives_what_csv_gives(tmp_path: Path) -> None:
    import datetime

    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "int": [1, None, 3],
            "float": pa.array([1.5, float("nan"), None], pa.float32()),
            "bool": [True, None, False],
            "day": [datetime.date(2024, 2, 29), None, datetime.date(1960, 1, 1)],
            "at": pa.array([datetime.datetime(2024, 2, 29, 12, 30, 5, 999), None, None], pa.timestamp("ns", "UTC")),
            "word": pa.array(["a", "NA", " b "]).dictionary_encode(),
        }
    )
    parquet.write_table(table, tmp_path / "rows.parquet")
    frame = frame_of(str(tmp_path / "rows.parquet"))
    columns, rows = features_of(frame)
    assert [column.kind for column in columns] == ["number", "number", "boolean", "date", "date", "word"]
    assert rows == [
        (1.0, 1.5, "true", "2024-02-29", "2024-02-29T12:30:05", "a"),
        (None,) * 6,
        (3.0, None, "false", "1960-01-01", None, "b"),
    ]


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "+02:00", "Nowhere/City"])
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_times_of_parquet_are_read_in_utc_whatever_their_zone(zone: str | None, unit: str, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    seconds = pa.array([1_700_000_000, None], pa.timestamp("s", zone))
    parquet.write_table(pa.table({"at": seconds.cast(pa.timestamp(unit, zone))}), tmp_path / "rows.parquet")
    assert frame_of(str(tmp_path / "rows.parquet")).column("at", "--x") == ["2023-11-14T22:13:20", None]


HEADER = b"a,b,y\n"
ROWS = b"".join(b"%d,%d,%d\n" % (number, number % 3, number * 7) for number in range(12))

WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "only a header": (HEADER, "no rows"),
    "a blank line": (b"\n", "does not begin with the names"),
    "a ragged row": (HEADER + ROWS + b"1,2\n", "line 14 has 2 values, not the 3"),
    "a long row": (HEADER + b"1,2,3,4\n", "line 2 has 4 values"),
    "NUL": (HEADER + ROWS + b"1,\0,3\n", "line 14 has a NUL byte"),
    "Latin-1": (HEADER + "é,1,2\n".encode("latin-1"), "line 2 is not UTF-8 .byte 0xe9"),
    "UTF-16": ("a,b,y\n1,2,3\n".encode("utf-16"), "UTF-16"),
    "an open quote": (HEADER + b'"1,2,3\n4,5,6\n', "is not CSV"),
    "text behind a quote": (HEADER + b'"1"2,2,3\n', "is not CSV"),
    "a column twice": (b"a,a,y\n1,2,3\n", "two columns 'a'"),
    "a column without a name": (b",a,y\n1,2,3\n", "column 1 has no name"),
    "no header": (b"1,2,3\n4,5,6\n", "begins with numbers"),
    "a long name": (b"a" * 300 + b",y\n1,2\n", "300 characters"),
    "an endless name": (b"a" * (frame_module.LONGEST_HEADER + 1), "first line of more than"),
    "many columns": (b",".join(b"%d_" % number for number in range(10_001)) + b"\n", "10,001 columns"),
    "a damaged gzip": (gzip.compress(HEADER + ROWS)[:-9], "cannot be read"),
    "an endless name in gzip": (gzip.compress(b"a" * 10_000_000), "first line of more than"),
    "a damaged Parquet": (b"PAR1" + bytes(100), "damaged Parquet"),
    "no column y": (b"a,b,Y\n1,2,3\n", "no column .y.: known: a, b, Y"),
    "no column y, but one with a line break": (b'"y\nx",b\n1,2\n', "no column .y.: .*y.{1,2}nx"),
    "no column y of many": (b",".join(b"x%d" % n for n in range(999)) + b"\n" + b"1," * 998 + b"1\n", "and 989 more"),
    "no target": (b"a,y\n1,\n2,\n", "no values"),
    "an infinite target": (b"a,y\n1,inf\n2,3\n", "line 2: the target 'y' is infinite: .*or --target y:classes if"),
    "a word among targets": (b"a,y\n1,1\n2,2.5\n3,x\n", "only numbers, and has 'x' .*line 4.: fix that cell"),
    "an infinite number": (b"a,y\n1e999,1\n2,3\n", "infinite number"),
    "a number for float64 only": (b"a,y\n1e39,1\n2,3\n", "column 'a' .* too large"),
    "mixed types": (b"a,y\n1,1\n2,3\nx,3\n", "has mostly numbers, and 'x' in row 3"),
    "decimal commas": (b"a;y\n1,5;1\n2,5;3\n3,5;4\n", "a. has numbers with commas, .*, .1,5. in row 1: write plain"),
    "decimal commas of a target": (b"a;y\n1;1,5\n2;3,5\n3;4,0\n", "--target y: .* commas, .*, .1,5. .*line 2"),
    "thousands": (b'a,y\n"1,000",1\n"1,300",3\n"2,000",4\n', ".1,000. in row 1: write plain numbers, such as 1234.5"),
    "few thousands": (b'a,y\n900.5,1\n"1,300.50",3\n800,4\n', ".1,300.50. in row 2: write plain"),
    "thousands of a target": (b"a;y\n1;1.000,50\n2;1.000,50\n3;4.000,00\n", "--target y: .*1.000,50.*write plain"),
    "percent signs": (b"a,y\n5%,1\n5%,3\n10 %,4\n", ".5%. in row 1: write plain"),
    "percent signs of a target": (b"a,y\n1,5%\n2,5%\n3,10%\n", "write plain numbers, .*or y:classes if"),
    "currencies": ("a,y\n$12.50,1\n€ 3,3\n4.5 USD,4\n".encode(), ".\\$12.50. in row 1: write plain"),
    "currencies as codes": (b"a,y\n5 eur,1\n6 eur,3\n7.5 eur,4\n", ".5 eur. in row 1: write plain"),
    "losses in parentheses": (b"a,y\n(45),1\n3,3\n(7.5),4\n", ".\\(45\\). in row 1: write plain"),
    "currencies of a target": (b"a,y\n1,$7.50\n2,$1.50\n3,$3\n", "currencies .*write plain numbers, .*or y:classes if"),
    "fractions of seconds": (
        b"a,y\n2024-01-05T10:00:00.5,1\n2024-01-05 10:00,3\n",
        "in row 1: write them as 2024-12-31T",
    ),
    "time zones": (
        b"a,y\n2024-01-05T10:00:00+02:00,1\n2024-01-05 10:00:00Z,3\n",
        "zone, .*: write them as 2024-12-31T",
    ),
    "no values": (b"a,y\n,1\nNA,3\n", "'a' has no values"),
    "identifiers": (
        b"id,y\n" + b"".join(b"%d,1.5\n" % n for n in range(20)),
        "in each row",
    ),
    "an index of pandas": (
        b"__index_level_0__,y\n" + b"".join(b"%d,1.5\n" % n for n in range(20)),
        "a different number in each row",
    ),
    "an index that was read once more": (
        b"Unnamed: 0,y\n" + b"".join(b"%d,1.5\n" % n for n in range(20)),
        "a different number in each row",
    ),
    "no features": (b"y\n1\n2\n3\n", "no column is left"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_in_one_line(case: str, write: Callable[..., Path]) -> None:
    content, reason = WRONG[case]
    path = write(content)
    with pytest.raises(ZooError, match=reason) as caught:
        frame = frame_of(str(path))
        read_target_column(frame, "y")
        features_of(frame, ("y",))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_bounds_hold_before_a_file_is_read_whole(write: Callable[..., Path], monkeypatch: Any) -> None:
    path = write(gzip.compress(HEADER + b"1,2,3\n" * 10_000))
    monkeypatch.setattr(frame_module, "MOST_BYTES", 1000)
    monkeypatch.setattr(frame_module, "LONGEST_HEADER", 100)
    with pytest.raises(ZooError, match="unpacks to more than 1,000 bytes"):
        frame_of(str(path))
    with pytest.raises(ZooError, match="has 6,006 bytes, more than 1,000"):
        frame_of(str(write(HEADER + b"1,2,3\n" * 1000)))
    monkeypatch.undo()
    monkeypatch.setattr(frame_module, "MOST_CELLS", 100)
    with pytest.raises(ZooError, match="more than 100 values"):
        frame_of(str(path))


def test_the_kind_of_answer_is_inferred_or_asked_for(write: Callable[..., Path]) -> None:
    grades = frame_of(str(write(b"x,y\n" + b"1,3\n2,4\n3,10\n" * 10 + b"4,\n")))
    inferred = read_target_column(grades, "y")
    assert (inferred.task, inferred.labels, inferred.values[-2:]) == ("classes", ("3", "4", "10"), [2, None])
    assert read_target_column(grades, "y", "values").values[:3] == [3.0, 4.0, 10.0]
    line = frame_of(str(write(b"x,y\n1,2\n2,4\n3,6\n")))
    assert read_target_column(line, "y").task == "values"
    assert read_target_column(line, "y", "classes").labels == ("2", "4", "6")
    named = frame_of(str(write(b"x,y\n1,None\n2,NA\n3,\n")))
    assert read_target_column(named, "y").labels == ("NA", "None")
    with pytest.raises(ZooError, match="has no numbers"):
        read_target_column(named, "y", "values")
    coded = frame_of(str(write(b"x,y\n1,007\n2,7\n3,7.0\n4,1e3\n")))
    assert read_target_column(coded, "y", "classes").labels == ("1e3", "007", "7")


@pytest.mark.parametrize("counts", [(9, 1), (5, 5), (1, 9)])
def test_inf_is_a_class_among_words(counts: tuple[int, int], write: Callable[..., Path]) -> None:
    lines = ["COV,COV"] * counts[0] + ["INF,INF"] * counts[1]
    frame = frame_of(str(write("\n".join(["x,y", *lines]).encode())))
    found = read_target_column(frame, "y")
    assert (found.task, found.labels, found.values[-1]) == ("classes", ("COV", "INF"), 1)
    assert features_of(frame, ("y",))[1][-1] == ("INF",)
    with pytest.raises(ZooError, match="is infinite"):
        read_target_column(frame, "y", "values")


def test_several_files_are_one_table_or_splits(write: Callable[..., Path], tmp_path: Path) -> None:
    one, two = write(b"x,y\n1,2\n", "one.csv"), write(b"y,x\n4,3\n", "two,2.csv")
    assert frame_of(str(two)).rows == [("4", "3")]
    assert [*frame_module.files("/gone/two,2.csv", tmp_path).values()] == [two]
    other = write(b"y,x\n4,3\n", "other.csv")
    frame = frame_of(f"{one},{other}")
    assert frame.rows == [("1", "2"), ("3", "4")]
    assert frame.splits == ["train", "train"]
    train, val = write(b"x,y\n1,2\n", "train.csv"), write(gzip.compress(b"x,y\n3,4\n"), "val.csv.gz")
    assert frame_of(f"{train},{val}").splits == ["train", "validation"]
    wide = write(b"x,y,z\n4,3,2\n", "wide.csv")
    with pytest.raises(ZooError, match=r"differs from the first file in its columns \(z"):
        frame_of(f"{one},{wide}")
    with pytest.raises(ZooError, match="twice"):
        frame_of(f"{one},{one}")
    parts = [write(b"x,y\n1,%d\n" % number, f"part-{number:0100}.csv") for number in range(50)]
    assert len(frame_of(",".join(map(str, parts))).rows) == 50
    with pytest.raises(ZooError, match="there is no file"):
        frame_of(str(tmp_path / "no.csv"))


def test_the_name_of_a_link_decides_its_split(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    for name, content in (("0a1b", "a,y\n1,2\n3,4\n"), ("9f8e", "a,y\n5,6\n")):
        (tmp_path / "blobs" / name).write_text(content)
    (tmp_path / "train.csv").symlink_to("blobs/0a1b")
    (tmp_path / "test.csv").symlink_to("blobs/9f8e")
    named = files(f"{tmp_path}/train.csv,{tmp_path}/test.csv")
    assert [Path(name).name for name in named] == ["train.csv", "test.csv"]
    assert read_frame([*named.values()]).splits == ["train", "train", "test"]
    with pytest.raises(ZooError, match="names a file twice"):
        files(f"{tmp_path}/train.csv,{tmp_path}/blobs/0a1b")


def test_rows_with_words_that_a_network_does_not_know_have_a_remark(write: Callable[..., Path]) -> None:
    known = TablePreprocessing((Column("b", "word", words=("0", "é")), Column("c", "word", words=("x",))))
    path = write("b,c\n0,x\ne\u0301,\nnew,y\nnew,x\n".encode())
    found = client.named_examples([path], known, lambda place, reason: None)
    assert [one.remark for one in found] == [
        None,
        None,
        "has words that the network does not know: 'new' in column 'b', 'y' in column 'c'",
        "has words that the network does not know: 'new' in column 'b'",
    ]


def test_rows_for_a_network_are_read_by_its_columns(write: Callable[..., Path]) -> None:
    known = TablePreprocessing((Column("b", "word", words=("0", "x")), Column("a", "number")))
    said: list[str] = []
    path = write(b"new,a,b\n1,2,x\n,,0\n")
    found = client.named_examples([path], known, lambda place, reason: said.append(reason))
    assert [one.raw for one in found] == [("x", 2.0), ("0", None)]
    assert found[0].name == f"{path} line 2"
    assert said == ["columns that the network does not take: 'new'"]
    with pytest.raises(ZooError, match="no column 'b', which the network takes"):
        client.named_examples([write(b"a,B\n1,2\n")], known, lambda place, reason: None)
    (_, wrong) = client.named_examples([write(b"a,b\n1,2\ntwo,2\n")], known, lambda place, reason: None)
    assert (wrong.name, wrong.problem) == (f"{path} line 3", "column 'a' takes numbers, not 'two'")


def test_rows_of_files_of_one_name_in_different_folders_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    known = TablePreprocessing((Column("a", "number"),))
    monkeypatch.chdir(tmp_path)
    named = [Path("rows.csv"), Path("2024/rows.csv"), Path("2025/rows.parquet")]
    for path in named:
        path.parent.mkdir(exist_ok=True)
    for path in named[:2]:
        path.write_bytes(b"a\n1\n")
    parquet.write_table(pa.table({"a": [1.0]}), named[2])
    names = [one.name for one in client.named_examples(named, known, lambda place, reason: None)]
    assert names == ["rows.csv line 2", "2024/rows.csv line 2", "2025/rows.parquet row 1"]


def test_columns_may_be_called_by_numbers(write: Callable[..., Path], tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    known = TablePreprocessing((Column("1", "number"), Column("0", "number")))
    found = client.named_examples([write(b"0,1,2\n3,4,5\n")], known, lambda place, reason: None)
    assert [one.raw for one in found] == [(4.0, 3.0)]
    with pytest.raises(ZooError, match="begins with numbers"):
        client.named_examples([write(b"0,5\n3,4\n")], known, lambda place, reason: None)
    parquet.write_table(pa.table({"0": [3.5], "1": ["x"]}), tmp_path / "rows.parquet")
    assert frame_of(str(tmp_path / "rows.parquet")).names == ("0", "1"), "Parquet always names its columns"


def test_ignored_columns_may_hold_anything(write: Callable[..., Path]) -> None:
    frame = frame_of(str(write(b"a,b,y\n1,1,1\nx,2,2\n3,3,5\n")))
    columns, rows = features_of(frame, ("y",), TableSettings(ignore=("a",)))
    assert [column.name for column in columns] == ["b"]
    assert rows == [(1.0,), (2.0,), (3.0,)]
    columns, rows = features_of(frame, ("y",), TableSettings(words=("a",)))
    assert [row[0] for row in rows] == ["1", "x", "3"]


def test_a_long_text_is_one_cell(write: Callable[..., Path]) -> None:
    frame = frame_of(str(write(b"text,y\n" + b"word " * 200_000 + b",1\n")))
    assert len(str(frame.column("text", "--text")[0])) == 1_000_000


def test_the_task_of_a_target_can_be_stated(write: Callable[..., Path]) -> None:
    rows = "".join(f"{n},{n % 30},{n % 3},w\n" for n in range(90))
    codes = frame_of(str(write(f"x,code,stars,a:values\n{rows}".encode())))
    assert read_targets(codes, "code").task == "values"
    assert read_targets(codes, "stars").task == "classes"
    found = read_targets(codes, "code:classes")
    assert (found.names, found.task, len(found.labels), found.values[31]) == (("code",), "classes", 30, 1)
    assert read_targets(codes, "stars:values").values[2] == (2.0,)
    assert read_targets(codes, "a:values").labels == ("w",), "a column that has the whole name"
    both = read_targets(codes, "code:classes,x:values")
    assert [(part.name, part.task) for part in both.parts] == [("code", "classes"), ("x", "values")]
    for target, line in (
        ("code:class", "--target code:class: write code:classes, code:values, or code"),
        ("codes:classes", "codes:classes"),
        ("code:classes,code", "names a column twice"),
    ):
        with pytest.raises(ZooError, match=line):
            read_targets(codes, target)


def test_a_stated_task_is_that_of_the_run(write: Callable[..., Path], tmp_path: Path) -> None:
    table = write(b"x,code\n" + b"".join(b"%d,%d\n" % (n, n % 30) for n in range(300)))
    made = zoo.train("linear", data=f"csv:{table}", target_column="code:classes", epochs=1, out=tmp_path / "run")
    assert len(made.run.model.labels) == 30
    assert zoo.evaluate(made, out=tmp_path / "a").evaluation.accuracy >= 0
    other = zoo.evaluate(made, data=f"csv:{table}", target_column="code", out=tmp_path / "b")
    assert other.evaluation.accuracy >= 0


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("train", "valid"), r"\('train.csv', 'valid.csv'\), but 'valid.csv' is .*: rename 'valid.csv' to val.csv"),
        (("train_2024", "test"), r"but 'train_2024.csv' is .*: rename 'train_2024.csv' to train.csv"),
        (("train", "more"), r"look like splits \('train.csv'\), but 'more.csv' is not called .* give all files other"),
        (("val", "test"), r"'val.csv', 'test.csv'\), but none is called train: name the file to train on, too"),
        (("dev", "test1"), r"but 'dev.csv', 'test1.csv' are not called"),
    ],
)
def test_files_that_look_like_splits_are_no_single_table(
    names: tuple[str, ...], reason: str, write: Callable[..., Path]
) -> None:
    paths = [write(b"x,y\n1,2\n", f"{name}.csv") for name in names]
    with pytest.raises(ZooError, match=reason):
        read_frame(paths)
    for path in paths:
        assert read_frame([path]).splits == ["train"], "one file alone is one table"


def test_values_that_float32_does_not_have_are_refused(write: Callable[..., Path]) -> None:
    frame = frame_of(str(write(b"x,y\n1,2.5\n2,-3.5e38\n")))
    with pytest.raises(ZooError, match=r"rows\.csv line 3: column 'y' has a number that is too large for float32"):
        read_target_column(frame, "y")
    largest = frame_of(str(write(b"x,y\n1,2.5\n2,3.4e38\n")))
    assert read_target_column(largest, "y").values == [2.5, 3.4e38]


def test_classes_in_two_unicode_forms_are_one(write: Callable[..., Path]) -> None:
    frame = frame_of(str(write("x,y\n1,caf\u00e9\n2,cafe\u0301\n3,tea\n".encode())))
    found = read_target_column(frame, "y")
    assert (found.labels, found.values) == (("caf\u00e9", "tea"), [0, 0, 1])


def test_names_of_columns_and_words_in_two_unicode_forms_are_one(write: Callable[..., Path], tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    lines = [f"{word},{number % 2}" for number, word in enumerate(["caf\u00e9", "cafe\u0301", "tea", "tea"] * 5)]
    frame = frame_of(str(write("\n".join(["Gro\u0308\u00dfe,y", *lines]).encode())))
    assert frame.names == ("Gr\u00f6\u00dfe", "y")
    columns, rows = features_of(frame, ("y",))
    assert {row[0] for row in rows} == {"caf\u00e9", "tea"}
    parquet.write_table(pa.table({" Gro\u0308\u00dfe ": ["tea"], "y": [1]}), tmp_path / "rows.parquet")
    assert frame_of(str(tmp_path / "rows.parquet")).names == frame.names
    assert columns[0].name == frame.names[0]
    assert frame.column("Gro\u0308\u00dfe", "--target") == frame.column("Gr\u00f6\u00dfe", "--target")
    known = [Column("Gro\u0308\u00dfe", "word", words=("cafe\u0301",))]
    assert places_of(known, frame.names) == [0]
    assert column_features(["caf\u00e9", "cafe\u0301", "tea"], known[0])[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("words", [("1)", "2)", "3)"), ("EUR6", "EUR5", "EUR4"), ("--5", "--6", "--7")])
def test_words_with_digits_are_no_amounts(words: tuple[str, ...], write: Callable[..., Path]) -> None:
    lines = [f"{word},{number % 2}" for number, word in enumerate(words * 5)]
    columns, _ = features_of(frame_of(str(write("\n".join(["a,y", *lines]).encode()))), ("y",))
    assert columns[0].kind == "word"


def test_a_stray_quote_in_a_name_does_not_hide_the_delimiter(write: Callable[..., Path]) -> None:
    frame = frame_of(str(write(b'size",name\n5,"a;b"\n6,"c;d"\n')))
    assert frame.names == ('size"', "name")


@pytest.mark.parametrize("delimiter", ["\t", ";"])
@pytest.mark.parametrize("number", ["1.5", "1,5"])
@pytest.mark.parametrize("name", ["Temperature, C", "Temperature, C, in air"])
def test_commas_in_names_do_not_hide_the_delimiter(
    delimiter: str, number: str, name: str, write: Callable[..., Path]
) -> None:
    lines = [[name, "Pressure, Pa", "class"], [number, number, "a"], [number, number, "b"]]
    frame = frame_of(str(write("\n".join(map(delimiter.join, lines)).encode())))
    assert [frame.names, *frame.rows] == [*map(tuple, lines)]


def test_other_delimiters_in_names_do_not_hide_commas(write: Callable[..., Path]) -> None:
    assert frame_of(str(write(b"size (m;km;cm),name\n5,a\n6,b\n"))).names == ("size (m;km;cm)", "name")


def test_a_name_in_quotes_may_have_a_line_break(write: Callable[..., Path]) -> None:
    assert frame_of(str(write(b'"net\nprice, in EUR";y\n1,5;2\n'))).names == ("net\nprice, in EUR", "y")


def test_a_column_decides_what_is_missing_in_it(write: Callable[..., Path]) -> None:
    numbers = frame_of(str(write(b"x,y\n1,0\n2,1\n3,NA\n")))
    assert read_target_column(numbers, "y", "classes").values == [0, 1, None]
    words = frame_of(str(write(b"x,y\n1,no\n2,yes\n3,NA\n4,\n")))
    assert read_target_column(words, "y", "classes").values == [1, 2, 0, None]
    named = Frame(("y",), [("0",), ("1",), ("none",)], ["a", "b", "c"], ["train"] * 3, frozenset(("y",)))
    assert read_target_column(named, "y", "classes").labels == ("0", "1", "none"), "classes that the source names"


def test_columns_of_other_types_are_refused_only_where_they_are_needed(tmp_path: Path) -> None:
    import datetime

    import pyarrow as pa
    from pyarrow import parquet

    others = {
        "tags": pa.array([["a"], None]),
        "box": pa.array([{"x": 1}, {"x": 2}]),
        "code": pa.array([b"a", b"b"]),
        "at": pa.array([datetime.time(1), datetime.time(2)]),
    }
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({**others, "x": [1.5, 2.5], "y": ["a", "b"]}), path)
    frame = frame_of(str(path))
    assert (frame.names, [*frame.unreadable]) == (("x", "y"), [*others])
    assert features_of(frame, ("y",))[1] == [(1.5,), (2.5,)]
    for name in others:
        with pytest.raises(ZooError, match=f"--target: column '{name}' is .*: convert it to numbers"):
            read_targets(frame, name)
    said: list[str] = []
    x = TablePreprocessing((Column("x", "number"),))
    found = client.named_examples([path], x, lambda place, reason: said.append(reason))
    assert [one.raw for one in found] == [(1.5,), (2.5,)]
    assert said == ["columns that the network does not take: 'y', 'tags', 'box' and 2 more"]
    with pytest.raises(ZooError, match=r"rows\.parquet: column 'box' is struct<x: int64>: convert it"):
        client.named_examples([path], TablePreprocessing((Column("box", "number"),)), lambda place, reason: None)
    parquet.write_table(pa.table(others), path)
    with pytest.raises(ZooError, match="has no column of numbers, text, dates or booleans"):
        frame_of(str(path))


def test_large_integers_of_parquet_stay_apart(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"id": [2**53, 2**53 + 1, -(2**60) - 1, None], "big": pa.array([2**64 - 1] * 4, pa.uint64())})
    parquet.write_table(table, tmp_path / "rows.parquet")
    frame = frame_of(str(tmp_path / "rows.parquet"))
    assert frame.column("id", "--x") == [2.0**53, str(2**53 + 1), str(-(2**60) - 1), None]
    assert frame.column("big", "--x") == [str(2**64 - 1)] * 4
    assert read_target_column(frame, "id", "classes").labels == (str(2**53), str(2**53 + 1), str(-(2**60) - 1))


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("imdb_train.csv", "imdb_test.csv"), "rename 'imdb_train.csv' to train.csv, 'imdb_test.csv' to test.csv"),
        (("reviews-train.csv", "reviews-dev.csv"), "'reviews-dev.csv' to val.csv"),
        (("train-00000-of-00001.csv", "test-00000-of-00001.csv"), "to train.csv"),
        (("train_part1.csv", "train_part2.csv", "test_part1.csv"), "call each file after its split"),
        (("train_1.csv", "train_2.csv"), "call each file after its split"),
        (("reviews.train.csv", "reviews.test.csv"), "rename 'reviews.train.csv' to train.csv, 'reviews.test.csv' to t"),
        (("v1.0-train.csv", "v1.0-valid.csv"), "rename 'v1.0-train.csv' to train.csv, 'v1.0-valid.csv' to val"),
        (("train/rows.csv", "test/rows.csv"), "rename 'train/rows.csv' to train.csv, 'test/rows.csv' to test.csv"),
        (("train/1.csv", "train/2.csv", "dev/1.csv"), "'dev/1.csv' are not called .*: call each file after its split"),
    ],
)
def test_files_that_are_named_after_splits_are_not_one_table(
    names: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a,y\n1,2\n")
    with pytest.raises(ZooError, match=reason):
        read_frame([tmp_path / name for name in names])


@pytest.mark.parametrize(
    "names",
    [
        ("2023.csv", "2024.csv"),
        ("train_times.csv", "bus_times.csv"),
        ("a.csv", "b.csv"),
        ("rows.1.csv", "rows.2.csv"),
        ("2023/rows.csv", "2024/rows.csv"),
        ("dev/bus.csv", "test/tram.csv"),
    ],
)
def test_files_with_other_names_are_one_table(names: tuple[str, ...], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a,y\n1,2\n")
    assert read_frame([tmp_path / name for name in names]).splits == ["train"] * 2
