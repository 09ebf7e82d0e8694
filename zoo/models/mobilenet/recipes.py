"""Published recipes of MobileNetV3."""

from __future__ import annotations

from zoo.inputs.image.recipes import CROPS, strikes_back
from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="Howard et al. 2019 on ImageNet-1k, as far as zoo has its parts",
        source="Howard et al. 2019, arXiv:1905.02244, section 6.1",
        cost="in batches of 4096; the paper names no number of epochs, here are 600",
        expected="75.2 % of ImageNet-1k with mobilenetv3_large_100, 67.4 % with mobilenetv3_small_100 (the paper, with "
        "what differs here)",
        differs="AdamW at a rate of zoo's choice, where the paper has RMSProp at 0.1",
        keys={
            **CROPS,
            "epochs": 600,
            "batch_size": 4096,
            "keep": "last",
            "ema_decay": 0.9999,
            "network.dropout": 0.2,
            "optimizer.name": "adamw",
            "optimizer.lr": 4e-3,
            "optimizer.weight_decay": 1e-2,
            "schedule.shape": "step",
            "schedule.warmup_epochs": 5,
            "schedule.drop_epochs": 3,
            "schedule.drop": 0.99,
        },
    ),
    "lamb": NamedRecipe(
        title="the procedure A2 of ResNet strikes back, half as long again, with averaged weights, without CutMix",
        source="timm's card of mobilenetv3_small_100.lamb_in1k; A2: Wightman et al. 2021, arXiv:2110.00476, table 2",
        cost="450 epochs of ImageNet-1k in batches of 2048",
        differs="cross-entropy, not binary cross-entropy; the magnitudes of RandAugment do not vary; the card names no "
        "decay of the average, here is 0.9998",
        keys={
            **strikes_back(magnitude=7),
            "epochs": 450,
            "mixup": 0.1,
            "cutmix": 0.0,
            "repeats": 3,
            "ema_decay": 0.9998,
            "optimizer.lr": 5e-3,
            "optimizer.weight_decay": 0.02,
        },
    ),
}
