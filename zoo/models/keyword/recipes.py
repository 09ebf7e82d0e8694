"""Published recipes of keyword networks."""

from __future__ import annotations

from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="Majumdar & Ginsburg 2020, as far as zoo has its parts",
        source="Majumdar & Ginsburg 2020, arXiv:2004.08531, section 3; NVIDIA NeMo's "
        "examples/asr/conf/matchboxnet/matchboxnet_3x1x64_v2.yaml",
        cost="200 epochs of Speech Commands in batches of 128",
        expected="97.48 % of Speech Commands V1 with MatchboxNet-3×2×64 (the paper, with what differs here)",
        differs="the network takes 40 log-mel bands, not 64 MFCCs, halves the frames in its first convolution, and has "
        "no dilation; AdamW at a rate of zoo's choice, where the paper has NovoGrad at 0.05; a linear fall, not a "
        "quadratic one; masks of single bands and frames, no rectangles; noise in units of a clip's own level",
        sizes=("base", "large"),
        keys={
            "epochs": 200,
            "batch_size": 128,
            "network.dropout": 0.0,
            "optimizer.name": "adamw",
            "optimizer.lr": 3e-3,
            "optimizer.weight_decay": 1e-2,
            "schedule.shape": "linear",
            "schedule.warmup_epochs": 10,
            "schedule.hold_epochs": 90,
            "audio.shift": 0.005,
            "audio.noise": 0.1,
            "audio.frequency_masks": 2,
            "audio.frequency_width": 0.23,
            "audio.time_masks": 2,
            "audio.time_width": 0.2,
        },
    ),
    "bc-resnet": NamedRecipe(
        title="Kim et al. 2021: the training of BC-ResNet, by gradient descent at a high rate, on another network",
        source="Kim et al. 2021, arXiv:2106.04140, as main.py and utils.py of github.com/Qualcomm-AI-research/bcresnet",
        cost="200 epochs of Speech Commands in batches of 100",
        expected="98.7 % of Speech Commands V2 with BC-ResNet-8, another network (the paper's abstract)",
        differs="the network and its dropout are those of the size; Nesterov's momentum; the penalty spares norms and "
        "biases; white noise in all clips, in units of a clip's own level, where theirs is recorded and in four of "
        "five; clips without noise are moved, too",
        keys={
            "epochs": 200,
            "batch_size": 100,
            "keep": "last",
            "optimizer.name": "sgd",
            "optimizer.lr": 0.1,
            "optimizer.momentum": 0.9,
            "optimizer.weight_decay": 0.0,
            # A decay of 1e-3 that is a part of the gradient.
            "optimizer.l2": 5e-4,
            "schedule.shape": "cosine",
            "schedule.warmup_epochs": 5,
            "audio.shift": 0.1,
            "audio.noise": 0.1,
            # Up to 7 of 40 bands, and up to 20 of 100 frames.
            "audio.frequency_masks": 2,
            "audio.frequency_width": 0.175,
            "audio.time_masks": 2,
            "audio.time_width": 0.2,
        },
    ),
}
