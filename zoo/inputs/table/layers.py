"""The first layers of networks for tables, which are fixed: all their numbers come from the preprocessing.

Tensors are [batch, columns], in which NaN stands for a missing value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.inputs.table.preprocessing import TablePreprocessing

Tensor = Any  # keras.KerasTensor, for which Keras ships no types

NARROWEST = 1000 * float(np.finfo(np.float32).eps)
"""The least width of an interval of `Pieces`, as a share of the greatest number in the computation of its ends."""


def numbers(preprocessing: TablePreprocessing) -> list[int]:
    """Return the indices of the columns that are not words."""
    return [index for index, column in enumerate(preprocessing.columns) if column.kind != "word"]


def standardized(features: Tensor, preprocessing: TablePreprocessing) -> Tensor | None:
    """Return the columns that are not words with mean 0 and std 1, 0 where missing; None if all are words.

    A column that is constant in training is 0 in every row.
    """
    indices = numbers(preprocessing)
    if not indices:
        return None
    columns = [preprocessing.columns[index] for index in indices]
    x = Columns(indices, name="numbers")(features) if len(indices) < len(preprocessing.columns) else features
    return Standardized([c.mean for c in columns], [c.scale for c in columns], name="standardized")(x)


def indicators(features: Tensor, preprocessing: TablePreprocessing, width: int = 0) -> list[Tensor]:
    """Return features for missing values, of the columns that lack values in training, and features for words.

    Each of these columns has a feature that is 1 where its value is missing, and each word has a feature that is 1
    where it occurs. With a `width`, a word has a learned vector of that many numbers instead. A word that was never
    seen is 0 in all features, so that it changes nothing.
    """
    columns = preprocessing.columns
    parts = []
    missing = [index for index, column in enumerate(columns) if column.missing]
    if missing:
        parts.append(Missing(missing, name="missing")(features))
    codes = [(index, code) for index, column in enumerate(columns) for code in range(len(column.words))]
    if codes and width:
        indices = [index for index, column in enumerate(columns) if column.words]
        counts = [len(columns[index].words) for index in indices]
        parts.append(WordVectors(indices, counts, width, name="word_vectors")(features))
    elif codes:
        parts.append(Words([index for index, _ in codes], [code for _, code in codes], name="words")(features))
    return parts


def joined(parts: Sequence[Tensor | None]) -> Tensor:
    """Return all parts side by side."""
    present = [part for part in parts if part is not None]
    return keras.layers.Concatenate(name="joined")(present) if len(present) > 1 else present[0]


class Exact(keras.layers.Layer):
    """A layer that computes in the precision of the weights: bfloat16 cannot tell two dates, or two words, apart."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"dtype": keras.config.dtype_policy().variable_dtype, **options})


@keras.saving.register_keras_serializable("zoo")
class Columns(Exact):
    """Some of the columns; `places` are their indices."""

    def __init__(self, places: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.places = list(places)

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, places]."""
        import tensorflow as tf

        return tf.gather(x, self.places, axis=1)

    def compute_output_spec(self, x: Tensor) -> Tensor:
        """Return the shape and dtype of the result."""
        return keras.KerasTensor((x.shape[0], len(self.places)), x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "places": self.places}


@keras.saving.register_keras_serializable("zoo")
class Standardized(Exact):
    """Columns minus their mean, times a scale; 0 where a value is missing.

    The mean is subtracted first: one product and one sum would lose the small differences of large numbers in float32.
    """

    def __init__(self, mean: Sequence[float], scale: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.mean, self.scale = list(mean), list(scale)

    def call(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        import tensorflow as tf

        z = (x - tf.constant(self.mean, x.dtype)) * tf.constant(self.scale, x.dtype)
        # A scalar, because tf.zeros_like reads the shape, which adds nodes in ONNX.
        return tf.where(tf.math.is_nan(z), tf.constant(0.0, z.dtype), z)

    def compute_output_spec(self, x: Tensor) -> Tensor:
        """Return the shape and dtype of the result."""
        return keras.KerasTensor(x.shape, x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "mean": self.mean, "scale": self.scale}


@keras.saving.register_keras_serializable("zoo")
class Missing(Columns):
    """1 where a value of some of the columns is missing, else 0."""

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, places]."""
        import tensorflow as tf

        return tf.cast(tf.math.is_nan(super().call(x)), x.dtype)


@keras.saving.register_keras_serializable("zoo")
class Words(Columns):
    """1 where a column has a code, else 0; the first of `codes` belongs to the first of `places`, and so on."""

    def __init__(self, places: Sequence[int], codes: Sequence[int], **options: Any) -> None:
        super().__init__(places, **options)
        self.codes = list(codes)

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, codes]."""
        import tensorflow as tf

        return tf.cast(tf.equal(super().call(x), tf.constant(self.codes, x.dtype)), x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "codes": self.codes}


@keras.saving.register_keras_serializable("zoo")
class WordVectors(Columns):
    """A learned vector for each word of some columns, side by side; zeros for all other codes and missing values.

    The entity embeddings of Guo and Berkhahn 2016, arXiv:1604.06737.
    """

    def __init__(self, places: Sequence[int], counts: Sequence[int], width: int, **options: Any) -> None:
        super().__init__(places, **options)
        self.counts, self.width = list(counts), width

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make a vector for each word."""
        initializer = keras.initializers.RandomNormal(stddev=1 / np.sqrt(self.width))
        self.vectors = self.add_weight(name="vectors", shape=(sum(self.counts), self.width), initializer=initializer)

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, places · width]."""
        import tensorflow as tf

        codes = super().call(x)
        vectors = keras.ops.convert_to_tensor(self.vectors)
        # tf2onnx (1.17) turns >= into "not <", which is true of NaN.
        codes = tf.where(tf.math.is_nan(codes), tf.constant(-1.0, codes.dtype), codes)
        is_known = tf.logical_and(codes >= 0, codes < tf.constant(self.counts, codes.dtype))
        offsets = np.cumsum([0, *self.counts[:-1]])
        rows = tf.where(is_known, codes + tf.constant(offsets, codes.dtype), tf.constant(sum(self.counts), codes.dtype))
        table = tf.concat([vectors, tf.zeros((1, self.width), vectors.dtype)], 0)
        return tf.reshape(tf.gather(table, tf.cast(rows, tf.int64)), (-1, len(self.places) * self.width))

    def compute_output_spec(self, x: Tensor) -> Tensor:
        """Return the shape and dtype of the result."""
        return keras.KerasTensor((x.shape[0], len(self.places) * self.width), x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "counts": self.counts, "width": self.width}


@keras.saving.register_keras_serializable("zoo")
class Products(keras.layers.Layer):
    """The product of each pair of columns, and the square of each."""

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, columns · (columns + 1) / 2]."""
        import tensorflow as tf

        first, second = np.triu_indices(x.shape[1])
        return tf.gather(x, first, axis=1) * tf.gather(x, second, axis=1)

    def compute_output_spec(self, x: Tensor) -> Tensor:
        """Return the shape and dtype of the result."""
        return keras.KerasTensor((x.shape[0], x.shape[1] * (x.shape[1] + 1) // 2), x.dtype)


@keras.saving.register_keras_serializable("zoo")
class Pieces(Columns):
    """The piecewise linear encoding of Gorishniy et al. 2022, arXiv:2203.05556.

    A column becomes one feature for each of its intervals: 0 below it, 1 above it, linear within it. The first
    interval has no lower end and the last one no upper end.
    """

    def __init__(self, places: Sequence[int], start: Sequence[float], end: Sequence[float], **options: Any) -> None:
        super().__init__(places, **options)
        self.start, self.end = list(start), list(end)

    def call(self, x: Tensor) -> Tensor:
        """Return [batch, intervals]."""
        import tensorflow as tf

        start, indices = np.array(self.start), np.array(self.places)
        scale = 1 / (np.array(self.end) - start)
        unbounded = np.finfo(np.float32).max
        first = np.append(True, indices[1:] != indices[:-1])
        last = np.append(indices[1:] != indices[:-1], True)
        share = (super().call(x) - tf.constant(start, x.dtype)) * tf.constant(scale, x.dtype)
        share = tf.maximum(share, tf.constant(np.where(first, -unbounded, 0), x.dtype))
        return tf.minimum(share, tf.constant(np.where(last, unbounded, 1), x.dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras."""
        return {**super().get_config(), "start": self.start, "end": self.end}


def intervals(preprocessing: TablePreprocessing, most: int) -> tuple[list[int], list[float], list[float]]:
    """Return the arguments of `Pieces` for standardized columns: at most `most` intervals for each.

    If a column has a few huge numbers, the standardized quantiles of its other numbers nearly coincide. Therefore each
    interval is so wide that float32 tells its ends apart, see `NARROWEST`.
    """
    indices, start, end = [], [], []
    for index, number in enumerate(numbers(preprocessing)):
        column = preprocessing.columns[number]
        knot_indices = np.unique(np.linspace(0, max(len(column.knots) - 1, 0), most + 1).round().astype(int))
        knots: list[float] = []
        for knot_index in knot_indices if column.knots else ():
            knot = (column.knots[knot_index] - column.mean) / column.std
            rounded = max(abs(knot), abs(column.mean) / column.std, 1e-3)
            knots.append(max(knot, knots[-1] + NARROWEST * rounded) if knots else knot)
        if len(knots) < 2:
            knots = [-1.0, 1.0]
        indices += [index] * (len(knots) - 1)
        start += knots[:-1]
        end += knots[1:]
    return indices, start, end
