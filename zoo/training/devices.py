"""The check that the devices can do what a recipe asks for."""

from __future__ import annotations

from typing import Any

from zoo.errors import ZooError
from zoo.recipe import Recipe


def check_devices(recipe: Recipe, strategy: Any) -> None:
    """Raise ZooError if the devices of a strategy cannot train with the compiler of a recipe."""
    replicas = strategy.num_replicas_in_sync
    if recipe.xla and replicas > 1:
        raise ZooError(
            f"xla=true compiles a step of one device, but {replicas} replicas exchange sums within their steps: "
            "--set xla=false, or --strategy single"
        )
