"""Long short-term memory networks that classify texts."""

from __future__ import annotations

from zoo.family import Family
from zoo.models.lstm.recipes import RECIPES
from zoo.models.lstm.sizes import DEPTH, ROWS
from zoo.recipe import Optimizer, Recipe, Schedule

FAMILY = Family(
    name="lstm",
    title="LSTM",
    reference="Hochreiter and Schmidhuber 1997; Gers et al. 2000 (forget gates); Graves and Schmidhuber 2005 (base, "
    "large: bidirectional)",
    builder=f"{__name__}.network",
    input="text",
    figures="nobody publishes figures of such networks: the vocabulary is the data's own",
    # results/int8_kinds.json, small and large
    no_int8="ONNX computes an LSTM on floats only, int8 takes 1.00 to 1.01 times as long as float32",
    recipe=Recipe(
        epochs=4,
        batch_size=64,
        optimizer=Optimizer(name="adamw", lr=4e-3, weight_decay=1e-2, clip_norm=1.0),
        schedule=Schedule(warmup_epochs=0.25),
    ),
    measured="lstm small: 0.840 at the sentiment of sentences (results/sentences.json), 0.990 at the language of "
    "paragraphs in nine languages (results/man_pages.json)",
    recipes=RECIPES,
    scaled={
        "embedding": 8,
        **{f"lstm{n}_{direction}": 8 for n in range(1, DEPTH + 1) for direction in ("forward", "backward")},
    },
    sizes=ROWS,
)
