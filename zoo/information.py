"""What is known of the networks without building one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo import artifact, factory, run, schema
from zoo.errors import ZooError
from zoo.registry import LARGEST_SIDE, MOST_CHANNELS, SMALLEST_SIDE, Family, Size, matching, resolve
from zoo.weights import pretrained


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


def is_described(folder: Path) -> bool:
    """Whether a run or an artifact lies at `folder`."""
    return any((folder / name).is_file() for name in (run.DESCRIPTION, artifact.MANIFEST))


def describe(folder: Path) -> dict[str, Any]:
    """All that the run or artifact at `folder` says of its network, of what made it, and of how it fared.

    Returns:
        Plain data: `model` (its `structure` is there even where it was not recorded), `halvings` (`kept`, and those of
        the `reference`), `data`, `recipe`, `weights`, `initial`, `results` and `provenance`; what there is not is None.

    Raises:
        ZooError: there is neither a run nor an artifact, or its description is damaged.
    """
    if (folder / artifact.MANIFEST).is_file():
        manifest = artifact.read(folder)
        described: dict[str, Any] = {"kind": "artifact", **schema.plain(manifest)}
        described |= {"results": described["accuracy"], "provenance": described["training"]}
        model = manifest.model
    elif (folder / run.DESCRIPTION).is_file():
        this = run.read(folder)
        described, model = {"kind": "run", **schema.plain(this)}, this.model
    else:
        raise ZooError(f"{folder} is neither a run nor an artifact: {run.NAME_ONE}, or one that 'zoo export' wrote")
    family, row = resolve(model.family, model.size)
    structure = factory.structure_of(model)
    described["model"]["structure"] = schema.plain(structure)
    described["halvings"] = {
        "kept": structure.halvings,
        "reference": family.reference_structure(row).halvings,
    }
    keys = ("kind", "model", "halvings", "data", "recipe", "weights", "initial", "results", "provenance")
    return {key: described.get(key) for key in keys}


def _row(family: Family, size: Size) -> dict[str, Any]:
    """What is known of a size. `license` is that of the weights that `zoo pull` takes when no tag is named."""
    network = pretrained.TIMM.get((family.name, size.name))
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
        "license": tags[0].license if tags else None,
        "tags": [
            {
                "tag": tag.name,
                "repository": network.repository(tag),
                "license": tag.license,
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
