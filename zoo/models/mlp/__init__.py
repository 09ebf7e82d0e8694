"""Multilayer perceptrons of tables."""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.recipe import Optimizer, Recipe, Schedule

FAMILY = Family(
    name="mlp",
    title="Multilayer perceptron of tables",
    reference="Gorishniy et al. 2021, arXiv:2106.11959 (small, base); piecewise linear encoding of Gorishniy et al. "
    "2022, arXiv:2203.05556 (large)",
    builder=f"{__name__}.network",
    input="table",
    tasks=("classes", "values"),
    figures="scikit-learn's MLPClassifier and MLPRegressor on the same splits",
    small_images="",
    recipe=Recipe(
        epochs=60,
        batch_size=32,
        optimizer=Optimizer(name="adamw", lr=3e-3, weight_decay=1e-2),
        schedule=Schedule(warmup_epochs=0),
    ),
    sizes=(
        Size("small", (), {"hidden": (64,)}, 834, 768, (10,), 2),
        Size("base", (), {"hidden": (128, 128), "dropout": 0.1}, 18_178, 17_920, (10,), 2),
        Size("large", (), {"hidden": (256, 256), "dropout": 0.2, "intervals": 8}, 91_906, 91_392, (10,), 2),
    ),
)
