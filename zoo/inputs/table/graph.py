"""The functions of `zoo.input.Graph` for tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.names import shown
from zoo.data.reading import PREFETCHED
from zoo.data.share import WHOLE, Share, check_batch
from zoo.inputs.table.columns import BOOLEANS, DATE, SECONDS, Column, TableSettings, tensor_names
from zoo.inputs.table.preprocessing import FEATURES, NOT_OF_KIND, TOO_LARGE, TablePreprocessing, encode

DAYS_OF_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

DAYS_BEFORE_1970 = 719_162
"""The days from the start of the year 1 to that of 1970."""


def prepared(inputs: Mapping[str, Any], preprocessing: TablePreprocessing) -> dict[str, Any]:
    """Return the network's input, which is that of the contract."""
    return dict(inputs)


def decoded(raw: Mapping[str, Any], preprocessing: TablePreprocessing) -> tuple[dict[str, Any], Any]:
    """Encode rows, of which each column is a tensor [batch], float32 or string.

    Returns:
        `features`, float32 [batch, columns], 0 in a refused row; and the status, string [batch]: the first reason to
        refuse the row in words that follow 'is', or the empty string.
    """
    import tensorflow as tf

    features, reasons = [], []
    columns = preprocessing.columns
    for name, column in zip(tensor_names(columns), columns, strict=True):
        feature, is_valid, reason = _feature(raw[name], column)
        features.append(feature)
        reasons.append(tf.where(is_valid, "", f"wrong: {reason}"))
    status = reasons[0]
    for reason in reasons[1:]:
        status = tf.where(tf.equal(status, ""), reason, status)
    zero = tf.constant(0.0)
    return {FEATURES: tf.where(tf.equal(status, "")[:, None], tf.stack(features, 1), zero)}, status


def _feature(values: Any, column: Column) -> tuple[Any, Any, str]:
    """Return the features of a column, whether each value is valid, bool [batch], and what is wrong with the others."""
    import tensorflow as tf

    name = shown(column.name)
    if column.kind == "number":
        return values, tf.logical_not(tf.math.is_inf(values)), TOO_LARGE.format(name)
    missing = tf.equal(values, "")
    if column.kind == "date":
        features, is_valid = _days(values)
    elif column.kind == "boolean":
        features = _looked_up(values, BOOLEANS, -1.0)
        is_valid = features >= 0
    else:
        codes = {word: float(code) for code, word in enumerate(column.words)}
        features, is_valid = _looked_up(values, codes, float(len(codes))), tf.ones_like(missing)
    reason = NOT_OF_KIND.get(column.kind, "").format(name)
    return tf.where(missing, np.float32("nan"), features), tf.logical_or(missing, is_valid), reason


def _looked_up(values: Any, numbers: dict[str, float], other: float) -> Any:
    """Return the number of each word, float32 [batch]; `other` for a word that has none.

    It compares the words, because a lookup table of TensorFlow is a resource: it needs an owner and an initialization.
    """
    import tensorflow as tf

    if not numbers:
        return tf.fill(tf.shape(values), np.float32(other))
    is_match = tf.equal(values[:, None], tf.constant(list(numbers))[None])
    matching = tf.reduce_max(tf.where(is_match, tf.constant(list(numbers.values()), tf.float32), -np.float32("inf")), 1)
    return tf.where(tf.reduce_any(is_match, 1), matching, np.float32(other))


def _days(texts: Any) -> tuple[Any, Any]:
    """Return the days since 1970, float32 [batch], of dates, and whether each text is a date, bool [batch]."""
    import tensorflow as tf

    has_form = tf.strings.regex_full_match(texts, DATE)
    # Parts are cut and read as numbers only from texts that have the form.
    texts = tf.where(has_form, texts, "1970-01-01T00:00:00")
    length = tf.strings.length(tf.strings.regex_replace(texts, "Z", ""))
    texts = tf.where(length >= 16, texts, tf.strings.join([tf.strings.substr(texts, 0, 10), "T00:00"]))
    texts = tf.where(length >= 19, texts, tf.strings.join([tf.strings.substr(texts, 0, 16), ":00"]))

    def part(start: int, size: int) -> Any:
        return tf.strings.to_number(tf.strings.substr(texts, start, size), tf.int64)

    year, month, day = part(0, 4), part(5, 2), part(8, 2)
    hour, minute, second = part(11, 2), part(14, 2), part(17, 2)
    leap = tf.equal(year % 4, 0) & (tf.not_equal(year % 100, 0) | tf.equal(year % 400, 0))
    month_index = tf.clip_by_value(month, 1, 12) - 1
    longest = tf.gather(tf.constant(DAYS_OF_MONTHS, tf.int64), month_index)
    longest += tf.cast(leap & tf.equal(month, 2), tf.int64)
    is_valid = has_form & (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= longest)
    is_valid &= (minute < 60) & (second < 60)

    full_years = year - 1
    date = full_years * 365 + full_years // 4 - full_years // 100 + full_years // 400 - DAYS_BEFORE_1970
    date += tf.gather(tf.constant(np.cumsum((0, *DAYS_OF_MONTHS[:-1])), tf.int64), month_index)
    date += tf.cast(leap & (month > 2), tf.int64) + day - 1
    seconds = date * SECONDS + hour * 3600 + minute * 60 + second
    return tf.cast(tf.cast(seconds, tf.float64) / SECONDS, tf.float32), is_valid


def training_batches(
    rows: Examples,
    preprocessing: TablePreprocessing,
    settings: TableSettings,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    start: int = 0,
    share: Share = WHOLE,
) -> Any:
    """Return one epoch as a tf.data.Dataset of (features by name, targets [batch]), in an order of (seed, epoch).

    A last, smaller batch is left out, and so are the first `start` batches.

    Raises:
        ZooError: there are fewer rows than `batch_size`.
    """
    check_batch(batch_size, len(rows))
    order, drawn = rows.epoch(np.random.default_rng((seed, epoch)), batch_size)
    index = drawn[share.of(order[start * batch_size :], batch_size)]
    return _batches((_encoded(rows, preprocessing)[index], rows.targets[index]), share.size(batch_size))


def evaluation_batches(
    rows: Examples, preprocessing: TablePreprocessing, *, batch_size: int, share: Share = WHOLE
) -> Any:
    """Return every row in order, as a tf.data.Dataset of (features by name, targets, weights float32 [batch]).

    The last batch is filled up with copies of the first row, whose weight is 0; that of all others is 1.
    """
    index, weights = share.filled(len(rows), batch_size)
    return _batches((_encoded(rows, preprocessing)[index], rows.targets[index], weights), share.size(batch_size))


def _batches(columns: tuple[np.ndarray, ...], batch_size: int) -> Any:
    import tensorflow as tf

    # Without this pin, a machine with a GPU would copy every tensor there and back.
    with tf.device("CPU"):
        return (
            tf.data.Dataset.from_tensor_slices(columns)
            .batch(batch_size, drop_remainder=True)
            .map(lambda features, *others: ({FEATURES: features}, *others))
            .prefetch(PREFETCHED)
        )


_features: WeakKeyDictionary[Examples, tuple[TablePreprocessing, np.ndarray]] = WeakKeyDictionary()
"""The features of splits, so that each is encoded once and not in each epoch."""


def _encoded(rows: Examples, preprocessing: TablePreprocessing) -> np.ndarray:
    encoded_with, features = _features.get(rows, (None, np.empty(0)))
    if encoded_with != preprocessing:
        features = encode([rows.read(index) for index in range(len(rows))], preprocessing)[FEATURES]
        _features[rows] = preprocessing, features
    return features
