"""Modules that a part of zoo finds by name: those of its own package, and those that installed packages add.

A package adds a module with an entry point in a group, such as `zoo.models` for families, in its pyproject.toml:

    [project.entry-points."zoo.models"]
    mine = "mine.family"
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from types import ModuleType

from zoo.errors import ZooError


def names(package: str) -> dict[str, str]:
    """List the modules of a package and those that entry points add to it: dotted names by short name, sorted.

    Nothing but the package itself is imported. A name that begins with an underscore is not a plugin. An entry point
    with the name of one of the package's own modules is left out: nothing can replace a part of zoo unnoticed.
    """
    modules = pkgutil.iter_modules(importlib.import_module(package).__path__)
    own_names = {module.name: f"{package}.{module.name}" for module in modules if not module.name.startswith("_")}
    added = {point.name: point.value for point in importlib.metadata.entry_points(group=package)}
    return dict(sorted({**added, **own_names}.items()))


def modules(package: str) -> dict[str, ModuleType]:
    """Import the modules that `names` lists, and return them by short name.

    Raises:
        ZooError: a module that an installed package adds cannot be imported.
    """
    return {name: _imported(package, dotted) for name, dotted in names(package).items()}


def _imported(package: str, dotted: str) -> ModuleType:
    try:
        return importlib.import_module(dotted)
    except Exception as error:
        if dotted.startswith(f"{package}."):
            raise
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ZooError(
            f"an installed package adds {dotted} to {package}, and it cannot be imported ({reason}): "
            "fix or uninstall it"
        ) from error
