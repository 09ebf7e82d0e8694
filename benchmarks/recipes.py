"""Accuracy of the recipe small-images on Fashion-MNIST, compared with each family's default recipe.

Each network is trained with both recipes for the same number of epochs, on all training images, and measured on the
10,000 test images. A finished run of the same command in SCRATCH is not trained again; an unfinished one is continued.

usage: python -m benchmarks.recipes DATA_DIR SCRATCH [--only cnn-base …] [--recipes default …] [--epochs N] [--seed 0]
           [--set KEY=VALUE …]      writes results/recipes.json

DATA_DIR is where TensorFlow Datasets keeps `fashion_mnist`. --set changes all recipes that are named.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.measured import made, portable, record, recorded, zoo

EPOCHS = {"cnn-base": 40, "resnet-small": 4}
"""The networks, with a number of epochs that two cores train in less than 75 minutes."""

RECIPES = ("default", "small-images")


def trained(network: str, recipe: str, folder: Path, settings: list[Any]) -> dict[str, Any]:
    """Train or continue a network with a recipe, unless its run is finished; return its figures."""
    family, _, size = network.rpartition("-")
    made(folder, "train", family, "--size", size, "--recipe", recipe, *settings)
    described = zoo("info", folder)
    results = described["results"]
    return {
        "accuracy": results["test_accuracy"],
        "interval": results["test_interval"],
        "test_images": results["test_examples"],
        "epochs": results["epochs"],
        "minutes": results["train_seconds"] / 60,
        "command": portable(described["provenance"]["command"]),
        "recipe": described["recipe"],
    }


def main() -> None:
    """Train each network with each recipe; networks that are not named keep their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--only", nargs="+", choices=EPOCHS, default=list(EPOCHS))
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[])
    asked = parser.parse_args()
    figures = recorded("recipes")
    for network in asked.only:
        settings: list[Any] = ["--data", "tfds:fashion_mnist", "--data-dir", asked.data_dir.resolve()]
        settings += ["--epochs", asked.epochs or EPOCHS[network], "--seed", asked.seed]
        settings += [word for change in asked.set for word in ("--set", change)]
        figures[network] = figures.get(network, {}) | {
            recipe: trained(network, recipe, asked.scratch / f"{network}-{recipe}", settings)
            for recipe in asked.recipes
        }
    record("recipes", figures, seed=asked.seed)


if __name__ == "__main__":
    main()
