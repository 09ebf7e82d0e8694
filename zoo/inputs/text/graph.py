"""The preprocessing of `zoo.inputs.text.preprocessing` as TensorFlow operations: tokens in a served graph.

All texts of a batch form one sequence of characters, and `row` holds for each character the number of its text. The
steps are those of `tokenizers`: normalize, split into words, cut each word into the longest tokens. Everything that
depends on Unicode or on the vocabulary is a constant: the graph needs no lookup table, and only TensorFlow's own
operations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from zoo.inputs.text.batches import evaluation_batches, training_batches
from zoo.inputs.text.characters import ALONE, CODES, PART, RANKS, REMOVED, ROLES, SPACE, characters
from zoo.inputs.text.preprocessing import (
    ATTENTION_MASK,
    INPUT_IDS,
    LONGEST_TEXT,
    NOT_UTF8,
    SPECIAL,
    TEXT,
    TOO_LONG,
    TextPreprocessing,
)
from zoo.inputs.text.trie import BEGIN, CONTINUE, NONE, trie

__all__ = ["decoded", "evaluation_batches", "prepared", "training_batches"]


class Words(NamedTuple):
    """The words of a batch, character by character; all have the same length.

    Attributes:
        row: the number of the text, int32, ascending.
        code: the code point, int32.
        begins: true for the first character of a word.
    """

    row: Any
    code: Any
    begins: Any

    def where(self, mask: Any) -> Words:
        """The characters for which `mask` is true."""
        import tensorflow as tf

        return Words(*(tf.boolean_mask(values, mask) for values in self))


def prepared(inputs: dict[str, Any], preprocessing: TextPreprocessing) -> dict[str, Any]:
    """Return the network's inputs: the inputs of the contract, unchanged."""
    return {INPUT_IDS: inputs[INPUT_IDS], ATTENTION_MASK: inputs[ATTENTION_MASK]}


def decoded(raw: dict[str, Any], preprocessing: TextPreprocessing) -> tuple[dict[str, Any], Any]:
    """Tokenize texts with TensorFlow operations, and say which of them are refused.

    Args:
        raw: `text`, string [batch], any bytes.
        preprocessing: the preprocessing of the network.

    Returns:
        `input_ids` and `attention_mask`, int64 [batch, length], where `length` is that of the longest text in tokens,
        and a refused text counts as an empty one; and the status, string [batch], the reason for a refused text and
        empty for the others.
    """
    import tensorflow as tf

    row, code, status = _code_points(raw[TEXT])
    batch = tf.size(status)
    words = _shortened(_words(row, code, preprocessing), batch, preprocessing)
    return _padded(*_tokens(words, preprocessing), batch, preprocessing), status


def _code_points(text: Any) -> tuple[Any, Any, Any]:
    """Return row and code point of all characters, int32, without those of refused texts, and the status."""
    import tensorflow as tf

    length = tf.strings.length(text)
    is_long = length > LONGEST_TEXT
    short = tf.where(is_long, "", text)
    splits, code = tf.raw_ops.UnicodeDecode(input=short, input_encoding="UTF-8", errors="ignore", Tsplits=tf.int32)
    row = _count_at_most(splits[1:], tf.range(tf.size(code)))
    # Invalid bytes are left out, so that the code points of such a text take fewer bytes than the text has.
    widths = sum(tf.cast(code >= first, tf.int32) for first in (0, 0x80, 0x800, 0x10000))
    is_valid = tf.equal(tf.math.unsorted_segment_sum(widths, row, tf.size(text)), tf.strings.length(short))
    status = tf.where(is_long, TOO_LONG, tf.where(is_valid, "", NOT_UTF8))
    is_kept = tf.gather(is_valid, row)
    return tf.boolean_mask(row, is_kept), tf.boolean_mask(code, is_kept), status


def _words(row: Any, code: Any, preprocessing: TextPreprocessing) -> Words:
    """Normalize characters and split them into words."""
    import tensorflow as tf

    table = characters(preprocessing)
    run = _count_at_most(tf.constant(table.starts), code) - 1
    first, length = tf.gather(table.places, run), tf.gather(table.lengths, run)
    splits, value_index = tf.raw_ops.RaggedRange(starts=first, limits=first + length, deltas=1, Tsplits=tf.int32)
    source = _count_at_most(splits[1:], tf.range(tf.size(value_index)))
    value = tf.gather(table.values, value_index) + tf.gather(code - tf.gather(table.starts, run), source)
    row = tf.gather(row, source)
    if preprocessing.strip_accents:
        value = _sorted_marks(row, value)
        is_kept = tf.not_equal(_role(value), REMOVED)
        row, value = tf.boolean_mask(row, is_kept), tf.boolean_mask(value, is_kept)
    role = _role(value)
    begins = tf.equal(role, ALONE) | tf.not_equal(_before(role, SPACE), PART) | tf.not_equal(_before(row, NONE), row)
    return Words(row, value % CODES, begins).where(tf.not_equal(role, SPACE))


def _role(value: Any) -> Any:
    return value // CODES % ROLES


def _sorted_marks(row: Any, value: Any) -> Any:
    """Sort each sequence of combining characters by rank, as the canonical decomposition does."""
    import tensorflow as tf

    rank = value // (CODES * ROLES)
    is_mark = rank > 0

    def in_order() -> Any:
        sequence = tf.cumsum(tf.cast(~is_mark | tf.not_equal(_before(row, NONE), row), tf.int64))
        return tf.gather(value, tf.argsort(sequence * RANKS + tf.cast(rank, tf.int64), stable=True))

    return tf.cond(tf.reduce_any(is_mark), in_order, lambda: value)


def _shortened(words: Words, batch: Any, preprocessing: TextPreprocessing) -> Words:
    """Leave out words beyond the most tokens, and characters beyond the longest word; neither changes an answer.

    A word is cut to one character more than the longest word, so that a word that is too long can still be recognized.
    """
    import tensorflow as tf

    word, first = _numbered(words.begins)
    position = tf.range(tf.size(word)) - tf.gather(first, word)
    first_of_row = _count_below(tf.gather(words.row, first), tf.range(batch))
    number = word - tf.gather(first_of_row, words.row)
    return words.where((number < preprocessing.max_length - SPECIAL) & (position <= preprocessing.longest_word))


def _numbered(begins: Any) -> tuple[Any, Any]:
    """Return the number of each character's word, and the position of each word's first character, int32."""
    import tensorflow as tf

    return tf.cumsum(tf.cast(begins, tf.int32)) - 1, tf.cast(tf.where(begins)[:, 0], tf.int32)


def _tokens(words: Words, preprocessing: TextPreprocessing) -> tuple[Any, Any]:
    """Return row and id of the tokens that words are made of, int32."""
    import tensorflow as tf

    word, first = _numbered(words.begins)
    count, size = tf.size(first), tf.size(word)
    position = tf.range(size)
    ends = tf.concat([first[1:], [size]], 0)
    length, token = _longest(words, tf.gather(ends, word), preprocessing)
    # Find the positions where tokens start: those where words begin and, in doubling steps, all that follow from these.
    starts, following = tf.cast(words.begins, tf.int32), position + length
    starts, following = tf.concat([starts, [0]], 0), tf.concat([following, [size]], 0)
    for _ in range(preprocessing.longest_word.bit_length()):
        starts = tf.maximum(starts, tf.math.unsorted_segment_max(starts, following, size + 1))
        following = tf.gather(following, following)
    is_start = starts[:-1] > 0
    stuck = tf.cast(is_start & tf.equal(length, 0), tf.int32)
    unknown = (tf.math.unsorted_segment_max(stuck, word, count) > 0) | (ends - first > preprocessing.longest_word)
    is_unknown = tf.gather(unknown, word)
    token = tf.where(is_unknown, preprocessing.id_of(preprocessing.unk_token), token)
    is_token = tf.where(is_unknown, words.begins, is_start)
    return tf.boolean_mask(words.row, is_token), tf.boolean_mask(token, is_token)


def _longest(words: Words, end: Any, preprocessing: TextPreprocessing) -> tuple[Any, Any]:
    """Return the length and the id of the longest token at each position, int32; 0 and `NONE` where there is none."""
    import tensorflow as tf

    tree = trie(preprocessing)
    edges, size = tf.constant(tree.edges), tf.size(end)

    def deeper(start: Any, position: Any, node: Any, length: Any, token: Any) -> tuple[Any, ...]:
        """Follow the tree by one more character from each start that has not left it."""
        edge = tf.cast(node, tf.int64) * CODES + tf.cast(tf.gather(words.code, position), tf.int64)
        number = tf.minimum(_count_below(edges, edge), len(tree.edges) - 1)
        has_edge = tf.equal(tf.gather(edges, number), edge)
        start, position = tf.boolean_mask(start, has_edge), tf.boolean_mask(position, has_edge) + 1
        node = tf.gather(tree.children, tf.boolean_mask(number, has_edge))
        token_here = tf.gather(tree.tokens, node)
        ends_token = tf.not_equal(token_here, NONE)
        start_indices = tf.boolean_mask(start, ends_token)[:, None]
        length = tf.tensor_scatter_nd_update(
            length, start_indices, tf.boolean_mask(position, ends_token) - start_indices[:, 0]
        )
        token = tf.tensor_scatter_nd_update(token, start_indices, tf.boolean_mask(token_here, ends_token))
        is_inside = position < tf.gather(end, start)
        return *(tf.boolean_mask(values, is_inside) for values in (start, position, node)), length, token

    start = tf.range(size)
    node = tf.where(words.begins, BEGIN, CONTINUE)
    state = start, start, node, tf.zeros_like(start), tf.fill([size], NONE)
    shapes = (tf.TensorShape([None]),) * len(state)
    return tf.while_loop(lambda start, *_: tf.size(start) > 0, deeper, state, shapes)[3:]


def _padded(row: Any, token: Any, batch: Any, preprocessing: TextPreprocessing) -> dict[str, Any]:
    """Cut each text to the most tokens, put it between the special tokens, and pad it."""
    import tensorflow as tf

    rows = tf.range(batch)
    first = _count_below(row, rows)
    count = tf.minimum(_count_at_most(row, rows) - first, preprocessing.max_length - SPECIAL)
    column = tf.range(tf.reduce_max(tf.concat([count, [0]], 0)) + SPECIAL)
    pad, _, before, after = map(preprocessing.id_of, preprocessing.special_tokens)
    # An additional token, because nothing can be gathered from the tokens of a batch of empty texts.
    tokens = tf.concat([token, [pad]], 0)
    last = count[:, None] + 1
    ids = tf.gather(tokens, tf.clip_by_value(first[:, None] + column - 1, 0, tf.size(token)))
    ids = tf.where(column < last, ids, tf.where(tf.equal(column, last), after, pad))
    ids = tf.where(tf.equal(column, 0), before, ids)
    return {INPUT_IDS: tf.cast(ids, tf.int64), ATTENTION_MASK: tf.cast(column <= last, tf.int64)}


def _before(values: Any, first: int) -> Any:
    """Return the value before each value; before the first stands `first`."""
    import tensorflow as tf

    return tf.concat([[first], values[:-1]], 0)


def _count_at_most(ascending: Any, values: Any) -> Any:
    """Return how many of the ascending numbers are at most each value, int32."""
    import tensorflow as tf

    return tf.raw_ops.UpperBound(sorted_inputs=ascending[None], values=values[None])[0]


def _count_below(ascending: Any, values: Any) -> Any:
    """Return how many of the ascending numbers are less than each value, int32."""
    import tensorflow as tf

    return tf.raw_ops.LowerBound(sorted_inputs=ascending[None], values=values[None])[0]
