"""Published recipes of EfficientNetV2."""

from __future__ import annotations

from zoo.inputs.image.recipes import CROPS, randaugment
from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="Tan & Le 2021 on ImageNet-1k, as far as zoo has its parts",
        source="Tan & Le 2021, arXiv:2104.00298, section 5.1",
        cost="350 epochs of ImageNet-1k in batches of 4096",
        expected="83.9 % of ImageNet-1k with efficientnetv2_s, 85.1 % with efficientnetv2_m, 85.7 % with "
        "efficientnetv2_l (the paper, table 7, with what differs here)",
        differs="AdamW at a rate of zoo's choice, where the paper has RMSProp at 0.256; images grow from 128 to 224 "
        "pixels, where the paper's (table 6) grow from 128 to 300 or 380; the magnitude of RandAugment, MixUp and "
        "dropout stay the same, where the paper's grow with them",
        keys={
            **CROPS,
            **randaugment(magnitude=10),
            "image.first_size": 128,
            "image.size_stages": 4,
            "epochs": 350,
            "batch_size": 4096,
            "keep": "last",
            "ema_decay": 0.9999,
            "label_smoothing": 0.1,
            "network.drop_path": 0.2,
            "optimizer.name": "adamw",
            "optimizer.lr": 2e-3,
            "optimizer.weight_decay": 1e-2,
            "schedule.shape": "step",
            "schedule.warmup_epochs": 5,
            "schedule.drop_epochs": 2.4,
            "schedule.drop": 0.97,
        },
    ),
}
