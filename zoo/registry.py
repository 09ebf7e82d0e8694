"""Finding families, sizes and aliases by name. No framework is imported for it."""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from types import ModuleType

from zoo import plugins
from zoo.errors import ZooError, did_you_mean, listed
from zoo.family import SIZES, Family, Size

PACKAGE = "zoo.models"
"""The package whose modules are families, and the group of entry points by which installed packages add more."""


@functools.cache
def families() -> dict[str, Family]:
    """Return every family by name, in alphabetical order, each with its sizes in the order of their parameters.

    A module may have a `FAMILY`, and `SIZES`: further sizes of families, by the names of the families.

    Raises:
        ZooError: a module of an installed package has neither, uses a name that is taken, or adds a size to a family
            that does not exist.
    """
    modules = plugins.modules(PACKAGE)
    base_families = [module.FAMILY for module in modules.values() if hasattr(module, "FAMILY")]
    added_sizes = [
        (name, size)
        for module in modules.values()
        for name, added in _sizes_of_module(module).items()
        for size in added
    ]
    family_names = {family.name for family in base_families}
    for name, size in added_sizes:
        if name not in family_names:
            raise ZooError(f"the size {size.name} is for a family '{name}': {did_you_mean(name, family_names)}")
    complete_families = [
        _with_sizes(family, (size for name, size in added_sizes if name == family.name)) for family in base_families
    ]
    names = Counter(name for family in complete_families for name in _names(family))
    repeated_names = [name for name, count in names.items() if count > 1]
    if repeated_names:
        raise ZooError(
            f"more than one family or size is called {listed(repeated_names)}: remove one of the packages with them"
        )
    return {family.name: family for family in sorted(complete_families, key=lambda family: family.name)}


def _sizes_of_module(module: ModuleType) -> Mapping[str, tuple[Size, ...]]:
    added: Mapping[str, tuple[Size, ...]] = getattr(module, "SIZES", {})
    if not added and not hasattr(module, "FAMILY"):
        raise ZooError(f"{module.__name__} is an entry point of {PACKAGE}, but holds neither FAMILY nor SIZES")
    return added


def _with_sizes(family: Family, added: Iterable[Size]) -> Family:
    """Add sizes to a family, and put all of them in order."""
    sizes = sorted((*family.sizes, *added), key=lambda size: size.parameters)
    missing = [name for name in SIZES if name not in {size.name for size in sizes}]
    if missing:
        raise ZooError(f"the family {family.name} lacks {listed(missing)}: each has at least {', '.join(SIZES)}")
    return dataclasses.replace(family, sizes=tuple(sizes))


def _names(family: Family) -> Iterable[str]:
    yield family.name
    for size in family.sizes:
        yield f"{family.name} {size.name}"
        yield from size.aliases


@functools.cache
def _aliases() -> dict[str, tuple[Family, Size]]:
    return {alias: (family, size) for family in families().values() for size in family.sizes for alias in size.aliases}


def forget() -> None:
    """Forget the families, so that the next call finds those of a package that was installed in the meantime."""
    families.cache_clear()
    _aliases.cache_clear()


def is_known(name: str) -> bool:
    """Return whether there is a family or an alias of this name."""
    return name in families() or name in _aliases()


def resolve(name: str, size: str | None = None) -> tuple[Family, Size]:
    """Find a family and a size by the family's name or by an alias such as `resnet50`.

    The size is `small` if neither an alias nor `size` names one.

    Raises:
        ZooError: no such family or size, or an alias together with another size.
    """
    all_families, aliases = families(), _aliases()
    if name in aliases:
        family, aliased = aliases[name]
        if size not in (None, aliased.name):
            raise ZooError(
                f"'{name}' is {family.name} {aliased.name}: leave --size out, or say '{family.name} --size {size}'"
            )
        return family, aliased
    if name not in all_families:
        raise ZooError(f"there is no family '{name}': {did_you_mean(name, [*all_families, *aliases])}")
    return all_families[name], all_families[name].size(size or SIZES[0])


def matching(pattern: str = "*") -> list[tuple[Family, Size]]:
    """List the families and sizes whose family, `family-size` or alias matches the wildcard `pattern`.

    Raises:
        ZooError: no family or size matches.
    """
    rows = [(family, row) for family in families().values() for row in family.sizes]
    matches = [
        (family, row)
        for family, row in rows
        if any(fnmatch.fnmatch(name, pattern) for name in (family.name, f"{family.name}-{row.name}", *row.aliases))
    ]
    if not matches:
        raise ZooError(f"no family or size matches '{pattern}': {did_you_mean(pattern.strip('*?'), families())}")
    return matches
