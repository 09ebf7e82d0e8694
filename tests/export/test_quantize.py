"""int8 and fp16 files: the nodes that become integers, the loss of accuracy, and refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper, numpy_helper

from tests.conformance import untrained_run
from tests.conftest import Answer, write_images
from zoo import artifact, factory, formats, processor
from zoo.artifact import LatencyRatio, PairedAccuracy, Target
from zoo.data.dataset import Dataset
from zoo.data.load import load
from zoo.description import Model, Part, Scale, labels_of
from zoo.errors import Refused, ZooError
from zoo.export import accuracy
from zoo.export.graph import trace
from zoo.export.int8 import calibration, options, qdq, quantize, search, verdict
from zoo.export.int8.equalization import equalizable, equalize
from zoo.export.onnx import fp16
from zoo.export.onnx.conversion import write_onnx
from zoo.export.onnx.graph_index import GraphIndex
from zoo.export.onnx.integer_kernels import NARROW, node_name, weighted_nodes
from zoo.formats.onnx import NO_OVERFLOW, inference_session, open_onnx
from zoo.inputs.image.preprocessing import pixels_from_bytes
from zoo.inputs.image.settings import ImageSettings
from zoo.inputs.table.data import reference
from zoo.intervals import paired_difference
from zoo.recipe import Recipe
from zoo.registry import families, resolve
from zoo.training.describe import describe

RNG = np.random.default_rng(0)
WIDE = NARROW + 8
START = RNG.bit_generator.state
TARGETS: tuple[Target, ...] = ("x86-vnni", "x86-avx2", "arm64", "portable")


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Give a test the same random numbers, whichever tests ran before."""
    RNG.bit_generator.state = START


def graph(nodes: list[Any], weights: dict[str, np.ndarray], features: int) -> onnx.ModelProto:
    """A model from gray images of 8 by 8 to logits: `nodes` read `x`, float32 [batch, 1, 8, 8], and give `y`."""
    weights = {
        "scale": np.array(1 / 255, np.float32),
        "last": RNG.normal(size=(features, 3)).astype(np.float32),
        "last_bias": RNG.normal(size=3).astype(np.float32),
        **weights,
    }
    made = helper.make_graph(
        [
            helper.make_node("Transpose", ["image"], ["nchw_image"], perm=[0, 3, 1, 2]),
            helper.make_node("Cast", ["nchw_image"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["floats", "scale"], ["x"]),
            *nodes,
            helper.make_node("GlobalAveragePool", ["y"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Gemm", ["flat", "last", "last_bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 8, 8, 1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("logits", "probabilities")],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def kernel(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape, scale=0.4).astype(np.float32)


def convolution(source: str, result: str, **options: Any) -> Any:
    names = [source, f"{result}_kernel", f"{result}_bias"]
    return helper.make_node("Conv", names, [result], name=result, pads=[1, 1, 1, 1], **options)


def residual(between: str = "Relu") -> onnx.ModelProto:
    """Two convolutions around `between`, a shortcut around the second, an addition and a Relu."""
    nodes = [
        convolution("x", "first"),
        helper.make_node(between, ["first"], ["active"]),
        convolution("active", "second"),
        helper.make_node("Add", ["second", "active"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["y"]),
    ]
    weights = {"first_kernel": kernel(WIDE, 1, 3, 3), "first_bias": kernel(WIDE)}
    return graph(nodes, weights | {"second_kernel": kernel(WIDE, WIDE, 3, 3), "second_bias": kernel(WIDE)}, WIDE)


def chain(between: tuple[str, ...] = ("Relu",), group: int = 1) -> onnx.ModelProto:
    """Two convolutions, the second by channel where `group` says so, with nodes between."""
    names = ["first", *(f"between{number}" for number in range(len(between)))]
    nodes = [convolution("x", "first")]
    nodes += [helper.make_node(kind, [names[number]], [names[number + 1]]) for number, kind in enumerate(between)]
    nodes += [convolution(names[-1], "y", group=group)]
    weights = {"first_kernel": kernel(WIDE, 1, 3, 3), "first_bias": kernel(WIDE)}
    return graph(nodes, weights | {"y_kernel": kernel(WIDE, WIDE // group, 3, 3), "y_bias": kernel(WIDE)}, WIDE)


def normalized_product(outlier: float = 300) -> onnx.ModelProto:
    """A normalization, a matrix product and its bias, as in transformers; one channel is an outlier."""
    nodes = [
        helper.make_node("Reshape", ["x", "rows"], ["tokens"]),
        helper.make_node("LayerNormalization", ["tokens", "gamma", "beta"], ["normal"], axis=-1),
        helper.make_node("MatMul", ["normal", "weight"], ["product"], name="product"),
        helper.make_node("Add", ["product", "bias"], ["shifted"]),
        helper.make_node("Reshape", ["shifted", "maps"], ["y"]),
    ]
    gamma = np.ones(8, np.float32)
    gamma[3] = outlier
    weight = kernel(8, 16)
    weight[3] /= outlier
    weights = {"gamma": gamma, "beta": kernel(8), "weight": weight, "bias": kernel(16)}
    weights |= {"rows": np.array([0, 8, 8]), "maps": np.array([0, 8, 16, 1])}
    return graph(nodes, weights, 8)


def normalized_convolution() -> onnx.ModelProto:
    """A normalization in NHWC and a convolution in NCHW, as in ConvNeXt."""
    nodes = [
        helper.make_node("Reshape", ["x", "maps"], ["nhwc"]),
        helper.make_node("LayerNormalization", ["nhwc", "gamma", "beta"], ["normal"], axis=-1),
        helper.make_node("Transpose", ["normal"], ["nchw"], perm=[0, 3, 1, 2]),
        convolution("nchw", "y"),
    ]
    gamma = np.linspace(1, 300, 8).astype(np.float32)
    weights = {"gamma": gamma, "beta": kernel(8), "y_kernel": kernel(WIDE, 8, 3, 3), "y_bias": kernel(WIDE)}
    return graph(nodes, weights | {"maps": np.array([0, 4, 2, 8])}, WIDE)


def random_images(count: int = 64) -> np.ndarray:
    return RNG.integers(0, 256, (count, 8, 8, 1), np.uint8)


def logits(model: onnx.ModelProto, images: np.ndarray, path: Path | None = None) -> np.ndarray:
    """The logits by onnxruntime, which writes the graph as it fuses it to `path`."""
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry(NO_OVERFLOW, "1")
    if path:
        options.optimized_model_filepath = str(path)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"image": images})[0])


def calibrated(
    model: onnx.ModelProto, images: np.ndarray, method: calibration.Method = "minmax"
) -> dict[str, qdq.Range]:
    names = qdq.to_calibrate(GraphIndex(model))
    return {name: one.range(method) for name, one in calibration.collect(model, names, [{"image": images}]).items()}


def error(got: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(((got - expected) ** 2).mean()) / expected.std())


def fused(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_a_residual_block_is_computed_on_integers_from_end_to_end(tmp_path: Path) -> None:
    model, images = residual(), random_images()
    made = qdq.quantized(model, calibrated(model, images), options.this_machine())
    assert error(logits(made, images, tmp_path / "fused.onnx"), logits(model, images)) < 0.1
    nodes = fused(tmp_path / "fused.onnx")
    assert nodes["QLinearConv"] == 2
    assert nodes["QLinearAdd"] == nodes["QLinearGlobalAveragePool"] == nodes["QGemm"] == 1
    assert nodes["QuantizeLinear"] == 1, "of the image"
    assert not nodes["DequantizeLinear"]
    assert not nodes["Conv"]
    assert not nodes["Relu"]


def test_a_matrix_product_is_computed_on_integers_and_returns_float32(tmp_path: Path) -> None:
    model, images = normalized_product(), random_images()
    made = qdq.quantized(model, calibrated(model, images), options.this_machine())
    logits(made, images, tmp_path / "fused.onnx")
    assert fused(tmp_path / "fused.onnx")["MatMulIntegerToFloat"] == 1


def test_narrow_convolutions_before_all_others_stay_in_float32() -> None:
    narrow = NARROW
    nodes = [
        convolution("x", "first"),
        helper.make_node("HardSwish", ["first"], ["active"]),
        convolution("active", "wide"),
        helper.make_node("HardSwish", ["wide"], ["active_wide"]),
        convolution("active_wide", "y"),
    ]
    weights = {"first_kernel": kernel(narrow, 1, 3, 3), "wide_kernel": kernel(WIDE, narrow, 3, 3)}
    weights |= {"first_bias": kernel(narrow), "wide_bias": kernel(WIDE), "y_bias": kernel(narrow)}
    model = graph(nodes, weights | {"y_kernel": kernel(narrow, WIDE, 3, 3)}, narrow)
    images = random_images()
    assert [node_name(node) for node in weighted_nodes(GraphIndex(model))] == ["wide", "y", "logits"]
    assert qdq.integer_activations(GraphIndex(model)) == ["active_wide"]
    made = qdq.quantized(model, calibrated(model, images), "portable")
    assert made.graph.node[3] == model.graph.node[3]
    assert error(logits(made, images), logits(model, images)) < 0.15


def test_named_nodes_stay_in_float32() -> None:
    model, images = residual(), random_images()
    found = calibrated(model, images)
    every = frozenset(node_name(node) for node in weighted_nodes(GraphIndex(model)))
    assert every == {"first", "second", "logits"}
    untouched = qdq.quantized(model, found, "portable", float32_nodes=every)
    assert not [node for node in untouched.graph.node if node.op_type.endswith("Linear")]
    np.testing.assert_array_equal(logits(untouched, images), logits(model, images))
    errors = [
        error(
            logits(qdq.quantized(model, found, "portable", float32_nodes=frozenset(kept)), images),
            logits(model, images),
        )
        for kept in ((), ("first", "second"))
    ]
    assert errors[1] < errors[0]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("make", [residual, chain, lambda: normalized_product(1)])
def test_types_follow_the_target(make: Callable[[], onnx.ModelProto], target: Target) -> None:
    model, images = make(), random_images()
    made = qdq.quantized(model, calibrated(model, images), target)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    types = qdq.TYPES[target]
    kernels = [value for name, value in stored.items() if name.endswith("_quantized") and value.dtype == np.int8]
    assert kernels
    assert max(np.abs(value.astype(int)).max() for value in kernels) == types.weight
    zeros = {stored[node.input[2]].dtype for node in made.graph.node if node.op_type == "QuantizeLinear"}
    assert zeros == {np.dtype(types.activation)}
    assert error(logits(made, images), logits(model, images)) < 0.3


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("make", [residual, chain, lambda: normalized_product(1)])
def test_a_file_for_another_processor_answers_alike_here(
    make: Callable[[], onnx.ModelProto], target: Target, tmp_path: Path
) -> None:
    model, images = make(), random_images()
    onnx.save(qdq.quantized(model, calibrated(model, images), target), tmp_path / "int8.onnx")
    assert error(open_onnx(tmp_path / "int8.onnx").run({"image": images})["logits"], logits(model, images)) < 0.3


@pytest.mark.parametrize("negative", [True, False])
def test_concatenated_maps_share_a_range_unless_a_relu_needs_its_own(negative: bool, tmp_path: Path) -> None:
    nodes = [
        convolution("x", "first"),
        helper.make_node("Relu", ["first"], ["one"]),
        convolution("x", "second"),
        *([] if negative else [helper.make_node("Relu", ["second"], ["other"])]),
        helper.make_node("Concat", ["one", "second" if negative else "other"], ["y"], axis=1),
    ]
    weights = {
        f"{name}_{part}": kernel(*shape)
        for name in ("first", "second")
        for part, shape in (("kernel", (WIDE, 1, 3, 3)), ("bias", (WIDE,)))
    }
    model, images = graph(nodes, weights, 2 * WIDE), random_images()
    made = qdq.quantized(model, calibrated(model, images), options.this_machine())
    assert error(logits(made, images, tmp_path / "fused.onnx"), logits(model, images)) < 0.1
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    assert bool(stored["one_scale"] == stored["y_scale"]) != negative
    assert fused(tmp_path / "fused.onnx")["QLinearConcat"] == 1


def test_a_channel_scale_is_averaged_on_integers(tmp_path: Path) -> None:
    nodes = [
        convolution("x", "first"),
        helper.make_node("HardSwish", ["first"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Conv", ["pooled", "scale_kernel", "scale_bias"], ["raw"], name="raw"),
        helper.make_node("HardSigmoid", ["raw"], ["channel_scale"], alpha=1 / 6, beta=0.5),
        helper.make_node("Mul", ["map", "channel_scale"], ["scaled"]),
        convolution("scaled", "y"),
    ]
    weights = {
        "first_kernel": kernel(WIDE, 1, 3, 3),
        "first_bias": kernel(WIDE),
        "scale_kernel": kernel(WIDE, WIDE, 1, 1),
    }
    weights |= {"scale_bias": kernel(WIDE), "y_kernel": kernel(WIDE, WIDE, 3, 3), "y_bias": kernel(WIDE)}
    model, images = graph(nodes, weights, WIDE), random_images()
    made = qdq.quantized(model, calibrated(model, images), options.this_machine())
    assert error(logits(made, images, tmp_path / "fused.onnx"), logits(model, images)) < 0.15
    nodes_fused = fused(tmp_path / "fused.onnx")
    assert nodes_fused["QLinearGlobalAveragePool"] == 2, nodes_fused
    assert nodes_fused["QLinearConv"] == 3
    assert nodes_fused["QLinearMul"] == 2, nodes_fused
    assert nodes_fused["QuantizeLinear"] == 1, "of the image"
    assert not nodes_fused["DequantizeLinear"]
    kept = qdq.quantized(model, calibrated(model, images), options.this_machine(), float32_nodes=frozenset({"first"}))
    assert error(logits(kept, images, tmp_path / "kept.onnx"), logits(model, images)) < 0.15
    assert fused(tmp_path / "kept.onnx")["QLinearGlobalAveragePool"] == 2


@pytest.mark.parametrize("kind", ["HardSwish", "HardSigmoid", "Sigmoid"])
@pytest.mark.parametrize("target", TARGETS)
def test_hard_activations_and_sigmoids_are_computed_on_integers(kind: str, target: Target) -> None:
    options: dict[str, Any] = {"alpha": 1 / 6, "beta": 0.5} if kind == "HardSigmoid" else {}
    nodes = [
        convolution("x", "first"),
        helper.make_node(kind, ["first"], ["activated"], **options),
        convolution("activated", "y"),
    ]
    weights = {"first_kernel": 6 * kernel(WIDE, 1, 3, 3), "first_bias": kernel(WIDE)}
    model, images = (
        graph(nodes, weights | {"y_kernel": kernel(WIDE, WIDE, 3, 3), "y_bias": kernel(WIDE)}, WIDE),
        random_images(),
    )
    made = qdq.quantized(model, calibrated(model, images), target)
    assert error(logits(made, images), logits(model, images)) < 0.15


def test_another_hard_sigmoid_stays_in_float32() -> None:
    nodes = [
        convolution("x", "first"),
        helper.make_node("HardSigmoid", ["first"], ["activated"], alpha=0.2, beta=0.5),
        convolution("activated", "y"),
    ]
    weights = {"first_kernel": kernel(WIDE, 1, 3, 3), "first_bias": kernel(WIDE)}
    model, images = (
        graph(nodes, weights | {"y_kernel": kernel(WIDE, WIDE, 3, 3), "y_bias": kernel(WIDE)}, WIDE),
        random_images(),
    )
    made = qdq.quantized(model, calibrated(model, images), "portable")
    assert [node.op_type for node in made.graph.node].count("HardSigmoid") == 1
    assert error(logits(made, images), logits(model, images)) < 0.15


def test_a_bias_that_dwarfs_its_weights_still_fits_into_32_bits() -> None:
    model, images = residual(), random_images()
    for tensor in model.graph.initializer:
        if tensor.name == "first_kernel":
            values = numpy_helper.to_array(tensor).copy()
            values[2] = 1e-12
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    made = qdq.quantized(model, calibrated(model, images), "portable")
    assert error(logits(made, images), logits(model, images)) < 0.2


@settings(max_examples=30)
@given(
    arrays.arrays(np.float32, (3, 50), elements=st.floats(-1e4, 1e4, width=32)),
    arrays.arrays(np.float32, (2, 50), elements=st.floats(-1e6, 1e6, width=32)),
)
def test_a_histogram_holds_every_value_in_whatever_order(first: np.ndarray, second: np.ndarray) -> None:
    one, other = calibration.Histogram(), calibration.Histogram()
    for histogram, parts in ((one, (first, second)), (other, (second, first))):
        for part in parts:
            histogram.add(part)
    both = np.concatenate([first, second])
    for histogram in (one, other):
        assert histogram.counts.sum() in (both.size, first.size, second.size)
        assert histogram.range("minmax") == (min(0, both.min()), max(0, both.max()))
        low, high = histogram.range("percentile")
        assert histogram.low <= low <= 0 <= high <= histogram.high


def test_a_percentile_leaves_out_what_is_rare() -> None:
    histogram = calibration.Histogram()
    values = RNG.normal(size=(100, 10_000)).astype(np.float32)
    values[0, 0] = 1000
    histogram.add(values)
    low, high = histogram.range("percentile")
    assert histogram.range("minmax")[1] == 1000
    assert -5 < low < -3
    assert 3 < high < 5


def test_values_of_every_channel_are_counted() -> None:
    histogram = calibration.Histogram()
    channels = np.arange(384, dtype=np.float32)
    histogram.add(np.tile(channels, (1, 3 * calibration.SAMPLES // 384, 1)))
    assert (histogram.counts > 0).sum() == len(channels)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ZooError, match="not finite"):
        calibration.Histogram().add(np.array([[1.0, np.nan]], np.float32))


def test_tensors_are_collected_in_groups_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = residual(), random_images(20)
    whole = calibrated(model, images)
    monkeypatch.setattr(calibration, "MOST_BYTES", 5000)
    for name, one in calibrated(model, images).items():
        assert one == pytest.approx(whole[name], abs=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        chain,
        lambda: chain(("Relu", "Relu")),
        lambda: chain(group=WIDE),
        normalized_product,
        normalized_convolution,
    ],
)
def test_equalization_changes_no_answer(make: Callable[[], onnx.ModelProto]) -> None:
    model, images = make(), random_images()
    before, index = logits(model, images), GraphIndex(model)
    axes = {it.tensor: it.axis for it in equalizable(index)}
    assert len(axes) == 1
    maxima = calibration.channel_maxima(model, axes, [{"image": images}])
    assert equalize(index, maxima) == 1
    np.testing.assert_allclose(logits(model, images), before, rtol=1e-3, atol=1e-4)
    (after,) = calibration.channel_maxima(model, axes, [{"image": images}]).values()
    (tensor,) = maxima
    alive = maxima[tensor] > 0
    assert np.ptp(np.log(after[alive])) < np.ptp(np.log(maxima[tensor][alive]))


def test_activations_with_other_readers_or_a_hard_swish_between_are_not_equalized() -> None:
    assert [it.tensor for it in equalizable(GraphIndex(residual()))] == []
    assert [it.tensor for it in equalizable(GraphIndex(chain(("HardSwish",))))] == []


def test_an_outlier_of_a_normalization_goes_into_the_product() -> None:
    model, images = normalized_product(), random_images()
    expected = logits(model, images)
    before = error(logits(qdq.quantized(model, calibrated(model, images), "portable"), images), expected)
    index = GraphIndex(model)
    equalize(
        index, calibration.channel_maxima(model, {it.tensor: it.axis for it in equalizable(index)}, [{"image": images}])
    )
    after = error(logits(qdq.quantized(model, calibrated(model, images), "portable"), images), expected)
    assert after < before / 3


def test_fp16_takes_uint8_and_returns_float32(tmp_path: Path) -> None:
    for number, model in enumerate((residual(), normalized_product())):
        source, target = tmp_path / f"{number}.onnx", tmp_path / f"{number}.fp16.onnx"
        onnx.save(model, source)
        fp16.write_fp16(source, target)
        made, images = onnx.load(target), random_images()
        assert error(logits(made, images), logits(model, images)) < 1e-2
        floats = [tensor.name for tensor in made.graph.initializer if tensor.data_type == TensorProto.FLOAT]
        assert not floats


def test_a_weight_that_half_precision_cannot_hold_is_refused(tmp_path: Path) -> None:
    model = residual()
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array(1e5, np.float32), "scale"))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(Refused, match="scale has values above 65504"):
        fp16.write_fp16(tmp_path / "model.onnx", tmp_path / "half.onnx")
    assert not (tmp_path / "half.onnx").exists()


@pytest.mark.parametrize(
    ("lost", "gained", "total"), [(0, 0, 1), (5, 5, 100), (30, 10, 1000), (1, 0, 10_000), (7, 0, 7)]
)
def test_a_paired_difference_lies_in_its_interval(lost: int, gained: int, total: int) -> None:
    share, low, high = paired_difference(lost, gained, total)
    assert share == (lost - gained) / total
    assert -1 <= low <= share <= high <= 1
    assert paired_difference(gained, lost, total) == pytest.approx((-share, -high, -low))


def test_a_paired_interval_holds_the_difference_as_often_as_it_says() -> None:
    draws = RNG.multinomial(400, [0.05, 0.02, 0.93], 2000)
    held = [low <= 0.03 <= high for _, low, high in (paired_difference(int(a), int(b), 400) for a, b, _ in draws)]
    assert np.mean(held) > 0.93


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("x86", 0.5, 10, False), "there is no target 'x86'"),
        ((None, -0.1, 10, False), "--max-drop -0.1"),
        ((None, float("nan"), 10, False), "--max-drop nan"),
        ((None, 0.5, 0, False), "--calibration-examples 0"),
    ],
)
def test_a_request_out_of_range_is_refused(arguments: tuple[Any, ...], part: str) -> None:
    with pytest.raises(ZooError, match=part):
        options.int8_options(*arguments)


@pytest.fixture(scope="module")
def made(digits_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a folder with a trained run and the artifact of its float32 file."""
    return Path(shutil.copytree(digits_made, tmp_path_factory.mktemp("made") / "digits"))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", "image", split=Recipe().split)


def decided(model: Path, place: Path, data: Dataset, said: list[str], **changes: Any) -> artifact.Int8:
    asked = dataclasses.replace(options.Int8Options("portable", calibration_examples=100, force=True), **changes)
    description = artifact.read(model.parent.parent).model
    place.mkdir(exist_ok=True)
    int8 = place / "int8.onnx"
    decision = quantize.write_int8(
        model, int8, asked, description=description, dataset=data, cache=place, say=said.append
    )
    float32_right, int8_right = (
        accuracy.right(
            accuracy.primary_outputs(open_onnx(path).run, data.test, description, 32), data.test, description
        )
        for path in (model, int8)
    )
    example = {"image": np.zeros((1, *description.preprocessing.shape), np.uint8)}
    return verdict.verdict(decision, asked, float32_right, int8_right, files=(model, int8), example=example)


def test_int8_of_a_trained_network_is_measured_in_pairs_and_calibrated_once(
    made: Path, digits: Dataset, tmp_path: Path
) -> None:
    model = made / "artifacts/cnn-small-digits" / formats.find("onnx").path
    said: list[str] = []
    first = decided(model, tmp_path / "int8", digits, said)
    assert first.test.examples == len(digits.test)
    assert first.test.low <= first.test.drop <= first.test.high
    assert first.test.drop == pytest.approx(100 * (first.test.float32 - first.test.int8))
    assert first.test.float32 == artifact.read(model.parent.parent).score["onnx"].value
    assert first.speed is not None
    assert any("calibrating" in line for line in said)
    said.clear()
    second = decided(model, tmp_path / "int8", digits, said, max_drop=3)
    assert any("calibrated before" in line for line in said)
    assert second.test == first.test
    # A cache that is damaged is made again.
    for path in (tmp_path / "int8").glob("calibration-*"):
        path.write_bytes(b"damaged")
    said.clear()
    assert decided(model, tmp_path / "int8", digits, said, max_drop=3).test == first.test
    assert any("calibrating" in line for line in said)


@pytest.mark.parametrize("seen_through", [True, False])
def test_a_network_made_to_collapse_is_repaired_or_refused(
    seen_through: bool, made: Path, digits: Dataset, tmp_path: Path
) -> None:
    source = made / "artifacts/cnn-small-digits"
    shutil.copytree(source, tmp_path / "artifact")
    path = tmp_path / "artifact" / formats.find("onnx").path
    model = onnx.load(path)
    first, second = [node for node in model.graph.node if node.op_type == "Conv"]
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, place, factor in (
        (first.input[1], 0, 1000),
        (first.input[2], 0, 1000),
        (second.input[1], (slice(None), 0), 1e-3),
    ):
        values = numpy_helper.to_array(weights[name]).copy()
        values[place] *= factor
        weights[name].CopyFrom(numpy_helper.from_array(values, name))
    if not seen_through:
        # The same function, by a node that no factor is moved through.
        relu = next(node for node in model.graph.node if node.op_type == "Relu" and node.input[0] == first.output[0])
        place = list(model.graph.node).index(relu) + 1
        model.graph.node.insert(place, helper.make_node("Abs", ["relu_only"], [relu.output[0]]))
        relu.output[0] = "relu_only"
    onnx.save(model, path)
    preprocessing = artifact.read(source).model.preprocessing
    pixels = np.stack([pixels_from_bytes(digits.train.read(number), preprocessing) for number in range(64)])
    collapsed = qdq.quantized(model, calibrated(model, pixels), "portable")
    assert error(logits(collapsed, pixels), logits(onnx.load(source / formats.find("onnx").path), pixels)) > 0.3
    said: list[str] = []
    got = decided(path, tmp_path / "int8", digits, said)
    assert got.validation.drop <= got.max_drop, said
    assert got.test.drop <= got.max_drop or any("loses" in reason for reason in got.forced)
    assert bool(got.kept) != seen_through
    if got.kept:
        assert {one.node for one in got.kept} & {first.name, second.name}
        assert got.kept[0].cost > 0.1


def test_a_node_that_moves_the_answers_too_far_stays_in_float32_whatever_the_accuracy() -> None:
    class Attempts:
        nodes, activations = tuple("abcd"), ()

        def run(self, chosen: object, float32_nodes: Collection[str] = ()) -> Any:
            return float32_nodes

        def apart(self, run: Collection[str]) -> float:
            return 0.05 if "c" in run else 0.9

        def error(self, chosen: object, float32_nodes: Collection[str]) -> float:
            return 0.5 if "c" not in float32_nodes else 0.1

    class Validation:
        def paired(self, run: object) -> PairedAccuracy:
            return PairedAccuracy("validation", 10, 1.0, 1.0, 0, 0, 0.0, -1.0, 1.0)

    said: list[str] = []
    kept, _ = search.within_budget(Attempts(), {}, Validation(), 0.5, said.append)  # type: ignore[arg-type]
    assert kept == {"c": 0.5}
    assert "answers differ by up to 0.90" in said[0]


def echo(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Stand for a file whose answers are the batch itself."""
    return dict(batch)


def test_an_error_in_one_target_counts_beside_larger_numbers_of_another() -> None:
    targets = (Part("color", "classes", ("red", "blue")), Part("age", "values", ("age",)))
    scales = (Scale(0.0, 1.0), Scale(0.0, 1.0), Scale(30.0, 20.0))
    labels = labels_of(targets)
    model = Model("mlp", "small", labels, reference((2,)), 0, 0, task="several", scales=scales, parts=targets)
    colors, ages = (30 * RNG.normal(size=(40, 2))).astype(np.float32), RNG.normal(30, 20, (40, 1)).astype(np.float32)
    outputs = {"color_logits": colors, "color_probabilities": colors, "age_values": ages}
    expected = search.primary_rows(echo, [outputs], model)
    assert expected.shape == (40, 3)
    # Beside logits of 30 and more, 8 times the usual size of a value is little.
    found = search.primary_rows(echo, [{**outputs, "age_values": ages + 8 * 50}], model)
    assert search.largest_difference(found, expected, model) > 2 > search.APART
    assert search.rms_error(found, expected, model) > 10
    found = search.primary_rows(echo, [{**outputs, "color_logits": colors + 1}], model)
    assert search.largest_difference(found, expected, model) < search.APART
    found = search.primary_rows(echo, [{**outputs, "age_values": np.full_like(ages, np.nan)}], model)
    assert search.rms_error(found, expected, model) == search.largest_difference(found, expected, model) == np.inf


def test_the_error_of_huge_values_is_that_of_small_ones() -> None:
    model = Model("mlp", "small", ("mass",), reference((2,)), 0, 0, task="values", scales=(Scale(0.0, 1.0),))
    float32 = RNG.normal(size=(40, 1)).astype(np.float32)
    int8 = float32 + np.float32(0.1) * RNG.normal(size=(40, 1)).astype(np.float32)
    errors = []
    for factor in (1, 1e30):
        expected, found = (
            search.primary_rows(echo, [{"values": values * np.float32(factor)}], model) for values in (float32, int8)
        )
        errors.append((search.rms_error(found, expected, model), search.largest_difference(found, expected, model)))
    np.testing.assert_allclose(errors[1], errors[0], rtol=1e-4)
    assert 0.05 < errors[0][0] < 0.2


def test_reasons_against_int8_have_both_figures() -> None:
    asked = options.Int8Options("portable", max_drop=0.5)
    lossy = PairedAccuracy("test", 200, float32=0.9, int8=0.85, lost=12, gained=2, drop=5.0, low=1.5, high=8.5)
    fine = dataclasses.replace(lossy, int8=0.9, lost=2, drop=0.0, low=-2.0, high=2.0)
    slow = LatencyRatio(float32_ms=1.0, int8_ms=1.2, ratio=1.2, low=1.1, high=1.3, rounds=50)
    fast = dataclasses.replace(slow, int8_ms=0.5, ratio=0.5, low=0.4, high=0.6)
    assert list(verdict.reasons_against(asked, fine, fine, fast)) == []
    assert list(verdict.reasons_against(asked, fine, fine, None)) == []
    (lost,) = verdict.reasons_against(asked, fine, lossy, fast)
    assert "5.00" in lost
    assert "0.5" in lost
    (late,) = verdict.reasons_against(asked, fine, fine, slow)
    assert "1.2" in late


def test_integer_products_are_exact_and_slow_kernels_are_taken_only_without_vnni(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.full((4, 64), 255, np.uint8)
    weights = np.full((64, 16), 127, np.int8)
    # Zero points, as all quantizers write them: onnxruntime 1.25 to 1.29 abort without, where they avoid overflow.
    zeros = [numpy_helper.from_array(np.zeros((), dtype), name) for dtype, name in ((np.uint8, "z"), (np.int8, "w"))]
    nodes = [helper.make_node("MatMulInteger", ["values", "weights", "z", "w"], ["products"])]
    inputs = [helper.make_tensor_value_info("values", onnx.TensorProto.UINT8, ["batch", 64])]
    outputs = [helper.make_tensor_value_info("products", onnx.TensorProto.INT32, ["batch", 16])]
    body = helper.make_graph(nodes, "product", inputs, outputs, [numpy_helper.from_array(weights, "weights"), *zeros])
    content = helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
    (products,) = inference_session(content).run(None, {"values": values})
    assert (products == 64 * 255 * 127).all(), "sums of two products exceed 16 bits"

    for known, entry in ((["avx2"], "1"), (["avx2", "avx_vnni"], "0"), (["avx512_vnni"], "0")):
        monkeypatch.setattr(processor, "has_vnni", lambda known=known: bool(processor.VNNI & {*known}))
        chosen = inference_session(content).get_session_options()
        assert chosen.get_session_config_entry(NO_OVERFLOW) == entry, known


def test_export_verify_predict_and_measure_from_the_command_line(
    made: Path, tmp_path: Path, zoo_command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made / "runs", tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    exported = zoo_command("export", "--onnx", "--int8", "--fp16", "--force", "--target", "x86-vnni", "--json")
    assert exported.status == 0, exported.err
    manifest = json.loads(exported.out)
    assert manifest["formats"] == ["onnx", "onnx_fp16", "onnx_int8"]
    assert set(manifest["score"]) == set(manifest["formats"])
    assert manifest["int8"]["target"] == "x86-vnni"
    assert manifest["score"]["onnx_int8"]["value"] == manifest["int8"]["test"]["int8"]
    card = Path("artifacts/cnn-small-digits/README.md").read_text()
    assert "int8, for x86-vnni" in card
    assert NO_OVERFLOW in card, "clients on other processors need it"
    verified = zoo_command("verify", "--json")
    assert verified.status == 0, verified.err
    gates = {gate["name"] for gate in json.loads(verified.out)["gates"]}
    assert {"onnx_golden", "onnx_int8_golden", "onnx_fp16_golden", "onnx_int8_golden_file"} <= gates
    image = next(write_images(tmp_path / "images", classes=1, each=1).rglob("*.png"))
    answers = [zoo_command("predict", image, "--runtime", kind, "--json") for kind in manifest["formats"]]
    assert [answer.status for answer in answers] == [0, 0, 0], answers[-1].err
    measured = zoo_command("benchmark", "--batch", 1, "--threads", 1, "--seconds", 0.01, "--json")
    assert {row["runtime"] for row in json.loads(measured.out)["rows"]} == set(manifest["formats"])

    file = Path("artifacts/cnn-small-digits") / formats.find("onnx_int8").path
    model = onnx.load(file)
    last = next(node for node in model.graph.node if "logits" in node.output)
    scale = next(
        tensor
        for tensor in model.graph.initializer
        for node in model.graph.node
        if node.output[0] == last.input[1] and tensor.name == node.input[1]
    )
    scale.CopyFrom(numpy_helper.from_array(1.5 * numpy_helper.to_array(scale), scale.name))
    onnx.save(model, file)
    artifact.write(file.parent.parent, artifact.read(file.parent.parent))
    refused = zoo_command("verify")
    assert refused.status == 1
    assert "onnx_int8_golden" in refused.err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--int8", "--max-drop", "-1"], "--max-drop -1"),
        (["--int8", "--target", "x86-vnnni"], "did you mean 'x86-vnni'"),
        (["--int8", "--calibration-examples", "0"], "--calibration-examples 0"),
        (["--max-drop", "1"], "add --int8"),
        (["--force"], "add --int8"),
    ],
)
def test_wrong_requests_end_in_one_line(
    arguments: list[str], part: str, made: Path, zoo_command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    before = sorted(made.rglob("*"))
    answer = zoo_command("export", *arguments)
    assert answer.status == 2
    assert part in answer.err
    assert len([line for line in answer.err.splitlines() if line.startswith("zoo: ")]) == 1
    assert sorted(made.rglob("*")) == before


@pytest.mark.full
@pytest.mark.parametrize("family", ["resnet", "mobilenet", "efficientnet", "inception", "convnext", "vit"])
def test_every_family_has_integers_where_its_work_is(family: str, images_folder: Path, tmp_path: Path) -> None:
    dataset = load(f"folder:{images_folder}", "image", split=Recipe().split)
    description = describe(*resolve(family, "small"), dataset, Recipe(input=ImageSettings()))
    write_onnx(trace(factory.build(description), description), tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    images = RNG.integers(0, 256, (4, *description.preprocessing.shape), np.uint8)
    made = qdq.quantized(model, calibrated(model, images), "x86-vnni")
    logits(made, images, tmp_path / "fused.onnx")
    nodes = fused(tmp_path / "fused.onnx")
    integer = nodes["QLinearConv"] + nodes["MatMulIntegerToFloat"] + nodes["QGemm"]
    weighted = list(weighted_nodes(GraphIndex(model)))
    assert integer == len(weighted)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert nodes["Conv"] == len([node for node in convolutions if node not in weighted])
    assert (nodes["Conv"] > 0) == (family == "mobilenet")


@pytest.mark.parametrize("family", [name for name, family in families().items() if family.no_int8])
def test_a_family_that_int8_does_not_pay_for_is_refused_with_the_figure(family: str) -> None:
    description = Model(family, "small", ("a", "b"), reference((3,)), 0, 0)
    asked = options.Int8Options("portable")
    with pytest.raises(ZooError, match=rf"not worth it for {family}: .*\d.*--force"):
        options.refuse_useless(description, asked)
    options.refuse_useless(description, dataclasses.replace(asked, force=True))


def test_int8_of_a_table_is_refused_before_work_starts(
    tmp_path: Path, images_folder: Path, zoo_command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = untrained_run(tmp_path / "run", images_folder, "linear", "small", side=10)
    monkeypatch.setattr(factory, "load_described", None)
    before = sorted(tmp_path.rglob("*"))
    answer = zoo_command("export", place, "--int8", "--out", tmp_path / "artifact")
    assert answer.status == 2
    assert "int8 is not worth it for linear" in answer.err
    assert sorted(tmp_path.rglob("*")) == before


@given(st.integers(0, 70), st.integers(1, 80))
def test_the_fewest_are_found_in_few_attempts(most: int, needed: int) -> None:
    tried: list[int] = []

    def attempt(count: int) -> int | None:
        tried.append(count)
        return count if count >= needed else None

    assert search.fewest(most, attempt) == (needed if needed <= most else None)
    assert all(1 <= count <= most for count in tried)
    assert len(tried) <= 2 * max(1, most).bit_length() + 1
