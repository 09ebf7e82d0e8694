"""The warm-up file: requests are read back as they were written, and files that TF Serving refuses are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tests.described import described
from zoo.contract import CLASSIFY, EXAMPLES, SERVE, SERVE_LABELS
from zoo.errors import ZooError
from zoo.export.tf_serving.warmup import FILE, read_warmup, write_warmup
from zoo.inputs.image.client import IMAGE, IMAGE_BYTES
from zoo.inputs.image.preprocessing import Preprocessing

PIXELS = np.arange(2 * 3 * 4 * 1, dtype=np.uint8).reshape(2, 3, 4, 1)
ENCODED = [b"first\0\0", b""]
SERVE_BYTES, SERVE_BYTES_SAFE = "serve_bytes", "serve_bytes_safe"


def write(version: Path, pixels: np.ndarray = PIXELS, encoded: list[bytes] = ENCODED) -> int:
    """Write the warm-up of a network for images of 3 by 4 pixels, or those of `pixels` where they have such a shape."""
    height, width, channels = pixels.shape[1:] if pixels.ndim == 4 else PIXELS.shape[1:]
    description = described(Preprocessing(height, width, channels, (0.5,) * channels, (0.5,) * channels))
    return write_warmup(version, description, inputs={IMAGE: pixels}, raw={IMAGE_BYTES: np.array(encoded, object)})


@pytest.fixture
def version(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def write_records(version: Path, records: list[bytes]) -> None:
    with tf.io.TFRecordWriter(str(version / FILE)) as writer:
        for record in records:
            writer.write(record)


def predict_request() -> PredictRequest:
    request = PredictRequest()
    request.model_spec.signature_name = SERVE
    request.inputs[IMAGE].CopyFrom(tf.make_tensor_proto(PIXELS))
    return request


def predict_log() -> PredictionLog:
    log = PredictionLog()
    log.predict_log.request.CopyFrom(predict_request())
    return log


def test_a_request_for_each_signature_and_with_all_images_for_logits(version: Path) -> None:
    requests = read_warmup(version)
    assert [(name, list(inputs)) for name, inputs in requests] == [
        *[(SERVE, [IMAGE])] * 2, *[(SERVE_BYTES, [IMAGE_BYTES])] * 2, *[(SERVE_BYTES_SAFE, [IMAGE_BYTES])] * 2,
        (SERVE_LABELS, [IMAGE_BYTES]),
        (CLASSIFY, [EXAMPLES]),
    ]  # fmt: skip
    example = tf.train.Example.FromString(requests[-1][1][EXAMPLES][0])
    assert example.features.feature[IMAGE_BYTES].bytes_list.value == ENCODED[:1]
    uploads = (ENCODED[:1], ENCODED)
    for (_, inputs), wanted in zip(requests, (PIXELS[:1], PIXELS, *uploads, *uploads, ENCODED[:1]), strict=False):
        (value,) = inputs.values()
        assert value.dtype == (object if isinstance(wanted, list) else np.uint8)
        assert value.tolist() == np.array(wanted, value.dtype).tolist()


def test_one_image_is_one_request_a_signature(tmp_path: Path) -> None:
    assert write(tmp_path, PIXELS[:1], ENCODED[:1]) == 5
    assert len(read_warmup(tmp_path)) == 5


@settings(max_examples=25, deadline=None)
@given(
    pixels=arrays.arrays(np.uint8, arrays.array_shapes(min_dims=4, max_dims=4, max_side=4)),
    encoded=st.lists(st.binary(max_size=40), min_size=1, max_size=4),
)
def test_requests_are_read_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray, encoded: list[bytes]
) -> None:
    version = tmp_path_factory.mktemp("version")
    count = write(version, pixels, encoded)
    requests = read_warmup(version)
    assert len(requests) == count
    largest = dict(requests)
    np.testing.assert_array_equal(largest[SERVE][IMAGE], pixels)
    assert largest[SERVE_BYTES][IMAGE_BYTES].tolist() == encoded


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_refused(version: Path, share: float) -> None:
    content = (version / FILE).read_bytes()
    (version / FILE).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ZooError, match="cut short"):
        read_warmup(version)


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_bytes_of_any_kind_are_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    version = tmp_path_factory.mktemp("version")
    (version / "assets.extra").mkdir()
    (version / FILE).write_bytes(content)
    with pytest.raises(ZooError, match=r"^[^\n]+: export again$"):
        read_warmup(version)


def test_gzip_is_refused(version: Path) -> None:
    (version / FILE).write_bytes(gzip.compress((version / FILE).read_bytes()))
    with pytest.raises(ZooError, match="not an uncompressed TFRecord"):
        read_warmup(version)


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="is missing"):
        read_warmup(tmp_path)


@pytest.mark.parametrize(("count", "message"), [(0, "has no record"), (1001, "more than 1000 records")])
def test_numbers_of_records_outside_1_to_1000_are_refused(version: Path, count: int, message: str) -> None:
    write_records(version, [predict_log().SerializeToString()] * count)
    with pytest.raises(ZooError, match=message):
        read_warmup(version)


def test_1000_records_are_read(version: Path) -> None:
    write_records(version, [predict_log().SerializeToString()] * 1000)
    assert len(read_warmup(version)) == 1000


def a_classify_log() -> bytes:
    log = PredictionLog()
    log.classify_log.request.CopyFrom(ClassificationRequest())
    return log.SerializeToString()


def a_request_without_inputs() -> bytes:
    log = predict_log()
    log.predict_log.request.inputs.clear()
    return log.SerializeToString()


def a_tensor_of_an_unknown_type() -> bytes:
    log = predict_log()
    log.predict_log.request.inputs[IMAGE].dtype = 0
    return log.SerializeToString()


def a_tensor_of_another_length() -> bytes:
    log = predict_log()
    log.predict_log.request.inputs[IMAGE].tensor_content = b"123"
    return log.SerializeToString()


def a_tensor_that_claims_to_be_huge() -> bytes:
    log = predict_log()
    log.predict_log.request.inputs[IMAGE].tensor_shape.dim[0].size = 2**50
    return log.SerializeToString()


@pytest.mark.parametrize(
    "record",
    [
        lambda: predict_request().SerializeToString(),
        lambda: b"",
        lambda: b"\xff\xff",
        a_classify_log,
        a_request_without_inputs,
        a_tensor_of_an_unknown_type,
        a_tensor_of_another_length,
        a_tensor_that_claims_to_be_huge,
    ],
)
def test_records_of_another_kind_are_refused_by_number(version: Path, record: object) -> None:
    assert callable(record)
    write_records(version, [predict_log().SerializeToString(), record()])
    with pytest.raises(ZooError, match="record 2"):
        read_warmup(version)


@pytest.mark.parametrize(
    ("pixels", "encoded", "message"),
    [
        (PIXELS.astype(np.float32), ENCODED, "float32"),
        (PIXELS[0], ENCODED, r"\[3, 4, 1\]"),
        (PIXELS[:0], ENCODED, r"\[0, 3, 4, 1\]"),
        (PIXELS, [], r"needs at least one of .*image_bytes.*object \[0\]"),
    ],
)
def test_invalid_images_are_refused_and_nothing_is_written(
    tmp_path: Path, pixels: np.ndarray, encoded: list[bytes], message: str
) -> None:
    with pytest.raises(ZooError, match=message):
        write(tmp_path, pixels, encoded)
    assert not list(tmp_path.iterdir())


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="there is no SavedModel"):
        write(tmp_path / "1")
