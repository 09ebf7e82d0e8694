"""What an ONNX file says of itself, read from its bytes: no framework, and no more of it in memory than is asked for."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path

DIGEST = "graph_sha256"
"""The key of `metadata_props` under which a file keeps the SHA-256 of its graph, weights and all.

A change of one weight may move no answer: a bias of attention's keys is cancelled by the softmax. This sees every one.
"""

GRAPH = 7
"""The number of `ModelProto.graph`, in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto."""

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
"""Kinds of fields on the wire, https://protobuf.dev/programming-guides/encoding."""

CHUNK = 2**20


def graph_digest(path: Path) -> str:
    """The SHA-256 of a file's graph as it stands there.

    Raises:
        ValueError: this is no protobuf.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for number, _, payload, end in fields(content, 0, len(content)):
            for start in range(payload, end, CHUNK) if number == GRAPH else ():
                digest.update(content[start : min(start + CHUNK, end)])
    return digest.hexdigest()


def fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Every field of a protobuf message: its number, where it begins, where its value does, and where it ends.

    Raises:
        ValueError: this is no protobuf.
    """
    place = start
    while place < end:
        begin = place
        key, place = _varint(content, place)
        kind, payload = key & 7, place
        if kind == VARINT:
            _, place = _varint(content, place)
        elif kind == LENGTH:
            length, payload = _varint(content, place)
            place = payload + length
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            place += 8 if kind == EIGHT_BYTES else 4
        else:
            raise ValueError(f"byte {begin} begins no field of a protobuf")
        if place > end:
            raise ValueError(f"the field at byte {begin} goes on behind the end of its message")
        yield key >> 3, begin, payload, place


def _varint(content: mmap.mmap, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while place < len(content) and shift < 64:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise ValueError(f"the number before byte {place} has no end")
