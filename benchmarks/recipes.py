"""Accuracy of the recipe small-images on Fashion-MNIST within a time, beside each family's default recipe.

Each network is trained by both recipes for the same number of epochs, on all training images, and measured on the
10,000 test images. A run that is in SCRATCH already is not trained again, or is continued.

usage: python -m benchmarks.recipes DATA_DIR SCRATCH [--only cnn-base …] [--recipes default …] [--epochs N] [--seed 0]
           [--set KEY=VALUE …]      writes results/recipes.json

DATA_DIR is where TensorFlow Datasets keeps `fashion_mnist`. What --set says holds for all recipes that are named.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.measured import record, recorded, zoo

EPOCHS = {"cnn-base": 40, "resnet-small": 4}
"""The networks, with the epochs that two cores make in less than 75 minutes."""

RECIPES = ("default", "small-images")


def trained(network: str, recipe: str, folder: Path, settings: list[Any]) -> dict[str, Any]:
    """Train a network by a recipe, or continue it, unless it is there; return its figures."""
    family, _, size = network.rpartition("-")
    if not folder.exists():
        zoo("train", family, "--size", size, "--recipe", recipe, *settings, "--out", folder)
    described = zoo("info", folder)
    if not described["provenance"]["finished"]:
        zoo("train", "--resume", folder)
        described = zoo("info", folder)
    results = described["results"]
    return {
        "accuracy": results["test_accuracy"],
        "interval": results["test_interval"],
        "test_images": results["test_examples"],
        "epochs": results["epochs"],
        "minutes": results["train_seconds"] / 60,
        "command": described["provenance"]["command"],
        "recipe": described["recipe"],
    }


def main() -> None:
    """Train each network by each recipe; keep the figures of networks that are not asked for."""
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
