"""The builder of multilayer perceptrons of tables."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from zoo import layers as shared
from zoo.dropout import Dropout
from zoo.inputs.table import layers
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.layers import Outputs, Tensor


def build(
    features: Tensor,
    count: int,
    preprocessing: TablePreprocessing,
    *,
    hidden: Sequence[int] = (64,),
    dropout: float = 0.0,
    intervals: int = 0,
    word_width: int = 0,
) -> Outputs:
    """Build dense layers with ReLU.

    Args:
        features: float32 [batch, columns].
        count: the number of classes or values.
        preprocessing: the preprocessing of the features.
        hidden: the width of each hidden layer.
        dropout: the share of each hidden layer that is dropped in training.
        intervals: the most pieces of a column's piecewise linear encoding; 0: none.
        word_width: the width of a learned vector for each word; 0: a column for each word, which is 1 or 0.
    """
    x = layers.standardized(features, preprocessing)
    parts = [x]
    if x is not None and intervals:
        parts = [x, layers.Pieces(*layers.intervals(preprocessing, intervals), name="pieces")(x)]
    x = layers.joined([*parts, *layers.indicators(features, preprocessing, word_width)])
    maps = {}
    for number, width in enumerate(hidden, start=1):
        x = keras.layers.Dense(
            shared.width(f"hidden{number}", width),
            activation="relu",
            kernel_initializer="he_normal",
            name=f"hidden{number}",
        )(x)
        maps[f"hidden{number}"] = shared.FeatureMap(x, 1)
        if dropout:
            x = Dropout(dropout, name=f"dropout{number}")(x)
    return Outputs(shared.logits(x, count), maps)
