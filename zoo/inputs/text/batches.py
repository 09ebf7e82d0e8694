"""Batches of texts by tf.data, for training and evaluating networks; each is padded to its longest text."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.data.dataset import Examples
from zoo.data.reading import PREFETCHED
from zoo.data.share import WHOLE, Share, check_batch
from zoo.inputs.text.augment import with_words_hidden
from zoo.inputs.text.preprocessing import ATTENTION_MASK, INPUT_IDS, TextPreprocessing
from zoo.inputs.text.settings import TextSettings
from zoo.inputs.text.tokens import Tokens, tokenized
from zoo.provenance import usable_cpus

POOL = 32
"""The number of batches in a pool. Texts are sorted by length within a pool, so that those of a batch have similar
lengths."""


def training_batches(
    texts: Examples,
    preprocessing: TextPreprocessing,
    settings: TextSettings,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    start: int = 0,
    share: Share = WHOLE,
) -> Any:
    """Return one epoch as a tf.data.Dataset of (network inputs by name, targets [batch]).

    Which texts form a batch, the order of batches, and the words that are hidden depend on (seed, epoch). A last,
    smaller batch is left out, and so are the first `start` batches.

    Raises:
        ZooError: there are fewer texts than `batch_size`.
    """
    check_batch(batch_size, len(texts))
    tokens, generator = tokenized(texts, preprocessing), np.random.default_rng((seed, epoch))
    order, drawn = texts.epoch(generator, batch_size)
    order = by_length(order, tokens.lengths[drawn], batch_size, generator)
    order = share.of(order[start:].reshape(-1), batch_size).reshape(-1, share.size(batch_size))
    index = drawn[order]
    if not settings.word_dropout:
        return _batches(tokens, preprocessing, index, texts.targets[index])
    hidden = with_words_hidden(tokens.of(drawn), preprocessing, settings.word_dropout, generator)
    return _batches(hidden, preprocessing, order, texts.targets[index])


def by_length(order: np.ndarray, lengths: np.ndarray, batch_size: int, generator: np.random.Generator) -> np.ndarray:
    """Return draws in batches of similar lengths, int64 [batches, batch], in a random order.

    `order`, int64 [draws], has the numbers of the draws in a random order; `lengths` has the length of each draw.
    """
    order = order[: len(order) // batch_size * batch_size]
    pools = np.split(order, range(POOL * batch_size, len(order), POOL * batch_size))
    pools = [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
    batches = np.concatenate(pools).reshape(-1, batch_size)
    return batches[generator.permutation(len(batches))]


def evaluation_batches(
    texts: Examples, preprocessing: TextPreprocessing, *, batch_size: int, share: Share = WHOLE
) -> Any:
    """Return every text in order, as a tf.data.Dataset of (network inputs, targets, weights float32 [batch]).

    The last batch is filled up with copies of the first text, whose weight is 0; that of all others is 1.
    """
    text_indices, weights = share.filled(len(texts), batch_size)
    index = text_indices.reshape(-1, share.size(batch_size))
    tokens = tokenized(texts, preprocessing)
    return _batches(tokens, preprocessing, index, texts.targets[index], weights.reshape(index.shape))


def _batches(tokens: Tokens, preprocessing: TextPreprocessing, index: np.ndarray, *columns: np.ndarray) -> Any:
    """Return the network inputs of the texts at `index`, int64 [batches, batch], with the rows of `columns`."""
    import tensorflow as tf

    pad = preprocessing.id_of(preprocessing.pad_token)
    size = index.shape[1]

    def load(indices: Any, *others: Any) -> tuple[Any, ...]:
        token_rows = tf.gather(rows, indices)
        ids = token_rows.to_tensor(pad, shape=[size, None])
        mask = tf.sequence_mask(token_rows.row_lengths(), tf.shape(ids)[1], tf.int64)
        mask.set_shape(ids.shape)
        return {INPUT_IDS: tf.cast(ids, tf.int64), ATTENTION_MASK: mask}, *others

    # Without this pin, a machine with a GPU would copy every tensor there and back.
    with tf.device("CPU"):
        rows = tf.RaggedTensor.from_row_lengths(tokens.ids, tokens.lengths)
        return (
            tf.data.Dataset.from_tensor_slices((index, *columns))
            .map(tf.autograph.experimental.do_not_convert(load), num_parallel_calls=usable_cpus())
            .prefetch(PREFETCHED)
        )
