"""The digest of an ONNX file's graph, read from its bytes piece by piece. No framework is imported."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

DIGEST = "graph_sha256"
"""The key of `metadata_props` under which a file keeps the SHA-256 of its graph, weights included.

A change of one weight may leave all logits as they are: the softmax cancels a bias of attention's keys. The digest
reveals every change.
"""

GRAPH = 7
"""The field number of `ModelProto.graph`, in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto."""

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
"""Wire types of protobuf, https://protobuf.dev/programming-guides/encoding."""

CHUNK = 2**20
"""The number of bytes that are read at a time."""


def graph_digest(path: Path) -> str:
    """Return the SHA-256 of the serialized graph in an ONNX file.

    Raises:
        ValueError: the file is not a protobuf.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for number, _, payload, end in fields(file, 0, os.fstat(file.fileno()).st_size):
            for start in range(payload, end, CHUNK) if number == GRAPH else ():
                digest.update(span(file, start, min(start + CHUNK, end)))
    return digest.hexdigest()


def fields(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield every field of a protobuf message: its number, and the offsets of its start, of its value and of its end.

    Raises:
        ValueError: the file is not a protobuf.
    """
    begin = start
    while begin < end:
        file.seek(begin)
        key = _varint(file)
        wire_type, payload = key & 7, file.tell()
        if wire_type == VARINT:
            _varint(file)
            stop = file.tell()
        elif wire_type == LENGTH:
            length = _varint(file)
            payload = file.tell()
            stop = payload + length
        elif wire_type in (EIGHT_BYTES, FOUR_BYTES):
            stop = payload + (8 if wire_type == EIGHT_BYTES else 4)
        else:
            raise ValueError(f"no field of a protobuf begins at byte {begin}")
        if stop > end:
            raise ValueError(f"the field at byte {begin} extends beyond the end of its message")
        yield key >> 3, begin, payload, stop
        begin = stop


def span(file: BinaryIO, start: int, end: int) -> bytes:
    """Read the bytes from `start` up to `end`."""
    file.seek(start)
    return file.read(end - start)


def _varint(file: BinaryIO) -> int:
    """Read an unsigned integer with seven bits in each byte, the lowest first."""
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError(f"the number before byte {file.tell()} has no end")
