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
    """A phrase for each difference, by kind and then by name; empty where the two are equal.

    Args:
        found: what is there.
        wanted: what should be there.
        changed: makes the phrase of a name whose value is another, from the name, the value found and the one wanted.
        missing: the phrase for a name that is wanted only, with `{}` for the name.
        extra: the phrase for a name that is found only, with `{}` for the name.
    """
    both = sorted(found.keys() & wanted.keys())
    return [
        *(changed(name, found[name], wanted[name]) for name in both if found[name] != wanted[name]),
        *(missing.format(name) for name in sorted(wanted.keys() - found.keys())),
        *(extra.format(name) for name in sorted(found.keys() - wanted.keys())),
    ]
