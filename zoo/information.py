"""Listing and describing networks, runs and artifacts without building a network."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from zoo import artifact, factory, run, schema, weights_file
from zoo.errors import ZooError
from zoo.family import SIZES, Family, Size
from zoo.input import find, kind_of
from zoo.named_recipe import DEFAULT, NamedRecipe
from zoo.recipe import flat
from zoo.registry import families, matching, resolve
from zoo.stores import local_path
from zoo.weights.publishers import PUBLISHERS


def list_models(pattern: str = "*", *, input: str | None = None) -> list[dict[str, Any]]:
    """List the families and sizes whose family, `family-size` or alias matches the wildcard `pattern`.

    The sizes of a family are in the order of their parameters.

    Args:
        pattern: the wildcard.
        input: list only families that take this kind of input, as `zoo.input.kinds` names it.

    Raises:
        ZooError: nothing matches, or there is no such kind of input.
    """
    kind = input and find(input).kind
    matches = [(family, size) for family, size in matching(pattern) if kind in (None, family.input)]
    if not matches:
        raise ZooError(f"no family that matches '{pattern}' takes {find(input or '').plural}: leave --input out")
    return [_row(family, size) for family, size in matches]


def info(name: str, size: str | None = None) -> list[dict[str, Any]]:
    """Return everything that is known about a family's sizes.

    Args:
        name: a family such as `resnet`, or an alias such as `resnet50`.
        size: return this size only. An alias names a size, too.

    Raises:
        ZooError: no such family or size.
    """
    family, chosen = resolve(name, size)
    rows = family.sizes if size is None and name == family.name else (chosen,)
    more = {"title": family.title, "figures": family.figures}
    return [{**_row(family, row), **more} for row in rows]


def recipes(family: str | None = None, *, recipe: str | None = None, size: str | None = None) -> list[dict[str, Any]]:
    """List the recipes of all families or of one, or describe a single recipe.

    Args:
        family: a family such as `resnet`, or an alias such as `resnet50`; all families when it is left out.
        recipe: describe this recipe of the family only.
        size: the size of the family whose recipes are listed. By default that of the alias, or the first size that a
            recipe is for.

    Returns:
        For each recipe plain data: its `family` and `size`, its name (`recipe`), the fields of
        `zoo.named_recipe.NamedRecipe`, and `keys`: all its values, by the names with which `zoo.train(set=…)` changes
        them.

    Raises:
        ZooError: no such family, size or recipe.
    """
    if family is None:
        if recipe is not None or size is not None:
            raise ZooError("a recipe and a size belong to a family: name it, such as 'zoo recipes resnet'")
        return [row for listed_family in families().values() for row in _recipes(listed_family, None)]
    resolved_family, row = resolve(family, size)
    chosen = row if size or family != resolved_family.name else None
    rows = [described for described in _recipes(resolved_family, chosen) if recipe in (None, described["recipe"])]
    if recipe is not None and not rows:
        resolved_family.recipe_of(row, recipe)  # says why not
    return rows


def _recipes(family: Family, size: Size | None) -> list[dict[str, Any]]:
    """Describe the recipes of a family that are for a size, or each for the first size that it is for."""
    first = size or family.size(SIZES[0])
    default = family.recipe_of(first)
    default_record = NamedRecipe(
        title="zoo's own, used if no recipe is named",
        source="zoo",
        cost=f"{default.epochs} epochs in batches of {default.batch_size}",
        expected=family.measured,
        keys={},
        changes=True,
    )
    rows = []
    for name, record in {DEFAULT: default_record, **family.named_recipes}.items():
        row = size or family.size((record.sizes or SIZES)[0])
        if row.name in (record.sizes or (row.name,)):
            fields = dataclasses.asdict(record) | {"sizes": list(record.sizes)}
            keys = flat(family.recipe_of(row, name))
            rows.append({"family": family.name, "size": row.name, "recipe": name, **fields, "keys": keys})
    return rows


def is_described(folder: Path) -> bool:
    """Return whether a run or an artifact is at `folder`."""
    path = local_path(folder)
    return any((path / name).is_file() for name in (run.DESCRIPTION, artifact.MANIFEST))


def describe(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the network, origin and results of the run or artifact at `folder`.

    Returns:
        Plain data: `model` (with its `structure`, even where none was recorded), `input` (facts by name about what it
        takes), `halvings` (those `kept`, and those of the `reference`; None for networks without a structure), `data`,
        `unlabeled`, `recipe`, `recipe_name`, `weights`, `initial`, `teacher`, `results`, `provenance`, and
        `explanation`: for a finished run whose family has an explainer, a `title`, and `rows` by name, each with a
        number for each label; and for an artifact its `formats` and `license`. A value is None if the folder does not
        have it.

    Raises:
        ZooError: there is neither a run nor an artifact, or its description is damaged.
    """
    folder = local_path(folder)
    if (folder / artifact.MANIFEST).is_file():
        manifest = artifact.read(folder)
        described: dict[str, Any] = {"kind": "artifact", **schema.to_dict(manifest)}
        described |= {"results": described["score"], "provenance": described["training"]}
        model = manifest.model
    elif (folder / run.DESCRIPTION).is_file():
        this = run.read(folder)
        described, model = {"kind": "run", **schema.to_dict(this)}, this.model
        described["explanation"] = _explanation(folder, this)
    else:
        raise ZooError(f"{folder} is neither a run nor an artifact: {run.NAME_ONE}, or one that 'zoo export' wrote")
    family, row = resolve(model.family, model.size)
    structure = factory.structure_of(model)
    described["model"]["structure"] = structure and schema.to_dict(structure)
    described["input"] = kind_of(model.preprocessing).client.facts(model.preprocessing)
    described["halvings"] = structure and {
        "kept": structure.halvings,
        "reference": family.reference_structure(row).halvings,
    }
    origins = ("data", "unlabeled", "recipe", "recipe_name", "weights", "initial", "teacher")
    keys = (
        "kind",
        "model",
        "input",
        "halvings",
        *origins,
        "formats",
        "license",
        "results",
        "provenance",
        "explanation",
    )
    return {key: described.get(key) for key in (*keys, "explanation")}


def _explanation(folder: Path, this: run.Run) -> dict[str, Any] | None:
    """Explain the weights of a finished run; None if its family has no explainer."""
    family, _ = resolve(this.model.family)
    if not family.explainer or not this.finished:
        return None
    explanation = family.explain(weights_file.read(folder / run.WEIGHTS)[0], this.model)
    return None if explanation is None else dataclasses.asdict(explanation)


def _row(family: Family, size: Size) -> dict[str, Any]:
    """Describe a size; `license` is that of the weights that `zoo pull` takes when no tag is named."""
    publisher = next((publisher for name, publisher in PUBLISHERS.items() if name in size.weights), None)
    published = size.weights[publisher.name] if publisher else None
    tags = published.tags if published else ()
    client = find(family.input).client
    return {
        "family": family.name,
        "size": size.name,
        "aliases": list(size.aliases),
        "input": family.input,
        "tasks": list(family.all_tasks),
        "parameters": size.parameters,
        "multiply_adds": size.multiply_adds,
        "input_shape": list(size.input_shape),
        "classes": size.classes,
        "reference": family.reference,
        "license": tags[0].license if tags else None,
        "tags": [
            {
                "tag": tag.name,
                "repository": publisher.repository(published, tag),
                "license": tag.license,
                **client.published(tag.input),
            }
            for tag in tags
            if publisher and published
        ],
        **client.catalog(family, size),
    }
