"""Recipes of multilayer perceptrons that others use."""

from __future__ import annotations

from zoo.named_recipe import NamedRecipe

RECIPES = {
    "sklearn": NamedRecipe(
        title="the defaults of scikit-learn's MLPClassifier and MLPRegressor",
        source="scikit-learn's documentation of sklearn.neural_network.MLPClassifier",
        cost="up to 200 epochs in batches of 200; it ends after 10 epochs without a better score",
        expected="scikit-learn's own, with the 64 units of mlp small: 0.934 on iris, 0.983 on wine, 0.972 on "
        "breast_cancer, and an R² of 0.476 on diabetes (results/tables_accuracy.json)",
        differs="the validation split decides when it ends, not the training loss, and the best weights are kept; for "
        "values, the penalty is half of theirs",
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
    "rtdl": NamedRecipe(
        title="Gorishniy et al. 2021, as they tuned it for California Housing",
        source="Gorishniy et al. 2021, arXiv:2106.11959; rate, batch, dropout and decay: "
        "output/california_housing/mlp/tuned/0.toml of github.com/yandex-research/rtdl",
        cost="at most 1000 epochs in batches of 256; theirs ends after about 200 epochs, 35 seconds on a V100",
        expected="a root mean squared error of 0.489 on California Housing, hidden layers of 512 and 174 (0/stats.json "
        "beside the source)",
        differs="the hidden layers are those of the size; numbers are standardized, not transformed to quantiles; "
        "theirs has no last epoch; they tune rate, dropout and decay for each table",
        keys={
            "epochs": 1000,
            "batch_size": 256,
            "patience": 16,
            "network.dropout": 0.29,
            "optimizer.name": "adamw",
            "optimizer.lr": 9.2e-4,
            "optimizer.weight_decay": 0.0,
            "schedule.shape": "constant",
            "schedule.warmup_epochs": 0,
        },
    ),
}
