"""int8 files of networks with open lengths: calibration without padding, and answers independent of the batch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from tests.models.test_bert import randomized
from zoo import formats
from zoo.data.dataset import Examples
from zoo.data.example import Example
from zoo.description import Model
from zoo.export.batches import joined, size
from zoo.export.graph import trace
from zoo.export.int8 import calibration, qdq, quantize, verdict
from zoo.export.onnx.conversion import write_onnx
from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.integer_kernels import weighted_nodes
from zoo.export.onnx.passes.masks import mask_by_keys
from zoo.export.writers import Int8Writer
from zoo.formats.onnx import open_onnx, write_optimized
from zoo.inputs.text.preprocessing import TextPreprocessing

RNG = np.random.default_rng(0)
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(str, range(36)))


def text(length: int, longest: int | None = None) -> dict[str, np.ndarray]:
    """A batch of one random text, filled up to `longest` tokens."""
    longest = longest or length
    mask = (np.arange(longest) < length).astype(np.int64)[None]
    return {"input_ids": RNG.integers(1, len(VOCABULARY), (1, longest)) * mask, "attention_mask": mask}


def written(path: Path, pooling: str) -> Path:
    """Write the float32 file of a BERT of two blocks with random weights, and return its path."""
    description = Model("bert", "small", ("a", "b", "c"), TextPreprocessing(VOCABULARY, 12), 0, 0)
    write_onnx(trace(randomized(pooling), description), path)
    return path


@pytest.fixture(scope="module")
def float32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The float32 file of a BERT of two blocks with random weights."""
    return written(tmp_path_factory.mktemp("bert") / "model.onnx", "mean")


@pytest.fixture(scope="module")
def int8(float32: Path) -> Path:
    """Its int8 file."""
    model = onnx.load(float32)
    quantize.prepare(model, "x86-vnni")
    texts = quantize._batched([text(length) for length in (3, 12, 7, 5, 12, 9)])
    found = calibration.collect(model, qdq.to_calibrate(GraphIndex(model)), texts)
    ranges = {name: histogram.range("minmax") for name, histogram in found.items()}
    path = float32.with_name("model.int8.onnx")
    onnx.save(qdq.quantized(model, ranges, "x86-vnni"), path)
    return path


def test_texts_of_one_length_are_calibrated_together_and_none_is_filled_up() -> None:
    batches = quantize._batched([text(length) for length in (3, 12, 3, 5)])
    assert [batch["input_ids"].shape for batch in batches] == [(2, 3), (1, 12), (1, 5)]
    assert sum(map(size, batches)) == 4
    assert all(batch["attention_mask"].all() for batch in batches)


def test_batches_are_no_larger_than_a_run_and_are_calibrated_as_one(float32: Path) -> None:
    texts = [text(length) for length in [5] * 40 + [7]]
    batches = quantize._batched(iter(texts))
    assert [batch["input_ids"].shape for batch in batches] == [(16, 5), (16, 5), (8, 5), (1, 7)]
    whole = [joined(texts[:40]), texts[40]]
    for name in ("input_ids", "attention_mask"):
        np.testing.assert_array_equal(np.concatenate([one[name] for one in batches[:-1]]), whole[0][name])
    model = onnx.load(float32)
    names = qdq.to_calibrate(GraphIndex(model))
    few, all_at_once = (calibration.collect(model, names, one) for one in (batches, whole))
    for name in names:
        assert few[name].range("minmax") == all_at_once[name].range("minmax")
        np.testing.assert_array_equal(few[name].counts, all_at_once[name].counts)


def test_a_calibration_is_found_again_by_the_content_of_its_examples(float32: Path, tmp_path: Path) -> None:
    model = onnx.load(float32)
    said: list[str] = []
    batches = quantize._batched([text(length) for length in (3, 4)])
    of_columns = [{name: np.asfortranarray(values) for name, values in batch.items()} for batch in batches]
    others = [{name: values[:, ::-1] for name, values in batch.items()} for batch in batches]
    for examples in (batches, of_columns, others):
        quantize._calibrated(model, examples, tmp_path, said.append)
    assert [line.partition(" ")[0] for line in said] == ["calibrating", "calibrated", "calibrating"]


def test_every_product_with_weights_is_computed_on_integers(float32: Path, int8: Path, tmp_path: Path) -> None:
    weighted = Counter(node.op_type for node in weighted_nodes(GraphIndex(onnx.load(float32))))
    assert weighted == {"MatMul": 8, "Gemm": 1}, "queries, keys and values are three products in int8"
    write_optimized(int8, tmp_path / "fused.onnx", "all")
    fused = Counter(node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node)
    assert (fused["MatMulIntegerToFloat"], fused["QGemm"]) == (12, 1)
    assert not [node.domain for node in onnx.load(int8).graph.node if node.domain], "operators of ONNX's own only"


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_a_mask_that_the_keys_hold_changes_no_answer(pooling: str, float32: Path, tmp_path: Path) -> None:
    path = float32 if pooling == "mean" else written(tmp_path / "model.onnx", pooling)
    model = onnx.load(path)
    mask_by_keys(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, tmp_path / "masked.onnx")
    kinds = [Counter(node.op_type for node in onnx.load(one).graph.node) for one in (path, tmp_path / "masked.onnx")]
    assert (kinds[0]["Split"], kinds[1]["Split"]) == (2, 0)
    texts = {name: np.concatenate([one[name] for one in (text(3, 12), text(12))]) for name in text(1)}
    before, after = (open_onnx(one).run(texts)["logits"] for one in (path, tmp_path / "masked.onnx"))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
    alone = open_onnx(tmp_path / "masked.onnx").run({name: array[:1, :3] for name, array in texts.items()})
    np.testing.assert_allclose(alone["logits"], before[:1], rtol=1e-4, atol=1e-5)


def test_scores_that_are_read_elsewhere_keep_their_mask(float32: Path) -> None:
    model = onnx.load(float32)
    scores = next(node.input[0] for node in model.graph.node if node.op_type == "Softmax")
    model.graph.node.append(onnx.helper.make_node("Relu", [scores], ["other"]))
    mask_by_keys(model)
    assert Counter(node.op_type for node in model.graph.node)["Split"] == 1


def test_an_answer_does_not_depend_on_what_else_is_in_the_batch(float32: Path, int8: Path) -> None:
    run, short, long = open_onnx(int8).run, text(4, longest=12), text(12)
    alone = run({name: array[:, :4] for name, array in short.items()})["logits"]
    together = run({name: np.concatenate([short[name], 40 * [*long[name]]]) for name in short})["logits"]
    expected = open_onnx(float32).run(short)["logits"]
    assert np.abs(together[:1] - alone).max() < 1e-3 * np.abs(expected).max()
    assert np.abs(alone - expected).max() < 0.2 * np.abs(expected).max()


def test_latency_is_measured_on_a_text_of_usual_length(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [1, *(5 + number % 3 for number in range(99))]
    examples = [Example("test", 0, str(count), " ".join(["7"] * count), 2 * count, bytes(32)) for count in words]
    measured: list[dict[str, np.ndarray]] = []
    monkeypatch.setattr(verdict, "verdict", lambda *given, example, files: measured.append(example))
    writer: Any = object.__new__(Int8Writer)
    writer.job = SimpleNamespace(
        dataset=SimpleNamespace(test=Examples.of(examples)),
        description=SimpleNamespace(preprocessing=TextPreprocessing(VOCABULARY, 12)),
        settings=SimpleNamespace(int8=None),
    )
    writer.row, writer._decision, writer._float32, writer.path = formats.find("onnx_int8"), None, Path(), Path()
    writer.refuse_over_budget({"onnx": np.ones(100, bool), "onnx_int8": np.ones(100, bool)})
    (example,) = measured
    assert {name: array.shape for name, array in example.items()} == {"input_ids": (1, 8), "attention_mask": (1, 8)}
