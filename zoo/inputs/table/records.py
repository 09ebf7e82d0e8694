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
"""The greatest length of a feature with one dimension; each of its values is a column."""


@dataclass(frozen=True)
class Field:
    """A column within records.

    Attributes:
        key: the key of the feature, with `/` between the keys of nested features.
        place: the index of the value in the feature.
        value: the function that turns a stored value into a value of a table.
        is_class: whether the values are the names of classes.
    """

    key: str
    place: int
    value: Callable[[Any], Value]
    is_class: bool


def fields(features: Mapping[str, Any]) -> dict[str, Field]:
    """Return the columns that features become, by name; features of other shapes become none.

    A scalar becomes one column. A vector of a fixed length becomes a column for each of its values, such as `size_1`. A
    nested feature is named by its last key, or by all of its keys where two would have the same name.

    Args:
        features: TFDS' feature specifications by key, with `/` between the keys of nested ones.
    """
    columns = {
        key: key_columns for key, feature in features.items() if (key_columns := list(_of_feature(key, feature)))
    }
    name_counts = Counter(posixpath.basename(key) for key in columns)
    columns_by_name: dict[str, Field] = {}
    for key, key_columns in columns.items():
        name = posixpath.basename(key) if name_counts[posixpath.basename(key)] == 1 else key
        for field in key_columns:
            columns_by_name[name if len(key_columns) == 1 else f"{name}_{field.place + 1}"] = field
    return columns_by_name


def _of_feature(key: str, feature: Any) -> Iterator[Field]:
    """Yield the columns of a feature."""
    shape = getattr(feature, "shape", None)
    if not isinstance(shape, tuple) or len(shape) > 1 or None in shape or sum(shape) > MOST_PLACES:
        return
    is_class = hasattr(feature, "int2str")
    to_value = functools.partial(_class, feature.int2str) if is_class else _reader(feature.np_dtype)
    if to_value:
        for index in range(shape[0] if shape else 1):
            yield Field(key, index, to_value, is_class)


def _reader(dtype: Any) -> Callable[[Any], Value] | None:
    """Return the function that turns stored values of a dtype into values; None where columns do not take the dtype."""
    if dtype in (bytes, str, object) or np.dtype(dtype).kind in "OSU":
        return _text
    readers: dict[str, Callable[[Any], Value]] = {"b": _boolean, "i": of_integer, "u": of_integer, "f": _number}
    return readers.get(np.dtype(dtype).kind)


def _class(label_of: Callable[[int], str], code: int) -> Value:
    # -1 stands for an unknown class.
    return label_of(code) if code >= 0 else None


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
        columns: the columns by name, see `fields`.

    Raises:
        ZooError: a text is not UTF-8; the message is words that follow the record's name.
    """
    return tuple(_stored(values, field) for field in columns.values())


def _stored(values: Mapping[str, Any], field: Field) -> Value:
    list_name = values[field.key].WhichOneof("kind") if field.key in values else None
    if list_name is None:
        return None
    stored_values = getattr(values[field.key], list_name).value
    return field.value(stored_values[field.place]) if field.place < len(stored_values) else None
