"""Published recipes of Inception."""

from __future__ import annotations

from zoo.inputs.image.recipes import CROPS, DROPS_DIFFER
from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="Szegedy et al. 2015 on ImageNet-1k, with momentum",
        source="Szegedy et al. 2015, arXiv:1512.00567, section 8",
        cost="100 epochs of ImageNet-1k in batches of 1600 (50 replicas of 32)",
        expected="78.8 % of ImageNet-1k with inception_v3, one crop (the paper, table 3, by RMSProp)",
        differs="momentum, as in the paper's earlier experiments, where its best networks have RMSProp; the replicas "
        "of a step wait for each other; no second classifier on an inner map",
        sizes=("small",),
        keys={
            **CROPS,
            "image.size": 299,
            "epochs": 100,
            "batch_size": 1600,
            "keep": "last",
            "label_smoothing": 0.1,
            "optimizer.name": "sgd",
            "optimizer.lr": 0.045,
            "optimizer.weight_decay": 0.0,
            "optimizer.clip_norm": 2.0,
            "schedule.shape": "step",
            "schedule.warmup_epochs": 0,
            "schedule.drop_epochs": 2,
            "schedule.drop": 0.94,
        },
    ),
    "mixup": NamedRecipe(
        title="MixUp and half a cosine, as PaddlePaddle trains Inception v4",
        source="PaddleCV/image_classification/scripts/train/InceptionV4.sh of github.com/PaddlePaddle/models",
        cost="200 epochs of ImageNet-1k in batches of 256: 367 hours on eight V100",
        expected="80.77 % of ImageNet-1k with inception_v4 (README_en.md of PaddleCV/image_classification)",
        differs=DROPS_DIFFER,
        sizes=("base",),
        keys={
            **CROPS,
            "image.size": 299,
            "image.crop_pct": 0.934,
            "epochs": 200,
            "batch_size": 256,
            "keep": "last",
            "label_smoothing": 0.1,
            "mixup": 0.2,
            "optimizer.name": "sgd",
            "optimizer.lr": 0.045,
            "optimizer.weight_decay": 0.0,
            # A decay of 1e-4 that is a part of the gradient.
            "optimizer.l2": 5e-5,
            "schedule.shape": "cosine",
            "schedule.warmup_epochs": 0,
        },
    ),
}
