"""Phrases for how two mappings differ: keys that are missing, keys too many, and other values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

Value = TypeVar("Value")


def differences(
    found: Mapping[str, Value],
    wanted: Mapping[str, Value],
    *,
    changed: Callable[[str, Value, Value], str],
    missing: str,
    extra: str,
) -> list[str]:
    """Return a phrase for each difference, by kind and then by name; an empty list if the two are equal.

    Args:
        found: the actual mapping.
        wanted: the expected mapping.
        changed: makes the phrase for a name with different values from the name, the value found and the value wanted.
        missing: the phrase for a name that only `wanted` has, with `{}` for the name.
        extra: the phrase for a name that only `found` has, with `{}` for the name.
    """
    shared = sorted(found.keys() & wanted.keys())
    return [
        *(changed(name, found[name], wanted[name]) for name in shared if found[name] != wanted[name]),
        *(missing.format(name) for name in sorted(wanted.keys() - found.keys())),
        *(extra.format(name) for name in sorted(found.keys() - wanted.keys())),
    ]
