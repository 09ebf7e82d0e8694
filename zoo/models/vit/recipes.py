"""Published recipes of vision transformers."""

from __future__ import annotations

from zoo.inputs.image.recipes import CROPS, randaugment
from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="Dosovitskiy et al. 2020, from scratch on ImageNet-1k",
        source="Dosovitskiy et al. 2020, arXiv:2010.11929, appendix B.1, table 3",
        cost="300 epochs of ImageNet-1k in batches of 4096, of which 10,000 steps (32 epochs) are the rise of the rate",
        expected="77.9 % of ImageNet-1k with vit_base after a fine-tuning at 384 pixels (the paper, table 5)",
        keys={
            **CROPS,
            "epochs": 300,
            "batch_size": 4096,
            "keep": "last",
            "network.dropout": 0.1,
            "network.drop_path": 0.0,
            "optimizer.name": "adamw",
            "optimizer.lr": 3e-3,
            "optimizer.weight_decay": 0.3,
            "optimizer.clip_norm": 1.0,
            "schedule.warmup_epochs": 32,
        },
        differs="one dropout before the logits: zoo's ViT has none within its blocks",
    ),
    "deit": NamedRecipe(
        title="DeiT: no more data than ImageNet-1k",
        source="Touvron et al. 2020, arXiv:2012.12877, table 9",
        cost="300 epochs of ImageNet-1k in batches of 1024: vit_base takes 53 hours on eight GPUs (the paper)",
        expected="72.2 % of ImageNet-1k with vit_tiny, 79.9 % with vit_small, 81.8 % with vit_base "
        "(github.com/facebookresearch/deit)",
        differs="the magnitudes of RandAugment do not vary",
        keys={
            **CROPS,
            **randaugment(magnitude=9),
            "image.erase": 0.25,
            "epochs": 300,
            "batch_size": 1024,
            "keep": "last",
            "label_smoothing": 0.1,
            "mixup": 0.8,
            "cutmix": 1.0,
            "repeats": 3,
            "network.drop_path": 0.1,
            "optimizer.name": "adamw",
            "optimizer.lr": 1e-3,
            "optimizer.weight_decay": 0.05,
            "schedule.warmup_epochs": 5,
        },
    ),
}
