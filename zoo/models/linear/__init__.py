"""Linear and logistic regression of tables."""

from __future__ import annotations

from zoo.family import Family, Size
from zoo.models.linear.recipes import RECIPES
from zoo.recipe import Optimizer, Recipe, Schedule

# Many terms on few rows: without decay, products lose 0.05 of R² on diabetes.
SHRINKING = Recipe(
    epochs=40,
    batch_size=16,
    keep="last",
    optimizer=Optimizer(name="adamw", lr=2e-2, weight_decay=1.0),
    schedule=Schedule(warmup_epochs=0),
)

FAMILY = Family(
    name="linear",
    title="Linear and logistic regression",
    reference="ordinary least squares and multinomial logistic regression; with products of pairs, or with linear "
    "splines (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2009, chapter 5)",
    builder=f"{__name__}.network",
    input="table",
    explainer=f"{__name__}.coefficients",
    # results/int8_kinds.json
    no_int8="its one product is too small, int8 takes 1.09 times as long as float32",
    figures="scikit-learn's LinearRegression and LogisticRegression on the same splits",
    small_images="",
    # Plain gradient descent comes within 0.01 of scikit-learn's answers, and finds y = 2x on three rows to four digits.
    recipe=Recipe(
        epochs=60,
        batch_size=16,
        keep="last",
        optimizer=Optimizer(name="sgd", lr=0.1, momentum=0.6, weight_decay=0.0),
        schedule=Schedule(warmup_epochs=0),
    ),
    measured="linear small, means of five splits: 0.947 on iris, 0.983 on wine, 0.970 on breast_cancer, and an R² of "
    "0.488 on diabetes (results/tables_accuracy.json)",
    recipes=RECIPES,
    sizes=(
        Size("small", (), {}, 22, 20, (10,), 2),
        Size("base", (), {"terms": "products"}, 132, 130, (10,), 2, recipe=SHRINKING),
        Size("large", (), {"terms": "splines"}, 102, 100, (10,), 2, recipe=SHRINKING),
    ),
)
