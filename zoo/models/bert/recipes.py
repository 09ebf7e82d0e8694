"""Published recipes of BERT: fine-tuning."""

from __future__ import annotations

from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="Devlin et al. 2018: three epochs with a linear decay to zero",
        source="Devlin et al. 2018, arXiv:1810.04805, appendix A.3, and run_classifier.py of google-research/bert",
        cost="3 epochs in batches of 32",
        expected="93.5 % of SST-2 with bert-base, 94.9 % with bert-large (the paper, table 1)",
        from_weights=True,
        keys={
            "epochs": 3,
            "batch_size": 32,
            "keep": "last",
            "network.dropout": 0.1,
            "optimizer.name": "adamw",
            "optimizer.lr": 5e-5,
            "optimizer.weight_decay": 0.01,
            "optimizer.clip_norm": 1.0,
            "schedule.shape": "linear",
            "schedule.warmup_epochs": 0.3,
            "text.max_length": 128,
        },
        differs="Adam with its bias correction; the paper takes the best of three to four rates",
    ),
    "stable": NamedRecipe(
        title="Mosbach et al. 2020: longer and slower, for a few hundred to a few thousand texts",
        source="Mosbach et al. 2020, arXiv:2006.04884, section 6",
        cost="20 epochs in batches of 16",
        expected="no accuracy of its own: it varies less from seed to seed (the paper, table 1)",
        from_weights=True,
        keys={
            "epochs": 20,
            "batch_size": 16,
            "keep": "last",
            "network.dropout": 0.1,
            "optimizer.name": "adamw",
            "optimizer.lr": 2e-5,
            "optimizer.weight_decay": 0.01,
            "optimizer.clip_norm": 1.0,
            "schedule.shape": "linear",
            "schedule.warmup_epochs": 2,
            "text.max_length": 128,
        },
    ),
}
