"""What is known of the networks without building one."""

from __future__ import annotations

from typing import Any

from zoo.registry import LARGEST_SIDE, MOST_CHANNELS, SMALLEST_SIDE, Family, Size, matching, resolve
from zoo.weights import known


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
    more = {"title": family.title, "small_images": family.small_images}
    return [{**_row(family, row), **more} for row in rows]


def _row(family: Family, size: Size) -> dict[str, Any]:
    """What is known of a size. `licence` is that of the weights that `zoo pull` takes when no tag is named."""
    network = known.TIMM.get((family.name, size.name))
    tags = network.tags if network else ()
    return {
        "family": family.name,
        "size": size.name,
        "aliases": list(size.aliases),
        "parameters": size.parameters,
        "multiply_adds": size.multiply_adds,
        "input_shape": list(size.input_shape),
        "classes": size.classes,
        "reference": family.reference,
        "licence": tags[0].licence if tags else None,
        "tags": [
            {
                "tag": tag.name,
                "repository": network.repository(tag),
                "licence": tag.licence,
                "input_size": tag.input.side,
            }
            for tag in tags
            if network
        ],
        "input_sizes": {
            "weights": sorted({tag.input.side for tag in tags}),
            "smallest": SMALLEST_SIDE,
            "largest": LARGEST_SIDE,
        },
        "channels": list(range(1, MOST_CHANNELS + 1)),
    }
