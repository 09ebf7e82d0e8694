"""The builder of linear models of tables."""

from __future__ import annotations

from typing import Literal

import keras

from zoo.contract import LOGITS
from zoo.inputs.table import layers
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.layers import Outputs, Tensor


def build(
    features: Tensor,
    count: int,
    preprocessing: TablePreprocessing,
    *,
    terms: Literal["columns", "products", "splines"] = "columns",
    intervals: int = 4,
) -> Outputs:
    """Build a linear function of the standardized columns, of missing values and of words.

    Args:
        features: float32 [batch, columns].
        count: the number of classes or values.
        preprocessing: the preprocessing of the features.
        terms: `products` adds the products of pairs, and squares; `splines` adds a piecewise linear function of each
            column. The columns themselves stay, so that weight decay shrinks a function to a straight line first.
        intervals: the most pieces of a column's function.
    """
    x = layers.standardized(features, preprocessing)
    parts = [x]
    if x is not None and terms == "products":
        parts.append(layers.Products(name="products")(x))
    if x is not None and terms == "splines":
        parts.append(layers.Pieces(*layers.intervals(preprocessing, intervals), name="pieces")(x))
    x = layers.joined([*parts, *layers.indicators(features, preprocessing)])
    # The loss is convex: zeros are as good a start as any, and a word that no training row has keeps its 0.
    dtype = keras.config.dtype_policy().variable_dtype
    return Outputs(keras.layers.Dense(count, kernel_initializer="zeros", dtype=dtype, name=LOGITS)(x))
