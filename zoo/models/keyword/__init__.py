"""Keyword networks, which tell which of a few words is said in a clip of about a second.

`small` is a plain CNN over frequency and time, whose last map sees most of a word. The others are MatchboxNets:
separable convolutions along time, with the bands as channels. BC-ResNet (Kim et al. 2021, arXiv:2106.04140) has the
best accuracy for its multiply-adds in the literature, but not for its latency here: its maps keep the frequencies, and
its dilated convolutions and sub-spectral norms become more than 200 small ONNX nodes, which take several times as long
as MatchboxNet's forty.
"""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.models.keyword.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule

FAMILY = Family(
    name="keyword",
    title="Keyword CNN and MatchboxNet",
    input="audio",
    reference="Majumdar & Ginsburg 2020, arXiv:2004.08531 (base, large), as NVIDIA NeMo's matchboxnet_3x1x64_v2, but "
    "with 40 log-mel bands in place of 64 MFCCs, two convolutions in a block, a stride of 2 in the first convolution, "
    "and no dilation in that of 29 frames",
    builder="zoo.models.keyword.network",
    figures="nobody publishes figures of these networks on log-mel spectrograms",
    recipe=Recipe(
        epochs=30,
        batch_size=64,
        optimizer=Optimizer(name="adamw", lr=3e-3, weight_decay=1e-2),
        schedule=Schedule(warmup_epochs=2),
    ),
    measured="on synthetic speech, which says nothing about human speech: small 0.990, base 0.995, large 1.000 after "
    "15 epochs (results/audio_synthetic.json)",
    recipes=RECIPES,
    sizes=(
        Size("small", (), {"filters": (16, 24, 32, 40, 48, 56)}, 64_620, 2_567_904, (16_000, 40), 12),
        Size("base", ("matchboxnet",), {"kernels": (13, 15, 17), "repeats": 2}, 87_108, 4_099_896, (16_000, 40), 12),
        Size(
            "large",
            (),
            {"kernels": (13, 15, 17), "repeats": 2, "width": 128},
            313_028,
            15_002_168,
            (16_000, 40),
            12,
        ),
    ),
)
