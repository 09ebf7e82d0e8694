"""Families, sizes and aliases. Nothing here imports a framework: what is known of a network is data."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import ZooError, did_you_mean
from zoo.structure import Structure, kept_halvings

SIZES = ("small", "base", "large")

SMALLEST_SIDE, LARGEST_SIDE = 8, 4096
"""The sides of images that every network takes, in pixels."""

MOST_CHANNELS = 4
"""Every network takes images of 1 to so many channels."""


@dataclass(frozen=True)
class Size:
    """One row of a family's table.

    `options` are the builder's keyword arguments. `parameters` (trainable) and `multiply_adds` (one image) are those of
    the reference network: `input_shape` (height, width, channels) in, `classes` out. A test builds it and counts.
    `halvings` is how often the reference halves its input, `smallest_side` the side of the smallest image, in pixels,
    that it takes.
    """

    name: str
    aliases: tuple[str, ...]
    options: Mapping[str, Any]
    parameters: int
    multiply_adds: int
    input_shape: tuple[int, int, int] = (224, 224, 3)
    classes: int = 1000
    halvings: int = 5
    smallest_side: int = SMALLEST_SIDE


def suited(size: Size, height: int, width: int) -> Structure:
    """The structure that suits images of `height` by `width` pixels: small images keep their resolution."""
    return Structure(kept_halvings(min(height, width), size.halvings))


@dataclass(frozen=True)
class Family:
    """A network in three sizes.

    `build(image, classes, structure, **options)` takes a symbolic float32 image and returns a `zoo.layers.Network`.
    `small_images` says in one sentence what becomes of small inputs. `structure(size, height, width)` chooses the
    structure that suits images of so many pixels, for a network that starts from nothing.
    """

    name: str
    title: str
    reference: str
    small_images: str
    sizes: tuple[Size, ...]
    build: Callable[..., Any] = field(repr=False)
    structure: Callable[[Size, int, int], Structure] = field(default=suited, repr=False)

    def reference_structure(self, size: Size) -> Structure:
        """The structure of the published network, which weights from elsewhere belong to."""
        return self.structure(size, *size.input_shape[:2])

    def size(self, name: str) -> Size:
        """The row called `name`.

        Raises:
            ZooError: the family has no such size.
        """
        for row in self.sizes:
            if row.name == name:
                return row
        raise ZooError(f"{self.name} has no size '{name}': {did_you_mean(name, (row.name for row in self.sizes))}")


_families: dict[str, Family] = {}
_aliases: dict[str, tuple[str, str]] = {}


def register(family: Family) -> Family:
    """Add a family and the aliases of its sizes.

    A name that is taken raises ValueError: it is a mistake in the code.
    """
    names = [family.name, *(alias for row in family.sizes for alias in row.aliases)]
    taken = [name for name in names if name in _families or name in _aliases]
    if taken or len(set(names)) < len(names):
        raise ValueError(f"registered twice: {', '.join(taken or names)}")
    if tuple(row.name for row in family.sizes) != SIZES:
        raise ValueError(f"{family.name} must have the sizes {', '.join(SIZES)}, in this order")
    _families[family.name] = family
    _aliases.update({alias: (family.name, row.name) for row in family.sizes for alias in row.aliases})
    return family


def families() -> dict[str, Family]:
    """Every family by name, in alphabetical order."""
    import zoo.models  # noqa: F401  (its import registers them)

    return dict(sorted(_families.items()))


def resolve(name: str, size: str | None = None) -> tuple[Family, Size]:
    """A family and a size from a family's name or an alias such as `resnet50`; the size is `small` when nothing says
    it.

    Raises:
        ZooError: no such family or size, or an alias together with another size.
    """
    known = families()
    if name in _aliases:
        family_name, aliased = _aliases[name]
        if size not in (None, aliased):
            raise ZooError(
                f"'{name}' is {family_name} {aliased}: leave --size out, or say '{family_name} --size {size}'"
            )
        return known[family_name], known[family_name].size(aliased)
    if name not in known:
        raise ZooError(f"there is no family '{name}': {did_you_mean(name, [*known, *_aliases])}")
    return known[name], known[name].size(size or SIZES[0])


def matching(pattern: str = "*") -> list[tuple[Family, Size]]:
    """Every family and size whose family, `family-size` or alias matches the wildcard `pattern`.

    Raises:
        ZooError: nothing matches.
    """
    every = [(family, row) for family in families().values() for row in family.sizes]
    found = [
        (family, row)
        for family, row in every
        if any(fnmatch.fnmatch(name, pattern) for name in (family.name, f"{family.name}-{row.name}", *row.aliases))
    ]
    if not found:
        raise ZooError(f"nothing matches '{pattern}': {did_you_mean(pattern.strip('*?'), families())}")
    return found
