"""Records: frozen dataclasses made from JSON or from command lines, which refuse values that do not fit."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import pydantic
import pydantic.dataclasses
from typing_extensions import dataclass_transform

from zoo.errors import ZooError, did_you_mean

Record = TypeVar("Record")


@dataclass_transform(frozen_default=True, field_specifiers=(pydantic.Field, dataclasses.field))
def record(cls: type[Record]) -> type[Record]:
    """Make `cls` a frozen dataclass that checks its values and refuses unknown keys."""
    strict = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)
    record_class: Any = pydantic.dataclasses.dataclass(frozen=True, config=strict)(cls)
    return record_class


def parse(cls: type[Record], values: Any, what: str) -> Record:
    """Make a record of class `cls` from dictionaries, lists, strings and numbers.

    Raises:
        ZooError: a key is unknown or missing, or its value does not fit. The message begins with `what`.
    """
    try:
        return pydantic.TypeAdapter(cls).validate_python(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            raise ZooError(f"{what}: no key '{key}': {did_you_mean(key, keys(cls))}") from None
        # A message does not show a whole record: the text of the error says which of its values do not fit together.
        single = first["type"] != "missing" and isinstance(first["input"], str | int | float | list | tuple | None)
        given = f", not {first['input']!r:.60}" if single else ""
        message = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        raise ZooError(f"{what}{f': {key}' if key else ''} should be {message}{given}") from None


def to_dict(value: Any) -> Any:
    """Return a record as dictionaries, lists, strings and numbers: what `parse` takes."""
    return pydantic.TypeAdapter(type(value)).dump_python(value, mode="json")


def texts(value: Any) -> set[str]:
    """Return all texts in a record, such as a model's labels, or in the dictionaries and lists of `to_dict`."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return {text for element in value.values() for text in texts(element)}
    if isinstance(value, list):
        return {text for element in value for text in texts(element)}
    return texts(to_dict(value)) if dataclasses.is_dataclass(value) else set()


def keys(cls: type[Any], prefix: str = "") -> list[str]:
    """List the dotted keys of a record and of the records within it, such as `optimizer.lr`."""
    dotted_keys = []
    for field in dataclasses.fields(cls):
        annotation = cls.__pydantic_fields__[field.name].annotation
        if dataclasses.is_dataclass(annotation):
            dotted_keys += keys(annotation, f"{prefix}{field.name}.")  # type: ignore[arg-type]
        else:
            dotted_keys.append(f"{prefix}{field.name}")
    return dotted_keys
