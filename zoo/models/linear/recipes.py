"""Recipes of linear models that others use."""

from __future__ import annotations

from zoo.named_recipe import NamedRecipe

RECIPES = {
    "sklearn": NamedRecipe(
        title="the penalty of scikit-learn's LogisticRegression (C=1) and Ridge (alpha=1) by default",
        source="scikit-learn's documentation of sklearn.linear_model.LogisticRegression and Ridge",
        cost="200 epochs in batches of 32",
        expected="scikit-learn's LogisticRegression: 0.960 on iris, 0.983 on wine and 0.968 on breast_cancer "
        "(results/tables_accuracy.json)",
        differs="gradient descent, not L-BFGS or an exact solution; zoo's penalty is on a mean over examples, "
        "scikit-learn's on a sum: optimizer.l2 is 1 over the number of training rows for Ridge and for two classes, "
        "half of that for more classes, and here is that for 500 rows and two classes",
        sizes=("small",),
        keys={
            "epochs": 200,
            "batch_size": 32,
            "keep": "last",
            "optimizer.name": "sgd",
            "optimizer.lr": 0.1,
            "optimizer.momentum": 0.9,
            "optimizer.weight_decay": 0.0,
            "optimizer.l2": 2e-3,
            "schedule.shape": "cosine",
            "schedule.warmup_epochs": 0,
        },
    ),
}
