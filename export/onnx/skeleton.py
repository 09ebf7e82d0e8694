"""The skeleton of an ONNX file: its graph without the large weights, read in a few megabytes whatever the file weighs.

onnx 1.23 has no such reader: `load_external_data=False` still reads the weights inside the file, and holds them twice
while it parses.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from zoo.onnx_file import GRAPH, fields, span

LARGEST_KEPT = 2**16
"""Bytes. Initializers up to this size keep their values, because checks of the graph read them."""

WEIGHTS = "weights"
"""The name of the external file that the skeleton declares for its large weights."""

PAGE = 4096
"""Bytes. The offset of an external weight is a multiple of it, so that the weight can be memory-mapped."""


def load(path: Path) -> Any:
    """Read the skeleton of an ONNX file: an onnx.ModelProto whose large weights are declared external, in `WEIGHTS`.

    Raises:
        ValueError: the file is not a protobuf of an ONNX model.
    """
    import google.protobuf.message
    import onnx

    model = onnx.ModelProto()
    initializer, offset = _field_number(model.graph, "initializer"), 0
    try:
        with path.open("rb") as file:
            for number, begin, payload, end in fields(file, 0, os.fstat(file.fileno()).st_size):
                if number != GRAPH:
                    model.MergeFromString(span(file, begin, end))
                    continue
                for part_number, part_begin, part_payload, part_end in fields(file, payload, end):
                    if part_number == initializer and part_end - part_payload > LARGEST_KEPT:
                        tensor = model.graph.initializer.add()
                        offset += _read_without_values(tensor, file, part_payload, part_end, offset)
                    else:
                        model.graph.MergeFromString(span(file, part_begin, part_end))
    except google.protobuf.message.DecodeError as error:
        raise ValueError(f"{path} is not a protobuf of an ONNX model ({error})") from None
    if not model.HasField("graph"):
        raise ValueError(f"{path} is not a protobuf of an ONNX model (it has no graph)")
    return model


def save(model: Any, folder: Path) -> Path:
    """Write a skeleton that onnxruntime loads, with zeros for the weights that were left out.

    The zeros are a sparse file, which takes no room on disk. onnxruntime 1.20 and 1.31 memory-map it, so that no weight
    is ever in memory.
    """
    ends = [
        sum(int(entry.value) for entry in tensor.external_data if entry.key != "location")
        for tensor in model.graph.initializer
    ]
    with (folder / WEIGHTS).open("wb") as file:
        file.truncate(max(ends, default=0))
    path = folder / "bare.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _read_without_values(tensor: Any, file: BinaryIO, start: int, end: int, offset: int) -> int:
    """Read a weight without its values and return the bytes that it takes from `offset` on in `WEIGHTS`."""
    size, raw_data_number = 0, _field_number(tensor, "raw_data")
    for number, begin, payload, stop in fields(file, start, end):
        if number == raw_data_number:
            size = stop - payload
        else:
            tensor.MergeFromString(span(file, begin, stop))
    if size:
        tensor.data_location = tensor.EXTERNAL
        for key, value in (("location", WEIGHTS), ("offset", str(offset)), ("length", str(size))):
            tensor.external_data.add(key=key, value=value)
    return -(-size // PAGE) * PAGE


def _field_number(message: Any, field: str) -> int:
    number: int = message.DESCRIPTOR.fields_by_name[field].number
    return number
