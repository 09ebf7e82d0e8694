"""The warm-up file of a SavedModel: requests that TF Serving runs itself before it makes a version available."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import contract, files, saved_model_folder
from zoo.description import Model
from zoo.errors import ZooError
from zoo.export.batches import forms, part, size
from zoo.export.tf_serving.top_labels import serialized_examples
from zoo.input import kind_of
from zoo.signature import Tensor

FILE = saved_model_folder.WARM_UP
"""The path within the version folder where TF Serving looks for it."""

MOST_RECORDS = 1000
"""The most records with which TF Serving loads a version."""

MOST_ELEMENTS = 2**30
"""The most elements of a tensor that this module reads: a small file can claim any shape."""


def write_warmup(
    version_folder: Path, description: Model, *, inputs: Mapping[str, np.ndarray], raw: Mapping[str, np.ndarray]
) -> int:
    """Write warm-up requests for every signature, with one example and, except for labels, also with all examples.

    The signatures for labels need one example only: a larger batch for one signature makes it fast for all.

    Args:
        version_folder: the SavedModel, BASE/VERSION.
        description: the model; the server serves it under the name of its family.
        inputs: examples as inputs of the contract.
        raw: examples as inputs of the raw signature; strings are object arrays of bytes.

    Returns:
        The number of records written.

    Raises:
        ZooError: the folder does not exist, there is no example, or the examples do not fit the signatures.
    """
    import tensorflow as tf

    if not version_folder.is_dir():
        raise ZooError(f"there is no SavedModel at {version_folder}: export it before its warm-up")
    signatures = contract.signatures(description)
    given = dict.fromkeys(signatures, raw) | {contract.SERVE: inputs}
    for name in (contract.SERVE, kind_of(description.preprocessing).raw):
        if not fits(given[name], signatures[name].inputs):
            wanted = {key: str(tensor) for key, tensor in signatures[name].inputs.items()}
            raise ZooError(f"the warm-up of {name} needs at least one of {wanted}, not {forms(given[name])}")
    if contract.CLASSIFY in signatures:
        given[contract.SERVE_LABELS] = part(raw, slice(1))
        given[contract.CLASSIFY] = {contract.EXAMPLES: serialized_examples(part(raw, slice(1)))}
    requests = [
        (signature, part(batch, slice(count)))
        for signature, batch in given.items()
        for count in sorted({1, size(batch)})
    ]
    with files.staged_file(version_folder / FILE) as staging, tf.io.TFRecordWriter(str(staging)) as writer:
        for signature, batch in requests:
            writer.write(_record(description.family, signature, batch))
    return len(requests)


def fits(batch: Mapping[str, np.ndarray], tensors: Mapping[str, Tensor]) -> bool:
    """Return whether a batch has these tensors, all with the same number of examples, which is at least one."""
    return (
        batch.keys() == tensors.keys()
        and all(tensor.fits(batch[name]) for name, tensor in tensors.items())
        and len({len(values) for values in batch.values()}) == 1
        and size(batch) > 0
    )


def read_warmup(version_folder: Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Read the requests of a warm-up file.

    Returns:
        For each request the name of the signature, and its inputs by name; strings are object arrays of bytes.

    Raises:
        ZooError: the file is missing, cut short or no uncompressed TFRecord; or it has other records than predict
            requests, none at all, or more than TF Serving takes.
    """
    path = version_folder / FILE
    if not path.is_file():
        raise ZooError(f"{path} is missing: export again")
    requests = [_request(record, f"{path}, record {number}") for number, record in enumerate(_records(path), 1)]
    if not 1 <= len(requests) <= MOST_RECORDS:
        count = "no record" if not requests else f"more than {MOST_RECORDS} records"
        raise ZooError(f"{path} has {count}, TF Serving takes 1 to {MOST_RECORDS}: export again")
    return requests


def _record(model_name: str, signature: str, batch: Mapping[str, np.ndarray]) -> bytes:
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    for name, values in batch.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    encoded: bytes = log.SerializeToString()
    return encoded


def _records(path: Path) -> Iterator[bytes]:
    """Yield the records of a TFRecord file, at most one more than TF Serving takes."""
    import tensorflow as tf

    try:
        yield from tf.data.TFRecordDataset(str(path)).take(MOST_RECORDS + 1).as_numpy_iterator()
    except tf.errors.OpError as error:
        raise ZooError(
            f"{path} is not an uncompressed TFRecord, or is cut short "
            f"({error.message.splitlines()[0][:80]}): export again"
        ) from None


def _request(record: bytes, record_name: str) -> tuple[str, dict[str, np.ndarray]]:
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    try:
        log = PredictionLog.FromString(record)
    except DecodeError:
        raise ZooError(f"{record_name} is not a PredictionLog: export again") from None
    request: Any = log.predict_log.request
    if not log.HasField("predict_log") or not request.inputs:
        raise ZooError(f"{record_name} is not a PredictionLog of a predict request: export again")
    sizes = [math.prod(dimension.size for dimension in value.tensor_shape.dim) for value in request.inputs.values()]
    if max(sizes) > MOST_ELEMENTS:
        raise ZooError(f"{record_name} claims {max(sizes)} elements, more than {MOST_ELEMENTS}: export again")
    try:
        return request.model_spec.signature_name, {
            name: tf.make_ndarray(value) for name, value in request.inputs.items()
        }
    except (TypeError, ValueError) as error:
        raise ZooError(f"{record_name} holds a damaged tensor ({str(error)[:80]}): export again") from None
