"""Rows become the same features in numpy and in TensorFlow, or are refused by both."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import ZooError
from zoo.inputs.table import preprocessing as table
from zoo.inputs.table.columns import BOOLEANS, Column, TableSettings, days, infer, inferred, tensor_names
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.schema import parse, to_dict

ALL_KINDS = TablePreprocessing(
    (
        Column("Größe in cm", "number", mean=3, std=2, knots=(0, 3, 5)),
        Column("class", "word", words=("a", "Ä", "日本", "a ")),
        Column("when", "date", mean=19000, std=100, knots=(18000, 20000)),
        Column("smoker", "boolean", mean=0.5, std=0.5),
        Column("empty", "word"),
    )
)

words = st.one_of(st.text(max_size=5), st.sampled_from(["a", "Ä", "日本", "a ", "A", "\0", "a\0"]))
dates = st.one_of(
    st.dates().map(str),
    st.datetimes().map(lambda at: at.isoformat(timespec="seconds")),
    st.datetimes().map(lambda at: at.isoformat(" ", timespec="minutes") + "Z"),
)
almost_dates = st.one_of(
    st.sampled_from(["2023-02-29", "2024-02-29", "1900-02-29", "2000-02-29", "0000-01-01", "2024-04-31", "2024-1-1"]),
    st.builds("{:04}-{:02}-{:02}".format, st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32)),
    st.sampled_from(["2024-01-01T24:00", "2024-01-01T23:60", "2024-01-01T23:59:60", "2024-01-01\n", "٢٠٢٤-٠١-٠١"]),
)
numbers = st.one_of(st.floats(width=32, allow_infinity=False), st.floats(), st.integers(-(2**40), 2**40))
rows = st.tuples(
    st.one_of(st.none(), numbers),
    st.one_of(st.none(), words),
    st.one_of(st.none(), dates, almost_dates, words),
    st.one_of(st.none(), st.sampled_from([*BOOLEANS, "tRue", "1"]), words),
    st.one_of(st.none(), words),
)


def in_graph(batch: list[Any], preprocessing: TablePreprocessing) -> tuple[np.ndarray, list[str]]:
    import tensorflow as tf

    from zoo.inputs.table.graph import decoded

    with np.errstate(over="ignore"):
        raw = {name: tf.constant(array) for name, array in table.raw_arrays(batch, preprocessing).items()}
    inputs, status = _traced(decoded, preprocessing)(raw)
    return inputs["features"].numpy(), [text.decode() for text in status.numpy()]


_functions: dict[Any, Any] = {}


def _traced(decoded: Any, preprocessing: TablePreprocessing) -> Any:
    import tensorflow as tf

    if preprocessing not in _functions:
        spec = {
            name: tf.TensorSpec([None], getattr(tf, tensor.dtype))
            for name, tensor in table.raw_tensors(preprocessing).items()
        }
        _functions[preprocessing] = tf.function(lambda raw: decoded(raw, preprocessing), input_signature=[spec])
    return _functions[preprocessing]


@settings(max_examples=300, deadline=None)
@given(st.lists(rows, min_size=1, max_size=6))
def test_graph_gives_the_features_of_numpy_or_refuses_the_same_rows(batch: list[Any]) -> None:
    features, status = in_graph(batch, ALL_KINDS)
    for row, given_features, reason in zip(batch, features, status, strict=True):
        if reason:
            with pytest.raises(ZooError) as caught:
                table.encode([row], ALL_KINDS)
            assert str(caught.value).replace("row 1", "wrong") == reason
            assert not given_features.any()
        else:
            np.testing.assert_array_equal(given_features, table.encode([row], ALL_KINDS)["features"][0])


@given(st.datetimes())
def test_days_are_those_of_datetime(at: datetime.datetime) -> None:
    at = at.replace(microsecond=0)
    assert days(at.isoformat()) == (at - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)


def test_noise_agrees_and_random_has_no_missing_values() -> None:
    generator = np.random.default_rng(0)
    batch = table.noise(ALL_KINDS, 200, generator)
    features, status = in_graph(batch, ALL_KINDS)
    assert not any(status)
    np.testing.assert_array_equal(features, table.encode(batch, ALL_KINDS)["features"])
    assert 0.05 < np.isnan(features).mean() < 0.15
    drawn = table.random(ALL_KINDS, 20, generator)["features"]
    assert drawn.shape == (20, 5)
    assert not np.isnan(drawn).any()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("1", None, None, None, None), "row 1: column 'Größe in cm' takes numbers, not '1'"),
        ((1e39, None, None, None, None), "row 1: column 'Größe in cm' has a number that is too large"),
        ((float("-inf"), None, None, None, None), "too large"),
        ((1.0, 2.0, None, None, None), "row 1: column 'class' takes words as text, not 2.0"),
        ((1.0, "a", "yesterday", None, None), "row 1: column 'when' has a word that is not a date"),
        ((1.0, "a", None, "perhaps", None), "row 1: column 'smoker' has a word that is neither"),
        ((1.0,), "row 1 has 1 values, not 5"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_row_and_column(row: Any, reason: str) -> None:
    with pytest.raises(ZooError, match=reason):
        table.encode([row], ALL_KINDS)


def test_numbers_whose_std_float32_cannot_divide_by_are_refused() -> None:
    with pytest.raises(ZooError, match=r"column 'x' has numbers that are too near to each other .*: scale the column"):
        table.suiting([Column("x", "number")], [(1e-40,), (2e-40,)])


def test_statistics_are_those_of_the_training_rows() -> None:
    data = [
        (1.0, "b", "1970-01-02", "yes"),
        (3.0, "b", "1970-01-04", "no"),
        (None, "a", "", "no"),
        (5.0, None, None, None),
    ]
    columns = inferred(("x", "w", "d", "b"), data, TableSettings())
    assert [column.kind for column in columns] == ["number", "word", "date", "boolean"]
    x, w, d, b = table.suiting(columns, data).columns
    assert (x.mean, x.std, x.missing) == (3.0, np.std([1, 3, 5]), True)
    assert x.knots[0] == 1
    assert x.knots[-1] == 5
    assert (w.words, w.missing) == (("b", "a"), True)
    assert (d.mean, d.std) == (2.0, 1.0)
    assert b.mean == pytest.approx(1 / 3)
    made = table.suiting(columns, data)
    assert parse(TablePreprocessing, to_dict(made), "preprocessing") == made
    assert len(table.lines(made)) == 4


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2.5", ".5", "1e3", None], "number"),
        ([1.0, 2.0], "number"),
        (["yes", "No", "TRUE"], "boolean"),
        (["2024-02-29", "2024-01-01T12:00", None], "date"),
        (["2023-02-29", "x"], "word"),
        (["a", "1", "b"], "word"),
        (["yes", "maybe"], "word"),
        (["1_000", "x"], "word"),
        (["COV"] * 9 + ["INF"], "word"),
        (["COV"] + ["INF"] * 9, "word"),
    ],
)
def test_types_are_inferred(values: Any, kind: str) -> None:
    assert infer("x", values) == kind


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("x", ["1", "2", "red"], "has mostly numbers, and 'red' in row 3: fix that cell"),
        ("x", ["1", "inf"], "infinite number, 'inf' in row 2: fix it, .*, or --set table.words=x if all are words"),
        ("x", ["inf", float("-inf")], "infinite number, 'inf' in row 1"),
        ("x", ["1", "INF", "COV"], "infinite number, 'INF' in row 2"),
        ("x", ["1", "1e999"], "infinite number"),
        ("x", [None, None], "has no values"),
        ("x", ["3,5", "1,25", None, "2,0"], "numbers with commas, .*, .3,5. in row 1: write plain"),
        ("name", [f"word {number}" for number in range(20)], "a different word in each row, so"),
        ("name", [*(f"word {number}" for number in range(20)), None], "a different word in each row that has one, so"),
        ("Id", [str(number) for number in range(20)], "a different number in each row"),
        ("PassengerId", [float(number) for number in range(20)], "a different number in each row"),
        ("row_id", [float(number) for number in range(20)], "table.ignore=row_id"),
    ],
)
def test_columns_that_cannot_be_used_are_refused(name: str, values: Any, reason: str) -> None:
    with pytest.raises(ZooError, match=reason):
        inferred((name,), [(value,) for value in values], TableSettings())


def test_settings_ignore_columns_and_make_words_of_numbers() -> None:
    data = [(float(number), str(number % 3), 1.0) for number in range(12)]
    columns = inferred(("id", "zip", "x"), data, TableSettings(ignore=("id",), words=("zip",)))
    assert [(column.name, column.kind) for column in columns] == [("zip", "word"), ("x", "number")]
    assert infer("covid", [float(number) for number in range(20)]) == "number"
    assert inferred(("covid",), [(float(number),) for number in range(20)], TableSettings())
    with pytest.raises(ZooError, match="no column 'Zip': did you mean 'zip'"):
        inferred(("id", "zip", "x"), data, TableSettings(ignore=("Zip",)))
    for cut in (("id", "body", " mass"), ("body, mass", "id")):
        columns = inferred(("id", "body, mass", "x"), data, TableSettings(ignore=cut))
        assert [column.name for column in columns] == ["x"]


def test_names_of_tensors_are_identifiers_and_unique() -> None:
    names = tensor_names(
        [Column(name, "number") for name in ("a b", "a_b", "A b", "1", "class", "self", "", "日本", "a_b_2")]
    )
    assert len({name.lower() for name in names}) == len(names)
    assert all(name.isidentifier() and name.isascii() for name in names)


def test_a_saved_model_takes_the_columns_by_name(tmp_path: Any) -> None:
    import tensorflow as tf

    from zoo.inputs.table.graph import decoded

    module = tf.Module()
    specs = {
        name: tf.TensorSpec([None], getattr(tf, tensor.dtype), name)
        for name, tensor in table.raw_tensors(ALL_KINDS).items()
    }
    function = tf.function(lambda **raw: dict(decoded(raw, ALL_KINDS)[0])).get_concrete_function(**specs)
    tf.saved_model.save(module, str(tmp_path), signatures={"serve_columns": function})
    loaded = tf.saved_model.load(str(tmp_path)).signatures["serve_columns"]
    batch = table.noise(ALL_KINDS, 9, np.random.default_rng(1))
    answer = loaded(**{name: tf.constant(array) for name, array in table.raw_arrays(batch, ALL_KINDS).items()})
    np.testing.assert_array_equal(answer["features"].numpy(), table.encode(batch, ALL_KINDS)["features"])
