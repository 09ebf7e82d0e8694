"""What a recipe asks of the devices, and which of them cannot give it."""

from __future__ import annotations

from typing import Any

from zoo.errors import ZooError
from zoo.recipe import Recipe


def check_devices(recipe: Recipe, strategy: Any) -> None:
    """Raise ZooError where the devices of a strategy cannot train with the precision or the compiler of a recipe."""
    replicas = strategy.num_replicas_in_sync
    if recipe.xla and replicas > 1:
        raise ZooError(
            f"xla=true compiles a step of one device, and replicas exchange sums within theirs, of which there are "
            f"{replicas}: --set xla=false, or --strategy single"
        )
