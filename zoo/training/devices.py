"""The check that the devices can do what a recipe asks for."""

from __future__ import annotations

from typing import Any

from zoo.errors import ZooError
from zoo.recipe import Recipe


def check_compiler(recipe: Recipe, network: Any) -> None:
    """Raise ZooError if XLA cannot compile a training step of a network as a recipe asks."""
    import keras

    pools = (keras.layers.MaxPooling1D, keras.layers.MaxPooling2D)
    pooled = any(isinstance(layer, pools) for layer in network.layers)
    if recipe.xla and recipe.deterministic and pooled and not recipe.freeze:
        # TensorFlow 2.21: "GPU MaxPool gradient ops do not yet have a deterministic XLA implementation", also on CPUs.
        raise ZooError(
            "XLA cannot compile the gradient of max pooling deterministically: --set deterministic=false, or leave "
            "xla=true out"
        )


def check_devices(recipe: Recipe, strategy: Any) -> None:
    """Raise ZooError if the devices of a strategy cannot train with the compiler of a recipe."""
    replicas = strategy.num_replicas_in_sync
    if recipe.xla and replicas > 1:
        raise ZooError(
            f"xla=true compiles a step of one device, but {replicas} replicas exchange sums within their steps: "
            "--set xla=false, or --strategy single"
        )
