"""An ONNX file without its large weights: what its graph is can be read in a few megabytes, whatever it weighs.

onnx 1.23 has no such reader: `load_external_data=False` still holds what lies in the file, twice while it parses.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from zoo.onnx_file import GRAPH, fields, span

LARGEST = 2**16
"""Bytes; a weight of no more keeps its values, which say what a constant means."""

WEIGHTS = "weights"
"""The file that the large weights are said to lie in."""

PAGE = 4096
"""Bytes that an external weight's place is a multiple of, so that it can be mapped."""


def bare(path: Path) -> Any:
    """The model of an ONNX file, its large weights said to lie in another file, `WEIGHTS`.

    Raises:
        ValueError: this is no protobuf of a model.
    """
    import google.protobuf.message
    import onnx

    model = onnx.ModelProto()
    weight, place = _number(model.graph, "initializer"), 0
    try:
        with path.open("rb") as file:
            for number, begin, payload, end in fields(file, 0, os.fstat(file.fileno()).st_size):
                if number != GRAPH:
                    model.MergeFromString(span(file, begin, end))
                    continue
                for part, part_begin, part_payload, part_end in fields(file, payload, end):
                    if part == weight and part_end - part_payload > LARGEST:
                        place += _weight(model.graph.initializer.add(), file, part_payload, part_end, place)
                    else:
                        model.graph.MergeFromString(span(file, part_begin, part_end))
    except google.protobuf.message.DecodeError as error:
        raise ValueError(f"{path} is no protobuf of an ONNX model ({error})") from None
    if not model.HasField("graph"):
        raise ValueError(f"{path} is no protobuf of an ONNX model (it has no graph)")
    return model


def save(model: Any, folder: Path) -> Path:
    """Write a bare model that onnxruntime loads: zeros that take no room stand for the weights that were left out.

    A file with holes reads as zeros, and onnxruntime 1.20 and 1.31 map it: no weight is ever in memory.
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


def _weight(tensor: Any, file: BinaryIO, start: int, end: int, place: int) -> int:
    """Fill in a weight without its values; the bytes that it takes at its place in `WEIGHTS`."""
    size, values = 0, _number(tensor, "raw_data")
    for number, begin, payload, stop in fields(file, start, end):
        if number == values:
            size = stop - payload
        else:
            tensor.MergeFromString(span(file, begin, stop))
    if size:
        tensor.data_location = tensor.EXTERNAL
        for key, value in (("location", WEIGHTS), ("offset", str(place)), ("length", str(size))):
            tensor.external_data.add(key=key, value=value)
    return -(-size // PAGE) * PAGE


def _number(message: Any, field: str) -> int:
    number: int = message.DESCRIPTOR.fields_by_name[field].number
    return number
