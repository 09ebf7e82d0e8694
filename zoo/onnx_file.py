"""What an ONNX file says of itself, read from its bytes: no framework, and little of it in memory at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

DIGEST = "graph_sha256"
"""The key of `metadata_props` under which a file keeps the SHA-256 of its graph, weights and all.

A change of one weight may move no answer: a bias of attention's keys is canceled by the softmax. This sees every one.
"""

GRAPH = 7
"""The number of `ModelProto.graph`, in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto."""

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
"""Kinds of fields on the wire, https://protobuf.dev/programming-guides/encoding."""

CHUNK = 2**20
"""Bytes that are read at a time."""


def graph_digest(path: Path) -> str:
    """The SHA-256 of a file's graph as it stands there.

    Raises:
        ValueError: this is no protobuf.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for number, _, payload, end in fields(file, 0, os.fstat(file.fileno()).st_size):
            for start in range(payload, end, CHUNK) if number == GRAPH else ():
                digest.update(span(file, start, min(start + CHUNK, end)))
    return digest.hexdigest()


def fields(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Every field of a protobuf message: its number, where it begins, where its value does, and where it ends.

    Raises:
        ValueError: this is no protobuf.
    """
    begin = start
    while begin < end:
        file.seek(begin)
        key = _varint(file)
        kind, payload = key & 7, file.tell()
        if kind == VARINT:
            _varint(file)
            stop = file.tell()
        elif kind == LENGTH:
            length = _varint(file)
            payload = file.tell()
            stop = payload + length
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            stop = payload + (8 if kind == EIGHT_BYTES else 4)
        else:
            raise ValueError(f"byte {begin} begins no field of a protobuf")
        if stop > end:
            raise ValueError(f"the field at byte {begin} goes on behind the end of its message")
        yield key >> 3, begin, payload, stop
        begin = stop


def span(file: BinaryIO, start: int, end: int) -> bytes:
    """The bytes from `start` up to `end`."""
    file.seek(start)
    return file.read(end - start)


def _varint(file: BinaryIO) -> int:
    """A number of seven bits a byte, the low ones first."""
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError(f"the number before byte {file.tell()} has no end")
