"""zoo: Keras model families from a name to a proven, measured artifact.

This is the whole public API. Importing it imports no framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.errors import Refused, ZooError
    from zoo.factory import FeatureExtractor, create, load
    from zoo.information import info, list_models
    from zoo.recipe import Recipe

__all__ = ["FeatureExtractor", "Recipe", "Refused", "ZooError", "create", "info", "list_models", "load"]

_HOMES = {
    "FeatureExtractor": "zoo.factory",
    "Recipe": "zoo.recipe",
    "Refused": "zoo.errors",
    "ZooError": "zoo.errors",
    "create": "zoo.factory",
    "info": "zoo.information",
    "list_models": "zoo.information",
    "load": "zoo.factory",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
