"""Rows in records of tf.Example, as TensorFlow Datasets writes them: each scalar feature is a column.

It reads the feature specifications of TFDS (`tfds.features`), which it does not import.
"""

from __future__ import annotations

import functools
import posixpath
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.inputs.table.cells import of_integer
from zoo.inputs.table.columns import Value

MOST_PLACES = 1000
"""The most places of a feature with one dimension, each of which is a column."""


@dataclass(frozen=True)
class Field:
    """A column within records.

    Attributes:
        key: of the feature, with `/` between the keys of nested ones.
        place: of the value in the feature.
        value: turns what a record stores into a value.
        is_class: whether the values are the names of classes.
    """

    key: str
    place: int
    value: Callable[[Any], Value]
    is_class: bool


def fields(features: Mapping[str, Any]) -> dict[str, Field]:
    """Return the columns that features become, by name; features of other shapes become none.

    A scalar is a column. A vector of some fixed length is a column for each place, such as `size_1`. A nested feature
    is named by its last key, or by all of its keys where two would have the same name.

    Args:
        features: TFDS' feature specifications by key, with `/` between the keys of nested ones.
    """
    columns = {key: found for key, stated in features.items() if (found := list(_of_feature(key, stated)))}
    short = Counter(posixpath.basename(key) for key in columns)
    named: dict[str, Field] = {}
    for key, found in columns.items():
        name = posixpath.basename(key) if short[posixpath.basename(key)] == 1 else key
        for field in found:
            named[name if len(found) == 1 else f"{name}_{field.place + 1}"] = field
    return named


def _of_feature(key: str, stated: Any) -> Iterator[Field]:
    """Yield the columns of a feature."""
    shape = getattr(stated, "shape", None)
    if not isinstance(shape, tuple) or len(shape) > 1 or None in shape or sum(shape) > MOST_PLACES:
        return
    is_class = hasattr(stated, "int2str")
    value = functools.partial(_class, stated.int2str) if is_class else _reader(stated.np_dtype)
    if value:
        for place in range(shape[0] if shape else 1):
            yield Field(key, place, value, is_class)


def _reader(dtype: Any) -> Callable[[Any], Value] | None:
    """Return the function that turns a stored value of a dtype into a value; None for another dtype."""
    if dtype in (bytes, str, object) or np.dtype(dtype).kind in "OSU":
        return _text
    readers: dict[str, Callable[[Any], Value]] = {"b": _boolean, "i": of_integer, "u": of_integer, "f": _number}
    return readers.get(np.dtype(dtype).kind)


def _class(name: Callable[[int], str], number: int) -> Value:
    # -1 stands for an unknown class.
    return name(number) if number >= 0 else None


def _boolean(number: int) -> Value:
    return "true" if number else "false"


def _number(number: float) -> Value:
    return None if number != number else number


def _text(encoded: bytes) -> Value:
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        raise ZooError("has text that is not UTF-8") from None


def row(values: Mapping[str, Any], columns: Mapping[str, Field]) -> tuple[Value, ...]:
    """Return the values of the columns in a record, None where it has no value.

    Args:
        values: the features of a tf.Example by key.
        columns: see `fields`.

    Raises:
        ZooError: a text is not UTF-8; the message is words that follow the record's name.
    """
    return tuple(_stored(values, field) for field in columns.values())


def _stored(values: Mapping[str, Any], field: Field) -> Value:
    kind = values[field.key].WhichOneof("kind") if field.key in values else None
    if kind is None:
        return None
    stored = getattr(values[field.key], kind).value
    return field.value(stored[field.place]) if field.place < len(stored) else None
