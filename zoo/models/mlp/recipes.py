"""Recipes of multilayer perceptrons that others use."""

from __future__ import annotations

from zoo.named_recipe import NamedRecipe

RECIPES = {
    "sklearn": NamedRecipe(
        title="the defaults of scikit-learn's MLPClassifier and MLPRegressor",
        source="scikit-learn's documentation of sklearn.neural_network.MLPClassifier",
        cost="up to 200 epochs in batches of 200; it ends after 10 epochs without a better score",
        differs="the validation split decides when it ends, not the training loss, and the best weights are kept",
        keys={
            "epochs": 200,
            "batch_size": 200,
            "patience": 10,
            "network.dropout": 0.0,
            "optimizer.name": "adamw",
            "optimizer.lr": 1e-3,
            "optimizer.weight_decay": 0.0,
            # Half of alpha, 1e-4, over the examples of a batch.
            "optimizer.l2": 2.5e-7,
            "schedule.shape": "constant",
            "schedule.warmup_epochs": 0,
        },
    ),
}
