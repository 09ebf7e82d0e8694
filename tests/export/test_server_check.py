"""The gate `server` on good and bad SavedModels, none of which kills this process."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.described import described
from tests.export.small_saved_models import (
    CLASSES,
    DESCRIPTION,
    LABELS,
    PIXELS,
    PREPROCESSING,
    SERVE_BYTES,
    SERVE_BYTES_SAFE,
    SHAPE,
    WEIGHTS,
    answers,
    convolution,
    dense,
    golden,
    keras_convolution,
    outputs,
    sample,
    save,
)
from zoo import contract
from zoo.artifact import Gate
from zoo.contract import LOGITS
from zoo.errors import ZooError
from zoo.export.tf_serving import server_check
from zoo.export.tf_serving.load_check import INCOMPLETE, MISSING
from zoo.export.tf_serving.rules import static_gates
from zoo.export.tf_serving.server_check import check, hostile_requests
from zoo.export.tf_serving.server_loader import packed, unpacked
from zoo.export.tf_serving.warmup import FILE, write_warmup
from zoo.inputs.image import hostile
from zoo.inputs.image.client import IMAGE
from zoo.inputs.image.decoding import pixels_tensor
from zoo.inputs.image.uploads import uploaded_pixels


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("good") / "model" / "1")


@pytest.fixture
def base(good: Path, tmp_path: Path) -> Path:
    """A copy of the good SavedModel, which a test may damage."""
    return shutil.copytree(good, tmp_path / "model")


def send_hostile(patch: pytest.MonkeyPatch, *names: str) -> None:
    """Send only the hostile requests with these names."""
    patch.setattr(
        server_check, "hostile_requests", lambda *of: [one for one in hostile_requests(*of) if one.name in names]
    )


def checked(base: Path, expected: dict[str, np.ndarray], **options: Any) -> Gate:
    return check(base, expected, DESCRIPTION, sample(), **options).gate


def problems(base: Path, expected: dict[str, np.ndarray], **options: Any) -> str:
    gate = checked(base, expected, **options)
    assert gate.passed == (not gate.figures["problems"])
    return "\n".join(gate.figures["problems"])


def static_problems(base: Path) -> set[str]:
    return {gate.name for gate in static_gates(base, contract.signatures(DESCRIPTION)) if not gate.passed}


def test_a_good_model_answers_valid_requests_and_refuses_invalid_ones(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_hostile_request: None
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = {path: path.stat().st_mtime_ns for path in good.rglob("*")}
    gate = checked(good, golden())
    assert gate.passed, gate.figures
    assert {path: path.stat().st_mtime_ns for path in good.rglob("*")} == before, "nothing is changed"
    assert not list(tmp_path.iterdir()), "nothing is left behind"
    assert gate.figures["answered"] == 8 + 1 + 5 + 8 + 1 + 6
    assert 0 <= gate.figures["largest_difference"] <= 1e-5
    assert gate.figures["load_seconds"] > 0
    assert gate.figures["incomplete"].keys() == INCOMPLETE.keys()
    assert MISSING in gate.figures["incomplete"]["saved_model.pb alone"]
    refused = gate.figures["refused"]
    numbers = "serving_default image: numbers"
    assert {numbers, "serve_bytes_safe image_bytes: numbers for strings", *hostile.refused_images()} <= refused.keys()
    assert "[2] is not compatible with expected shape [?,8,8,4]" in refused[numbers]
    assert "image 1 of 1 is neither JPEG nor PNG" in refused["bytes that are no image"]
    assert "image 2 of 2 is neither JPEG nor PNG" in refused["bytes that are no image, beside a sound image"]
    assert "image 1 of 1 is 60000 by 1 pixels, more than" in refused["a PNG of 60000 by 1"]
    json.dumps(gate.figures, allow_nan=False)


def test_logits_that_differ_from_the_golden_ones(good: Path) -> None:
    assert not problems(good, golden(WEIGHTS * (1 + 1e-5)))
    assert "golden answers differ by" in problems(good, golden(WEIGHTS * (1 + 1e-3)))


def test_logits_that_are_not_finite(tmp_path: Path) -> None:
    base = save(tmp_path / "model" / "1", lambda module, pixels: outputs(dense(module, pixels)[LOGITS] * np.inf))
    assert "logits are not finite float32 [5, 3]" in problems(base, golden())


def test_xla_loads_and_fails_every_request_as_on_the_server(tmp_path: Path) -> None:
    base = save(tmp_path / "model" / "1", tf.function(dense, jit_compile=True))
    assert "'warm-up 1' was not answered: XLA compilation disabled" in problems(base, golden())


@pytest.mark.parametrize(
    ("groups", "rule", "problem"), [(1, set(), ""), (2, {"serving_no_xla"}, "XLA compilation disabled")]
)
def test_on_a_convolution_of_keras_both_verdicts_agree(
    tmp_path: Path, groups: int, rule: set[str], problem: str
) -> None:
    module, forward = keras_convolution(groups)
    base = save(tmp_path / "model" / "1", forward, module=module)
    assert static_problems(base) == rule
    found = problems(base, answers(base))
    assert problem in found if problem else not found


def test_without_a_guard_a_convolution_aborts_and_the_gate_names_the_request(tmp_path: Path) -> None:
    base = save(tmp_path / "model" / "1", convolution, guarded=False)
    assert static_problems(base) == {"serving_shape_guards"}
    found = problems(base, answers(base))
    assert "the process died of SIGABRT at 'serving_default image: a scalar'" in found
    assert "Check failed" in found


@pytest.mark.parametrize("onednn", ["0", "1"])
def test_with_a_guard_the_same_convolution_passes_an_empty_batch_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, onednn: str
) -> None:
    base = save(tmp_path / "model" / "1", convolution)
    assert not static_problems(base)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
    assert not problems(base, answers(base))


def test_an_empty_batch_that_a_network_does_not_answer_fails_the_gate(tmp_path: Path) -> None:
    base = save(tmp_path / "model" / "1", convolution, padded=False)
    assert "'an empty batch for serving_default': logits are not finite float32 [0, 3]" in problems(base, answers(base))


def test_without_a_guard_a_dense_network_answers_images_of_a_wrong_rank(tmp_path: Path) -> None:
    base = save(tmp_path / "model" / "1", guarded=False)
    assert static_problems(base) == {"serving_shape_guards"}
    assert "'serving_default image: an example without a batch' was answered, it should be refused" in problems(
        base, golden()
    )


def test_python_in_the_graph_has_no_kernel(tmp_path: Path) -> None:
    def python(module: tf.Module, pixels: Any) -> dict[str, Any]:
        logits = tf.py_function(np.negative, [dense(module, pixels)[LOGITS]], tf.float32)
        return outputs(tf.ensure_shape(logits, [None, CLASSES]))

    found = problems(save(tmp_path / "model" / "1", python), golden())
    assert "No OpKernel was registered to support Op 'EagerPyFunc'" in found


def test_a_model_that_prints_does_not_spoil_the_document(tmp_path: Path) -> None:
    def prints(module: tf.Module, pixels: Any) -> dict[str, Any]:
        tf.print("hello", output_stream=sys.stdout)
        return dense(module, pixels)

    assert not problems(save(tmp_path / "model" / "1", prints), golden())


def test_a_model_that_never_answers_is_stopped(tmp_path: Path) -> None:
    def endless(module: tf.Module, pixels: Any) -> dict[str, Any]:
        (logits,) = tf.while_loop(lambda _: tf.constant(True), lambda x: (x + 1,), (dense(module, pixels)[LOGITS],))
        return outputs(logits)

    found = problems(save(tmp_path / "model" / "1", endless), golden(), limit_seconds=3)
    assert "did not end within 3 s" in found


def test_an_image_that_takes_more_than_the_bounds_fails_the_gate(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test sets the bounds to zero, because it should not really take gigabytes."""
    send_hostile(monkeypatch, "a PNG of 60000 by 1")
    monkeypatch.setattr(server_check, "HOSTILE_BYTES", -(2**40))
    assert "'a PNG of 60000 by 1' took" in problems(good, golden())


def test_an_upload_that_is_decoded_before_it_is_checked_fails_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_hostile(monkeypatch, "a PNG of 20000 by 1")
    base = save(tmp_path / "model" / "1", uploads=unchecked)
    found = problems(base, golden())
    assert "'a PNG of 20000 by 1' was answered, it should be refused" in found
    assert "'bytes that are no image, beside a sound image, safe' was not answered" in found


def test_a_wrong_status_fails_the_gate(tmp_path: Path) -> None:
    def careless(encoded: Any) -> tuple[Any, Any]:
        pixels, status = uploaded_pixels(encoded, PREPROCESSING)
        return pixels, tf.zeros_like(status)

    found = problems(save(tmp_path / "model" / "1", uploads=careless), golden())
    assert "'bytes that are no image, beside a sound image, safe': examples [] of 2 are refused, not [1]" in found


def unchecked(encoded: Any) -> tuple[Any, Any]:
    """Decode uploads without checking them."""
    forms = tf.TensorSpec(SHAPE, tf.uint8)
    pixels = tf.map_fn(lambda one: pixels_tensor(one, PREPROCESSING), encoded, fn_output_signature=forms)
    return pixels, tf.zeros_like(encoded)


def test_another_signature_name_is_not_answered(tmp_path: Path) -> None:
    base = save(tmp_path / "model" / "1", names=("predict", SERVE_BYTES, SERVE_BYTES_SAFE))
    assert "'golden' was not answered: no signature 'serving_default'" in problems(base, golden())


def test_without_variables_it_does_not_load(base: Path) -> None:
    shutil.rmtree(base / "1" / "variables")
    assert f"does not load: assertion failed: [{MISSING}]" in problems(base, golden())


def test_a_model_that_loads_before_its_variables_are_there_is_refused(tmp_path: Path) -> None:
    found = problems(save(tmp_path / "model" / "1", checked=False), golden())
    assert found.splitlines() == [
        f"an incomplete copy ({name}) loads, and every request to it would fail"
        for name in ("saved_model.pb alone", "saved_model.pb and the data")
    ]


def test_variables_that_are_cut_short_do_not_load(base: Path) -> None:
    (shard,) = base.glob("1/variables/*.data-*")
    shard.write_bytes(shard.read_bytes()[:100])
    assert "does not load" in problems(base, golden())


def test_a_warm_up_that_does_not_fit_is_not_answered(base: Path) -> None:
    smaller = described(dataclasses.replace(PREPROCESSING, height=7), LABELS)
    write_warmup(
        base / "1", smaller, inputs={IMAGE: PIXELS[:, :7]}, raw={"image_bytes": np.array([b"no image"], object)}
    )
    found = problems(base, golden())
    assert "'warm-up 1' was not answered" in found
    assert "'warm-up 3' was not answered" in found


@pytest.mark.parametrize("missing", ["saved_model.pb", FILE])
def test_a_missing_file_is_named_without_a_process(base: Path, missing: str) -> None:
    (base / "1" / missing).unlink()
    assert "is missing" in problems(base, golden())


def test_no_folder_fails_the_gate(tmp_path: Path) -> None:
    assert "it has none" in problems(tmp_path / "nowhere", golden())


def test_golden_values_that_do_not_belong_together_are_refused(good: Path) -> None:
    expected = golden()
    wrongs: tuple[dict[str, np.ndarray], ...] = (
        {IMAGE: expected[IMAGE][:2], LOGITS: expected[LOGITS]},
        {IMAGE: expected[IMAGE].astype(np.float32), LOGITS: expected[LOGITS]},
        {IMAGE: expected[IMAGE], LOGITS: expected[LOGITS] * np.nan},
        {IMAGE: expected[IMAGE][:0], LOGITS: expected[LOGITS][:0]},
        {IMAGE: expected[IMAGE], LOGITS: expected[LOGITS][:, 0]},
        {IMAGE: expected[IMAGE], LOGITS: np.array(1, np.float32)},
    )
    for wrong in wrongs:
        with pytest.raises(ZooError, match="do not belong together"):
            checked(good, wrong)


def test_the_loader_imports_no_tensorflow() -> None:
    loader = "zoo.export.tf_serving.server_loader"
    code = f"import sys, {loader}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@given(
    st.one_of(
        arrays.arrays(st.sampled_from([np.uint8, np.float32]), arrays.array_shapes(min_dims=0, min_side=0, max_side=3)),
        arrays.arrays(object, arrays.array_shapes(min_dims=0, min_side=0, max_side=3), elements=st.binary(max_size=30)),
    )
)
def test_tensors_are_stored_without_loss(value: np.ndarray) -> None:
    again = unpacked("x", packed("x", value))
    assert again.dtype == value.dtype
    assert again.shape == value.shape
    assert again.tolist() == value.tolist() or np.issubdtype(value.dtype, np.floating)
