"""The warm-up file of a SavedModel: requests that TF Serving answers by itself before it calls a version available."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo import contract, files
from zoo.errors import ZooError
from zoo.export.tf_serving.top_labels import serialized_example

FILE = "assets.extra/tf_serving_warmup_requests"
"""Where TF Serving looks, within the version folder."""

MOST_RECORDS = 1000
"""TF Serving refuses to load a version with more."""

MOST_ELEMENTS = 2**30
"""Of one tensor: a small file may claim any shape."""


def write_warmup(version_folder: Path, *, model_name: str, pixels: np.ndarray, encoded: list[bytes]) -> int:
    """Write requests for the signatures of the contract: with one image, and for logits with all of them, too.

    Batches of other sizes are as fast for all signatures once they are for one.

    Args:
        version_folder: a SavedModel, `BASE/VERSION`.
        model_name: the name that the server will serve it under.
        pixels: uint8 [images, height, width, channels].
        encoded: images as JPEG or PNG files.

    Returns:
        The number of records written.

    Raises:
        ZooError: there is no folder, no image, or `pixels` has another dtype or rank.
    """
    import tensorflow as tf

    if not version_folder.is_dir():
        raise ZooError(f"there is no SavedModel at {version_folder}: export it before its warm-up")
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or not len(pixels):
        raise ZooError(f"the warm-up needs uint8 [images, height, width, channels], not {_form(pixels)}")
    if not encoded:
        raise ZooError("the warm-up needs at least one encoded image: give a JPEG or PNG file")
    texts = np.array(encoded, object)
    inputs = {
        contract.SERVE: pixels,
        contract.SERVE_BYTES: texts,
        contract.SERVE_BYTES_SAFE: texts,
        contract.SERVE_LABELS: texts[:1],
        contract.CLASSIFY: np.array([serialized_example(encoded[0])], object),
    }
    requests = [
        (signature, contract.SIGNATURES[signature][0], values[:count])
        for signature, values in inputs.items()
        for count in sorted({1, len(values)})
    ]
    with files.staged_file(version_folder / FILE) as staging, tf.io.TFRecordWriter(str(staging)) as writer:
        for signature, name, values in requests:
            writer.write(_record(model_name, signature, name, values))
    return len(requests)


def read_warmup(version_folder: Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The requests of a warm-up file: a signature's name, and its inputs by name (strings as object arrays of bytes).

    Raises:
        ZooError: the file is missing, is no uncompressed TFRecord or is cut short; or it holds anything but predict
            requests, or none, or more than TF Serving takes.
    """
    path = version_folder / FILE
    if not path.is_file():
        raise ZooError(f"{path} is missing: export again")
    requests = [_request(record, f"{path}, record {number}") for number, record in enumerate(_records(path), 1)]
    if not 1 <= len(requests) <= MOST_RECORDS:
        count = "no record" if not requests else f"more than {MOST_RECORDS} records"
        raise ZooError(f"{path} has {count}, TF Serving takes 1 to {MOST_RECORDS}: export again")
    return requests


def _record(model_name: str, signature: str, name: str, values: np.ndarray) -> bytes:
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    encoded: bytes = log.SerializeToString()
    return encoded


def _records(path: Path) -> Iterator[bytes]:
    """The records of a TFRecord file, at most one more than TF Serving takes."""
    import tensorflow as tf

    try:
        yield from tf.data.TFRecordDataset(str(path)).take(MOST_RECORDS + 1).as_numpy_iterator()
    except tf.errors.OpError as error:
        raise ZooError(
            f"{path} is no uncompressed TFRecord, or is cut short ({error.message.splitlines()[0][:80]}): export again"
        ) from None


def _request(record: bytes, where: str) -> tuple[str, dict[str, np.ndarray]]:
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    try:
        log = PredictionLog.FromString(record)
    except DecodeError:
        raise ZooError(f"{where} is no PredictionLog: export again") from None
    request: Any = log.predict_log.request
    if not log.HasField("predict_log") or not request.inputs:
        raise ZooError(f"{where} is no PredictionLog of a predict request: export again")
    sizes = [math.prod(dimension.size for dimension in value.tensor_shape.dim) for value in request.inputs.values()]
    if max(sizes) > MOST_ELEMENTS:
        raise ZooError(f"{where} claims {max(sizes)} elements, more than {MOST_ELEMENTS}: export again")
    try:
        return request.model_spec.signature_name, {
            name: tf.make_ndarray(value) for name, value in request.inputs.items()
        }
    except (TypeError, ValueError) as error:
        raise ZooError(f"{where} holds a damaged tensor ({str(error)[:80]}): export again") from None


def _form(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"
