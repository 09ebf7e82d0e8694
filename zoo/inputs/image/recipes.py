"""Recipes that all families of images share, and the keys that published ones have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.named_recipe import NamedRecipe

if TYPE_CHECKING:
    from zoo.recipe import Recipe

SMALLEST_CROP, CROP_RATIO = 0.2, 4 / 3
"""The least area of a crop in pretraining, as a share of the image's, and its largest aspect ratio, where the recipe
states no others."""

CROPS: Mapping[str, Any] = {
    "image.size": 224,
    "image.smallest_crop": 0.08,
    "image.crop_ratio": 4 / 3,
    "image.flip": True,
    "image.crop_pct": 0.875,
}
"""Random crops of a twelfth of the area and more, mirrored or not: Szegedy et al. 2014, arXiv:1409.4842, section 6."""

DROPS: Mapping[str, Any] = {
    "epochs": 90,
    "batch_size": 256,
    "keep": "last",
    "optimizer.name": "sgd",
    "optimizer.lr": 0.1,
    "optimizer.weight_decay": 0.0,
    # A decay of 1e-4 that is a part of the gradient.
    "optimizer.l2": 5e-5,
    "schedule.shape": "step",
    "schedule.warmup_epochs": 0,
    "schedule.drop_epochs": 30,
    **CROPS,
}
"""The defaults of torchvision's references/classification/train.py, by which its first weights were trained."""

DROPS_DIFFER = "Nesterov's momentum; the penalty spares norms and biases"


def randaugment(magnitude: float) -> dict[str, Any]:
    """Return the keys of two random operations of one magnitude (Cubuk et al. 2019, arXiv:1909.13719)."""
    return {"image.policy": "randaugment", "image.policy_operations": 2, "image.policy_magnitude": magnitude}


def strikes_back(magnitude: float) -> dict[str, Any]:
    """Return the keys that the procedures A1 to A3 of Wightman et al. 2021, arXiv:2110.00476, table 2, share."""
    return {
        **CROPS,
        **randaugment(magnitude),
        "image.crop_pct": 0.95,
        "batch_size": 2048,
        "keep": "last",
        "cutmix": 1.0,
        "optimizer.name": "lamb",
        "schedule.warmup_epochs": 5,
    }


SHARED: Mapping[str, NamedRecipe] = {
    "small-images": NamedRecipe(
        title="a short recipe for small images, such as those of Fashion-MNIST",
        source="zoo; random erasing after Zhong et al. 2017, arXiv:1708.04896, who measure it on Fashion-MNIST",
        cost="20 epochs in batches of 128, with the optimizer of the family's default recipe",
        expected="resnet small with image.flip=true and label_smoothing=0: 0.942 on Fashion-MNIST after 14 epochs, 65 "
        "minutes in bfloat16 on two cores (results/recipes.json). Not for small networks: cnn base reaches 0.910 with "
        "it in 12 epochs, and 0.928 with its default recipe, image.flip=true and image.shift=0.05 in 20",
        changes=True,
        keys={
            "epochs": 20,
            "batch_size": 128,
            "label_smoothing": 0.1,
            "ema_decay": 0.995,
            "schedule.shape": "cosine",
            "schedule.warmup_epochs": 1,
            "image.shift": 0.1,
            "image.erase": 0.25,
        },
    ),
    "fine-tune": NamedRecipe(
        title="all layers from weights, at rates that fall towards the stem",
        source="zoo; rates by layer after Bao et al. 2021, arXiv:2106.08254, section 3.2",
        cost="10 epochs in batches of 64",
        changes=True,
        from_weights=True,
        keys={
            "epochs": 10,
            "batch_size": 64,
            "label_smoothing": 0.1,
            "optimizer.name": "adamw",
            "optimizer.lr": 3e-4,
            "optimizer.momentum": 0.9,
            "optimizer.weight_decay": 0.05,
            "optimizer.clip_norm": 1.0,
            "optimizer.layer_decay": 0.7,
            "schedule.shape": "cosine",
            "schedule.warmup_epochs": 1,
            "image.shift": 0.0,
            "image.smallest_crop": 0.35,
        },
    ),
}


def for_pretraining(recipe: Recipe) -> Recipe:
    """Return a recipe whose images are cropped, and which keeps the last weights.

    The recipe of a family with another kind of input has no crops; the method refuses such a family later.
    """
    images = recipe.input
    if hasattr(images, "smallest_crop"):
        images = dataclasses.replace(images, smallest_crop=SMALLEST_CROP, crop_ratio=CROP_RATIO)
    return dataclasses.replace(recipe, keep="last", input=images)
