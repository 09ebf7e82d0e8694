"""Linear and logistic regression of tables."""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.recipe import Optimizer, Recipe, Schedule

FAMILY = Family(
    name="linear",
    title="Linear and logistic regression",
    reference="ordinary least squares and multinomial logistic regression; with products of pairs, or with linear "
    "splines (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2009, chapter 5)",
    builder=f"{__name__}.network",
    input="table",
    tasks=("classes", "values"),
    figures="scikit-learn's LinearRegression and LogisticRegression on the same splits",
    small_images="",
    recipe=Recipe(
        epochs=100,
        batch_size=32,
        optimizer=Optimizer(name="adamw", lr=3e-2, weight_decay=0.0),
        schedule=Schedule(warmup_epochs=0),
    ),
    sizes=(
        Size("small", (), {}, 22, 20, (10,), 2),
        Size("base", (), {"terms": "products"}, 132, 130, (10,), 2),
        Size("large", (), {"terms": "splines"}, 82, 80, (10,), 2),
    ),
)
