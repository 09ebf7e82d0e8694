"""Multilayer perceptrons of tables."""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.models.mlp.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule


def recipe(lr: float) -> Recipe:
    """Return the recipe of small and base.

    The decay is strong: on the few hundred rows of diabetes, one of 0.01 loses 0.08 of R². The last weights are kept,
    because a validation split of a few dozen rows chooses by chance.
    """
    return Recipe(
        epochs=40,
        batch_size=16,
        keep="last",
        optimizer=Optimizer(name="adamw", lr=lr, weight_decay=1.0),
        schedule=Schedule(warmup_epochs=0),
    )


FAMILY = Family(
    name="mlp",
    title="Multilayer perceptron of tables",
    reference="Gorishniy et al. 2021, arXiv:2106.11959; with embeddings of words, and their piecewise linear "
    "encoding of numbers of 2022, arXiv:2203.05556 (large)",
    builder=f"{__name__}.network",
    input="table",
    figures="scikit-learn's MLPClassifier and MLPRegressor on the same splits",
    # results/int8_kinds.json, small and large
    no_int8="its products are too small, int8 takes 1.04 to 1.15 times as long as float32",
    small_images="",
    recipe=recipe(1e-2),
    measured="mlp small, means of five splits: 0.960 on iris, 0.983 on wine, 0.972 on breast_cancer, and an R² of "
    "0.495 on diabetes (results/tables_accuracy.json)",
    recipes=RECIPES,
    sizes=(
        Size("small", (), {"hidden": (64,)}, 834, 768, (10,), 2),
        Size("base", (), {"hidden": (128, 128), "dropout": 0.2}, 18_178, 17_920, (10,), 2, recipe=recipe(5e-3)),
        Size(
            "large",
            (),
            {"hidden": (256, 256), "dropout": 0.2, "intervals": 8, "word_width": 16},
            89_602,
            89_088,
            (10,),
            2,
            recipe=Recipe(
                epochs=60,
                batch_size=32,
                optimizer=Optimizer(name="adamw", lr=1e-3, weight_decay=1.0),
                schedule=Schedule(warmup_epochs=0),
            ),
        ),
    ),
)
