"""What is known of the networks without building one."""

from __future__ import annotations

from typing import Any

from zoo.registry import Family, Size, matching, resolve


def list_models(pattern: str = "*") -> list[dict[str, Any]]:
    """A row for each family and size whose family, `family-size` or alias matches the wildcard `pattern`.

    Raises:
        ZooError: nothing matches.
    """
    return [_row(family, size) for family, size in matching(pattern)]


def info(name: str, size: str | None = None) -> list[dict[str, Any]]:
    """All that is known of a family's sizes, or of the one that `size` or an alias names.

    Raises:
        ZooError: no such family or size.
    """
    family, chosen = resolve(name, size)
    rows = family.sizes if size is None and name == family.name else (chosen,)
    known = {"title": family.title, "reference": family.reference, "small_images": family.small_images}
    return [{**_row(family, row), **known} for row in rows]


def _row(family: Family, size: Size) -> dict[str, Any]:
    return {
        "family": family.name,
        "size": size.name,
        "aliases": list(size.aliases),
        "parameters": size.parameters,
        "multiply_adds": size.multiply_adds,
        "input_shape": list(size.input_shape),
        "classes": size.classes,
    }
