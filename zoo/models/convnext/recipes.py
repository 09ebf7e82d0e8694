"""Published recipes of ConvNeXt."""

from __future__ import annotations

from zoo.inputs.image.recipes import CROPS, randaugment
from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="Liu et al. 2022, on ImageNet-1k",
        source="Liu et al. 2022, arXiv:2201.03545, appendix A.1, table 5",
        cost="300 epochs of ImageNet-1k in batches of 4096",
        expected="82.1 % of ImageNet-1k with convnext_tiny, 83.1 % with convnext_small, 83.8 % with convnext_base, "
        "84.3 % with convnext_large (the paper, table 1)",
        differs="the magnitudes of RandAugment do not vary",
        keys={
            **CROPS,
            **randaugment(magnitude=9),
            "image.erase": 0.25,
            "epochs": 300,
            "batch_size": 4096,
            "keep": "last",
            "label_smoothing": 0.1,
            "mixup": 0.8,
            "cutmix": 1.0,
            "ema_decay": 0.9999,
            "optimizer.name": "adamw",
            "optimizer.lr": 4e-3,
            "optimizer.weight_decay": 0.05,
            "schedule.warmup_epochs": 20,
        },
    ),
}
