"""zoo: Keras model families,

from a name to a proven, measured artifact. The whole public API; importing it imports no framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.errors import Refused, ZooError
    from zoo.factory import Features, create, load
    from zoo.information import info, list_models
    from zoo.recipe import Recipe

__all__ = ["Features", "Recipe", "Refused", "ZooError", "create", "info", "list_models", "load"]

_HOMES = {
    "Features": "zoo.factory",
    "Recipe": "zoo.recipe",
    "Refused": "zoo.errors",
    "ZooError": "zoo.errors",
    "create": "zoo.factory",
    "info": "zoo.information",
    "list_models": "zoo.information",
    "load": "zoo.factory",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
