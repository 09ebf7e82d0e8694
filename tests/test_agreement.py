"""The yardstick of each task: how large a difference between the answers of two files is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from zoo import contract
from zoo.artifact import Gate
from zoo.contract import TOLERANCE
from zoo.description import Model, Part, Scale, labels_of
from zoo.export import gates
from zoo.export.int8 import search
from zoo.export.reference import Reference
from zoo.export.tf_serving import server_check
from zoo.export.tf_serving.server_check import Outcome, Request
from zoo.formats import Format, Session
from zoo.formats.onnx import FP16, INT8, ONNX
from zoo.input import Arrays
from zoo.inputs.table.data import reference
from zoo.serving.golden import replay
from zoo.serving.runner import Runner
from zoo.task import task_of

RNG = np.random.default_rng(0)
FLOAT32 = np.float32
YEARS = Model(
    "mlp", "small", ("year",), reference((1,)), 0, 0, task="values", scales=(Scale(2000.0, 10.0),)
)  # fmt: skip
PARTS = (Part("color", "classes", ("red", "blue")), Part("year", "values", ("year",)))
CLASS = Scale(0.0, 1.0)
SEVERAL = dataclasses.replace(
    YEARS, labels=labels_of(PARTS), task="several", scales=(CLASS, CLASS, *YEARS.scales), parts=PARTS
)
# Years within 17 of the mean: less than 1 % of the largest, which is what fp16 may differ by.
STANDARDIZED = RNG.uniform(-1.7, 1.7, size=(40, 1)).astype(FLOAT32)

Answers = Callable[[Arrays], Arrays]


def values(standardized: np.ndarray, scale: Scale) -> np.ndarray:
    """Return values as a float32 file computes them from standardized ones."""
    return standardized * FLOAT32(scale.std) + FLOAT32(scale.mean)


def years(model: Model) -> Answers:
    """Return the function of a sound network: it answers with 2000 + 10 x, and with colors if it has them."""

    def run(inputs: Arrays) -> Arrays:
        found = values(inputs["features"], YEARS.scales[0])
        if not model.parts:
            return {"values": found}
        logits = np.concatenate([inputs["features"], -inputs["features"]], -1)
        powers = np.exp(logits)
        probabilities = powers / powers.sum(-1, keepdims=True)
        return {"color_logits": logits, "color_probabilities": probabilities, "year_values": found}

    return run


def always_the_mean(model: Model) -> Answers:
    """Return the function of a network whose values are always the mean."""

    def run(inputs: Arrays) -> Arrays:
        found = years(model)(inputs)
        return {name: np.full_like(one, 2000) if name.endswith("values") else one for name, one in found.items()}

    return run


def replayed(row: Format, model: Model, run: Answers) -> Gate:
    """Compare answers with those of the sound network as `zoo verify` does."""
    signature = contract.of_every_format(model)
    golden = {"features": STANDARDIZED[:8], **years(model)({"features": STANDARDIZED[:8]})}
    return replay(row, Runner(Session(signature, run), signature, row.library), model, golden)


@pytest.mark.parametrize("row", [ONNX, FP16, INT8], ids=lambda row: row.name)
@pytest.mark.parametrize("model", [YEARS, SEVERAL], ids=lambda model: model.task)
def test_a_file_that_always_answers_the_mean_year_fails_every_gate(model: Model, row: Format) -> None:
    task, inputs = task_of(model), {"features": STANDARDIZED}
    sound = years(model)(inputs)
    known = Reference(model, inputs, sound, (), (), {}, (), {}, at_once=64)
    for run, passes in ((years(model), True), (always_the_mean(model), False)):
        found = task.primary(run(inputs), model)
        assert task.agreement(found, known.expected, row.tolerance, model)[0] is passes
        assert gates.batches(gates.in_batches(run, known), known, known.expected, row.tolerance)[0] is passes
        assert replayed(row, model, run).passed is passes
        expected = search.primary_rows(years(model), [inputs], model)
        apart = search.largest_difference(search.primary_rows(run, [inputs], model), expected, model)
        assert (apart <= search.APART) is passes


def test_golden_values_that_differ_are_named_with_their_difference() -> None:
    figures = replayed(FP16, SEVERAL, always_the_mean(SEVERAL)).figures
    assert figures["limit"] == 1e-2
    # The year that lies farthest from the mean is missed by its whole distance, less the rounding of float32.
    assert figures["largest_difference"] == pytest.approx(1.0, abs=1e-3)
    farthest = np.abs(STANDARDIZED[:8]).argmax()
    assert f"the answer to example {farthest} differs by 1 in 'year', more than 0.01" in figures["problems"][0]


def test_the_server_check_measures_years_by_their_spread() -> None:
    inputs = {"features": STANDARDIZED}
    golden = Request("golden", "serving_default", inputs, primary=years(YEARS)(inputs)["values"])
    document = {"errors": [None], "cpu_seconds": [0.0], "memory": [0], "load_seconds": 0.0, "incomplete": {}}
    for off, passes in ((1e-5, True), (1e-2, False)):
        answer = {"values": years(YEARS)(inputs)["values"] + FLOAT32(off * 10)}
        gate = server_check.judge([golden], Outcome(document, [answer]), YEARS)
        assert gate.passed is passes, gate.figures


@pytest.mark.parametrize("scale", [Scale(2000.0, 10.0), Scale(288.0, 8.0), Scale(-1e6, 1.0), Scale(1.6e9, 1e3)])
@pytest.mark.parametrize("several", [False, True])
def test_a_small_offset_and_the_rounding_of_float32_pass(scale: Scale, several: bool) -> None:
    model = dataclasses.replace(YEARS, scales=(scale,))
    if several:
        model = dataclasses.replace(SEVERAL, scales=(CLASS, CLASS, scale))
    task = task_of(model)
    standardized = RNG.normal(size=(5000, 1)).astype(FLOAT32)

    def primary(found: np.ndarray) -> np.ndarray:
        logits = np.concatenate([standardized, -standardized], -1)
        each = {"color_logits": logits, "color_probabilities": logits, "year_values": found}
        return task.primary(each if several else {"values": found}, model)

    expected = primary(values(standardized, scale))
    for off in (0.0, 1e-5, -1e-5):
        once = (standardized.astype(np.float64) + off) * FLOAT32(scale.std) + FLOAT32(scale.mean)
        for found in (once.astype(FLOAT32), values(standardized + FLOAT32(off), scale)):
            passed, figures = task.agreement(primary(found), expected, TOLERANCE, model)
            assert passed, figures
    wrong = primary(values(standardized * FLOAT32(0.5), scale))
    assert not task.agreement(wrong, expected, TOLERANCE, model)[0]


def test_each_value_has_its_own_yardstick() -> None:
    model = dataclasses.replace(YEARS, labels=("year", "share"), scales=(Scale(2000.0, 10.0), Scale(0.0, 1e-3)))
    task = task_of(model)
    expected = np.concatenate([values(STANDARDIZED, scale) for scale in model.scales], -1)
    assert task.agreement(expected + np.array([1e-4, 1e-8]), expected, TOLERANCE, model)[0]
    for off in ([0.1, 0.0], [0.0, 1e-5]):
        assert not task.agreement(expected + np.array(off), expected, TOLERANCE, model)[0], off


def test_values_that_hardly_vary_may_be_rounded() -> None:
    model = dataclasses.replace(YEARS, scales=(Scale(0.1, 1e-17),))
    expected = np.full((5, 1), 0.1, FLOAT32)
    assert task_of(model).agreement(np.nextafter(expected, FLOAT32(1)), expected, TOLERANCE, model)[0]
    assert not task_of(model).agreement(expected + FLOAT32(1e-3), expected, TOLERANCE, model)[0]


def test_without_scales_values_are_measured_by_the_largest() -> None:
    model = dataclasses.replace(YEARS, scales=())
    expected = values(STANDARDIZED, YEARS.scales[0])
    assert task_of(model).yardstick(expected, model).largest(expected + 2, expected) == pytest.approx(1e-3, rel=0.02)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("model", [YEARS, SEVERAL], ids=lambda model: model.task)
def test_numbers_that_are_not_finite_agree_with_nothing(model: Model, wrong: float) -> None:
    task = task_of(model)
    expected = task.primary(years(model)({"features": STANDARDIZED}), model)
    found = expected.copy()
    found[3, -1] = wrong
    yardstick = task.yardstick(expected, model)
    assert yardstick.largest(found, expected) == np.inf
    assert yardstick.largest(expected, found) == np.inf
    assert task.yardstick(found, model).largest(expected, found) == np.inf
    passed, _ = task.agreement(found, expected, 0.5, model)
    assert not passed
