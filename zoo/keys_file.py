"""Files of keys and values, TOML or JSON, which people write: recipes, and the spaces of a search."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, one_line

ENDINGS = (".toml", ".json")
"""The endings of the names of such files."""

LARGEST = 2**16
"""The largest file, in bytes."""

RANGE = frozenset({"low", "high"})
"""The keys of a range of values, which is a value itself and no section."""


def read(path: Path, what: str) -> dict[str, Any]:
    """Read a file; return its values by dotted key, such as `optimizer.lr`.

    Args:
        path: the file.
        what: the content of the file in messages, such as `recipe`.

    Raises:
        ZooError: the file is missing, too large, or neither TOML nor JSON, or has a key twice.
    """
    if path.suffix not in ENDINGS or not path.is_file():
        raise ZooError(f"there is no {what} file at {path}: name a {' or '.join(ENDINGS)} file")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ZooError(f"{path} is too large for a {what}: {LARGEST // 1024} KiB at most")
        text = content.decode("utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text, object_pairs_hook=_without_repeats)
        if not isinstance(values, dict):
            raise ZooError(f'{path} is not a {what}: write an object of keys and values, such as {{"epochs": 10}}')
        return flat(values)
    except (ValueError, OSError, RecursionError) as error:
        raise ZooError(f"{path} cannot be read ({one_line(error)}): fix the {what} file") from None


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested sections by dotted key.

    Raises:
        ValueError: a key appears twice, such as once dotted and once in its section.
    """
    pairs: list[tuple[str, Any]] = []
    for key, value in values.items():
        section = isinstance(value, Mapping) and not RANGE & value.keys()
        pairs += flat(value, f"{prefix}{key}.").items() if section else [(f"{prefix}{key}", value)]
    return _without_repeats(pairs)


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs as a dictionary; raise ValueError if a key is repeated."""
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key '{twice:.60}' is there twice")
    return values
