"""Checked records: frozen dataclasses that are read from JSON or typed by hand,

and refuse what does not fit in one line.
"""

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
    """Make `cls` a frozen dataclass whose values are checked and whose unknown keys are refused."""
    strict = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)
    made: Any = pydantic.dataclasses.dataclass(frozen=True, config=strict)(cls)
    return made


def parse(cls: type[Record], values: Any, what: str) -> Record:
    """A `cls` made of plain `values`, as JSON or a command line has them.

    Raises:
        ZooError: a key is unknown, missing, or its value does not fit; `what` begins the message.
    """
    try:
        return pydantic.TypeAdapter(cls).validate_python(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            raise ZooError(f"{what}: no key '{key}': {did_you_mean(key, keys(cls))}") from None
        given = "" if first["type"] == "missing" else f", not {first['input']!r:.60}"
        message = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        raise ZooError(f"{what}: {key} should be {message}{given}") from None


def to_dict(value: Any) -> Any:
    """A record as dictionaries, lists, strings and numbers."""
    return pydantic.TypeAdapter(type(value)).dump_python(value, mode="json")


def keys(cls: type[Any], prefix: str = "") -> list[str]:
    """Every dotted key of a record, nested records included."""
    found = []
    for field in dataclasses.fields(cls):
        annotation = cls.__pydantic_fields__[field.name].annotation
        if dataclasses.is_dataclass(annotation):
            found += keys(annotation, f"{prefix}{field.name}.")  # type: ignore[arg-type]
        else:
            found.append(f"{prefix}{field.name}")
    return found
