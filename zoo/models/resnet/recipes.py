"""Published recipes of ResNet."""

from __future__ import annotations

from zoo.inputs.image.recipes import DROPS, DROPS_DIFFER, strikes_back
from zoo.named_recipe import NamedRecipe

_STRIKES_BACK = "Wightman et al. 2021, arXiv:2110.00476, table 2"
_DIFFERS = "cross-entropy, not binary cross-entropy; the magnitudes of RandAugment do not vary"

RECIPES = {
    "original": NamedRecipe(
        title="He et al. 2015, with drops every 30 epochs as torchvision trains it",
        source="He et al. 2015, arXiv:1512.03385, section 3.4; epochs and drops: torchvision's "
        "references/classification",
        cost="90 epochs of ImageNet-1k in batches of 256; the paper makes up to 600,000 steps",
        expected="76.13 % of ImageNet-1k with resnet50, 69.76 % with resnet18 (torchvision's IMAGENET1K_V1)",
        differs=DROPS_DIFFER,
        keys=DROPS,
    ),
    "a1": NamedRecipe(
        title="ResNet strikes back, A1: the best accuracy",
        source=_STRIKES_BACK,
        cost="600 epochs of ImageNet-1k in batches of 2048: 110 hours on four V100",
        expected="80.4 % of ImageNet-1k with resnet50 (the paper)",
        differs=_DIFFERS,
        keys={
            **strikes_back(magnitude=7),
            "epochs": 600,
            "label_smoothing": 0.1,
            "mixup": 0.2,
            "repeats": 3,
            "network.drop_path": 0.05,
            "optimizer.lr": 5e-3,
            "optimizer.weight_decay": 0.01,
        },
    ),
    "a2": NamedRecipe(
        title="ResNet strikes back, A2: half as long",
        source=_STRIKES_BACK,
        cost="300 epochs of ImageNet-1k in batches of 2048",
        expected="79.8 % of ImageNet-1k with resnet50 (the paper)",
        differs=_DIFFERS,
        keys={
            **strikes_back(magnitude=7),
            "epochs": 300,
            "mixup": 0.1,
            "repeats": 3,
            "network.drop_path": 0.05,
            "optimizer.lr": 5e-3,
            "optimizer.weight_decay": 0.02,
        },
    ),
    "a3": NamedRecipe(
        title="ResNet strikes back, A3: short, on small images",
        source=_STRIKES_BACK,
        cost="100 epochs of ImageNet-1k in batches of 2048, at 160 pixels",
        expected="78.1 % of ImageNet-1k with resnet50, trained at 160 pixels and tested at 224 (the paper)",
        differs=f"{_DIFFERS}; zoo tests at the size that it trains at",
        keys={
            **strikes_back(magnitude=6),
            "image.size": 160,
            "epochs": 100,
            "mixup": 0.1,
            "optimizer.lr": 8e-3,
            "optimizer.weight_decay": 0.02,
        },
    ),
}
