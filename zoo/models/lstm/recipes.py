"""Published recipes of LSTMs: fine-tuning."""

from __future__ import annotations

from zoo.named_recipe import NamedRecipe

RECIPES = {
    "ulmfit": NamedRecipe(
        title="ULMFiT: layers near the input learn slowly, and the rate rises quickly and falls slowly",
        source="Howard & Ruder 2018, arXiv:1801.06146, sections 3 and 4.1; epochs: section 5",
        cost="50 epochs in batches of 64",
        expected="95.4 % of IMDb, 96.4 % of TREC-6 with two AWD-LSTMs that were pretrained on Wikipedia (the paper, "
        "table 2, with what differs here)",
        from_weights=True,
        keys={
            "epochs": 50,
            "batch_size": 64,
            "keep": "last",
            "network.dropout": 0.4,
            "optimizer.name": "adamw",
            "optimizer.lr": 0.01,
            "optimizer.momentum": 0.7,
            "optimizer.weight_decay": 0.0,
            # Each layer's rate is that of the next one over 2.6.
            "optimizer.layer_decay": 0.385,
            "schedule.shape": "linear",
            "schedule.warmup_epochs": 5,
        },
        differs="the weights are those of a run on other texts, not of a language model; all layers learn from the "
        "first step on, where the paper unfreezes one after the other; no weights are dropped, and all rates of "
        "dropout are equal; beta 2 is 0.999, not 0.99; the rate falls to zero, not to a 32nd",
    ),
}
