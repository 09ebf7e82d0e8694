"""Networks of tables: what their fixed layers compute, their coefficients, and their ONNX graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.inputs.table import preprocessing as table
from zoo.inputs.table.columns import Column
from zoo.inputs.table.preprocessing import TablePreprocessing

NUMBERS = TablePreprocessing((Column("x", "number", mean=100, std=4, knots=(90, 95, 100, 110)), Column("y", "number")))
MIXED = TablePreprocessing(
    (
        Column("w", "word", words=("a", "b"), missing=True),
        Column("x", "number", mean=100, std=4, missing=True, knots=(90, 95, 100, 110)),
        Column("t", "boolean", mean=0.25, std=0.5),
        Column("d", "date", mean=19_000, std=30, knots=(18_000, 20_000)),
        Column("v", "word", words=("c",)),
    )
)
WORDS = TablePreprocessing((Column("w", "word", words=("a", "b")),))


def network(family: str, preprocessing: TablePreprocessing, count: int = 2, **options: Any) -> Any:
    import importlib

    import keras

    features = keras.Input((len(preprocessing.columns),), name="features")
    build = importlib.import_module(f"zoo.models.{family}.network").build
    model = keras.Model(features, build(features, count, preprocessing, **options).logits)
    generator = np.random.default_rng(0)
    model.set_weights([generator.normal(size=weight.shape) for weight in model.get_weights()])
    return model


every_network = pytest.mark.parametrize(
    ("family", "options"),
    [
        ("linear", {}),
        ("linear", {"terms": "products"}),
        ("linear", {"terms": "splines"}),
        ("mlp", {}),
        ("mlp", {"hidden": (8, 8), "dropout": 0.5, "intervals": 4, "word_width": 3}),
    ],
)


@pytest.mark.parametrize("preprocessing", [NUMBERS, MIXED, WORDS], ids=["numbers", "mixed", "words"])
@every_network
def test_networks_answer_every_row_in_keras_and_in_onnx(
    family: str, options: Any, preprocessing: TablePreprocessing
) -> None:
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    model = network(family, preprocessing, **options)
    rows = table.noise(preprocessing, 50, np.random.default_rng(1))
    features = table.encode(rows, preprocessing)["features"]
    answers = model(features).numpy()
    assert np.isfinite(answers).all()
    spec = (tf.TensorSpec([None, features.shape[1]], tf.float32, name="features"),)
    converted, _ = tf2onnx.convert.from_function(tf.function(lambda x: model(x)), spec, opset=18)
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    (found,) = session.run(None, {"features": features})
    np.testing.assert_allclose(found, answers, rtol=1e-4, atol=1e-3)
    kinds = [node.op_type for node in converted.graph.node]
    assert "Shape" not in kinds
    assert "Loop" not in kinds
    if (family, options, preprocessing) == ("linear", {}, NUMBERS):
        assert sorted(kinds) == sorted(["Sub", "Mul", "IsNaN", "Where", "MatMul", "Add"])


@every_network
def test_a_column_that_is_constant_in_training_changes_no_answer(family: str, options: Any) -> None:
    columns = [Column("x", "number"), Column("n", "number"), Column("d", "date"), Column("b", "boolean")]
    rows: list[Any] = [(float(number), 5.0, None, "true") for number in range(20)]
    preprocessing = table.suiting(columns, rows)
    assert [column.is_constant for column in preprocessing.columns] == [False, True, True, True]
    model = network(family, preprocessing, **options)
    others = [(x, 5000.0, "2024-05-06", "false") for x, *_ in rows]
    known, other = (model(table.encode(each, preprocessing)["features"]).numpy() for each in (rows, others))
    np.testing.assert_allclose(other, known, rtol=1e-6)
    assert np.ptp(known, 0).min() > 0.01


def test_models_are_saved_and_loaded_by_keras(tmp_path: Any) -> None:
    import keras

    model = network("mlp", MIXED, intervals=3, word_width=2)
    model.save(tmp_path / "model.keras")
    features = table.encode(table.noise(MIXED, 5, np.random.default_rng(1)), MIXED)["features"]
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(features).numpy(), model(features).numpy())


def test_coefficients_are_those_of_the_data() -> None:
    from zoo.models.linear.coefficients import coefficients

    model = network("linear", MIXED)
    kernel, bias = model.get_weights()
    named = coefficients(kernel, bias, MIXED, mean=7.0, std=3.0)
    rows = table.noise(MIXED, 100, np.random.default_rng(2))
    features = table.encode(rows, MIXED)["features"]
    answers = model(features).numpy() * 3.0 + 7.0
    for row, feature, answer in zip(rows, features, answers, strict=True):
        total = named["intercept"].copy()
        for place, column in enumerate(MIXED.columns):
            if np.isnan(feature[place]):
                # A missing value counts as the mean where no training row lacks one.
                at_mean = named[column.name] * column.mean if column.name in named else 0.0
                total += named.get(f"{column.name} missing", at_mean)
            elif column.kind == "word":
                total += named.get(f"{column.name} = {row[place]}", 0.0)
            else:
                total += named[column.name] * feature[place]
        np.testing.assert_allclose(total, answer, rtol=1e-3, atol=1e-2)


def test_coefficients_whose_names_collide_are_all_there() -> None:
    from zoo.models.linear.coefficients import coefficients

    columns = (
        Column("age", "number", missing=True, knots=(0, 1)),
        Column("age missing", "boolean", knots=(0, 1)),
        Column("intercept", "number", knots=(0, 1)),
        Column("intercept (2)", "number", knots=(0, 1)),
        Column("city", "word", words=("Bern", "x = y")),
        Column("city = Bern", "number", knots=(0, 1)),
        Column("city = x", "word", words=("y",)),
    )
    kernel = np.arange(9.0)[:, None]
    named = coefficients(kernel, np.array([-1.0]), TablePreprocessing(columns))
    assert len(named) == len(kernel) + 1
    assert {name: float(row[0]) for name, row in named.items()} == {
        "intercept (3)": -1,
        "age": 0,
        "age missing": 1,
        "intercept": 2,
        "intercept (2)": 3,
        "city = Bern": 4,
        "age missing (2)": 5,
        "city = Bern (2)": 6,
        "city = x = y": 7,
        "city = x = y (2)": 8,
    }


def test_a_word_never_seen_changes_nothing_and_pieces_go_on_beyond_their_ends() -> None:
    model = network("linear", MIXED)
    _, bias = model.get_weights()
    unseen = np.array([[2.0, 100.0, 0.25, 19_000.0, 1.0]], np.float32)
    np.testing.assert_allclose(model(unseen).numpy()[0], bias, rtol=1e-4, atol=1e-4)

    splines = network("linear", NUMBERS, terms="splines")
    x = np.array([80.0, 85.0, 90.0, 110.0, 115.0, 120.0], np.float32)
    left, _, low, high, _, right = splines(np.stack([x, np.zeros(6, np.float32)], 1)).numpy()
    middle = splines(np.array([[85.0, 0.0], [115.0, 0.0]], np.float32)).numpy()
    np.testing.assert_allclose(middle, [(left + low) / 2, (high + right) / 2], rtol=1e-4)


@pytest.mark.parametrize(
    "values",
    [[10.0**exponent for exponent in range(-30, 0)] + [0.9], [*map(float, range(100)), 1e18]],
    ids=["p-values", "a sentinel"],
)
@pytest.mark.parametrize(
    ("family", "options"), [("linear", {"terms": "splines"}), ("mlp", {"intervals": 16, "word_width": 4})]
)
def test_no_piece_is_too_narrow_for_float32(family: str, options: Any, values: list[float]) -> None:
    from zoo.inputs.table.layers import intervals

    rows = [(value,) for value in values]
    preprocessing = table.suiting([Column("x", "number")], rows)
    for most in (4, 16):
        _, start, end = intervals(preprocessing, most)
        assert len(start) == most, "the form of the network does not depend on the widths"
        assert (np.subtract(end, start) >= 1e-5).all()
    answers = network(family, preprocessing, **options)(table.encode(rows, preprocessing)["features"]).numpy()
    assert np.isfinite(answers).all()
    assert np.abs(answers).max() < 1e6


def test_products_of_too_many_columns_are_refused() -> None:
    from zoo.inputs.table import data
    from zoo.models.linear import FAMILY

    with pytest.raises(ZooError, match="base multiplies pairs of columns, and 101 columns"):
        data.check(FAMILY, FAMILY.size("base"), data.reference((101,)), None)
    data.check(FAMILY, FAMILY.size("small"), data.reference((101,)), None)


@pytest.mark.parametrize("size", ["small", "base", "large"])
@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_rows_of_families_count_their_parameters(family: str, size: str) -> None:
    from zoo import complexity, factory
    from zoo.registry import resolve

    _, row = resolve(family, size)
    model = factory.create(family, size=size, classes=row.classes)
    assert (complexity.parameters(model), complexity.multiply_adds(model)) == (row.parameters, row.multiply_adds)


def test_a_vector_stands_for_each_word_and_zeros_for_others() -> None:
    import keras

    from zoo.inputs.table.layers import WordVectors

    features = keras.Input((3,))
    model = keras.Model(features, WordVectors([0, 2], [2, 3], 2)(features))
    (vectors,) = model.get_weights()
    assert vectors.shape == (5, 2)
    nan = np.nan
    found = model(np.array([[0, 9, 2], [1, 9, 0], [2, 9, 3], [nan, 9, -1]], np.float32)).numpy()
    none = np.zeros(2)
    expected = [[vectors[0], vectors[4]], [vectors[1], vectors[2]], [none, none], [none, none]]
    np.testing.assert_array_equal(found, np.reshape(expected, (4, 4)))


@pytest.mark.parametrize(("family", "options"), [("linear", {}), ("mlp", {"intervals": 4, "word_width": 4})])
def test_mixed_precision_tells_dates_and_words_apart(family: str, options: Any) -> None:
    import keras

    words = tuple(f"w{number}" for number in range(400))
    wanted = TablePreprocessing(
        (Column("w", "word", words=words), Column("d", "date", mean=19_000, std=30, knots=(18_900, 19_000, 19_100)))
    )
    features = np.array([[code, 19_000 + code / 10] for code in range(400)], np.float32)
    whole = network(family, wanted, **options)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = network(family, wanted, **options)
    finally:
        keras.config.set_dtype_policy("float32")
    expected = whole(features).numpy()
    assert np.abs(mixed(features).numpy() - expected).max() < 0.05 * np.abs(expected).max()
