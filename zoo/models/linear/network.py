"""The builder of linear models of tables."""

from __future__ import annotations

from typing import Literal

import keras

from zoo.contract import LOGITS
from zoo.errors import ZooError
from zoo.inputs.table import layers
from zoo.inputs.table.preprocessing import TablePreprocessing
from zoo.layers import Outputs, Tensor

MOST_FACTORS = 100
"""The most columns that products of pairs are made of."""


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
        preprocessing: of the features.
        terms: `products` adds the products of pairs, and squares; `splines` has piecewise linear functions in place of
            the columns.
        intervals: the most pieces of a column's function.

    Raises:
        ZooError: there are too many columns for products.
    """
    x = layers.standardized(features, preprocessing)
    parts = [x]
    if x is not None and terms == "products":
        if x.shape[1] > MOST_FACTORS:
            raise ZooError(f"products of {x.shape[1]} columns are too many: take linear small, or ignore columns")
        parts.append(layers.Products(name="products")(x))
    if x is not None and terms == "splines":
        parts = [layers.Pieces(*layers.intervals(preprocessing, intervals), name="pieces")(x)]
    x = layers.joined([*parts, *layers.indicators(features, preprocessing)])
    # The loss is convex: zeros are as good a start as any, and a word that no training row has keeps its 0.
    dtype = keras.config.dtype_policy().variable_dtype
    return Outputs(keras.layers.Dense(count, kernel_initializer="zeros", dtype=dtype, name=LOGITS)(x))
