"""A kind of input with two tensors of open length, the letters of words, for tests of code that all kinds share.

A raw example is a word; one with an exclamation mark is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from zoo.contract import BATCH
from zoo.errors import ZooError
from zoo.input import Arrays, Input
from zoo.schema import record
from zoo.signature import Tensor

CODES, LENGTHS = "codes", "mask"
LENGTH = "length"


@record
class Letters:
    """The preprocessing of words: code points, where those above `most` become `most`."""

    most: int = 300
    kind: Literal["letters"] = "letters"


@record
class LettersSettings:
    """No settings."""

    kind: Literal["letters"] = "letters"


def tensors(preprocessing: Letters) -> dict[str, Tensor]:
    """Return the codes, and a mask that is 1 where there is a letter."""
    return {name: Tensor("int64", (BATCH, LENGTH)) for name in (CODES, LENGTHS)}


network_tensors = tensors


def raw_tensors(preprocessing: Letters) -> dict[str, Tensor]:
    """Return the word, a string."""
    return {"word": Tensor("string", (BATCH,))}


def encode(raw: Sequence[str], preprocessing: Letters) -> Arrays:
    """Return the codes, filled up with 0 to the length of the longest word, and the mask."""
    if any("!" in word for word in raw):
        raise ZooError("loud")
    length = max(map(len, raw), default=0)
    rows = [[min(ord(letter), preprocessing.most) for letter in word] for word in raw]
    filled = [row + [0] * (length - len(row)) for row in rows]
    codes = np.array(filled, np.int64).reshape(len(raw), length)
    return {CODES: codes, LENGTHS: (codes > 0).astype(np.int64)}


def raw_arrays(raw: Sequence[str], preprocessing: Letters) -> Arrays:
    """Return words in UTF-8."""
    return {"word": np.array([word.encode() for word in raw], object)}


def noise(preprocessing: Letters, count: int, generator: np.random.Generator) -> list[str]:
    """Return words of random letters."""
    return ["".join(map(chr, generator.integers(97, 123, generator.integers(3, 12)))) for _ in range(count)]


def facts(preprocessing: Letters) -> dict[str, str]:
    """Return the largest code."""
    return {"input": f"letters up to {preprocessing.most}"}


def python(preprocessing: Letters) -> str:
    """Return a word."""
    return '"größer"'


def rest(preprocessing: Letters) -> dict[str, Any]:
    """Return the same word."""
    return {"word": "größer"}


def files(preprocessing: Letters) -> dict[str, str]:
    """Return one file."""
    return {"letters.txt": f"{preprocessing.most}\n"}


def samples(raw: Sequence[str], preprocessing: Letters) -> list[str]:
    """Return a word with letters beyond the last code, and the words."""
    return ["größer 犬", *raw]


def damaged(raw: str, preprocessing: Letters) -> dict[str, Any]:
    """Return a loud word."""
    return {"a loud word": f"{raw}!"}


def hostile() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return nothing."""
    return {}, {}


def client_tolerance(preprocessing: Letters) -> float:
    """Return 0."""
    return 0.0


def prepared(inputs: Mapping[str, Any], preprocessing: Letters) -> dict[str, Any]:
    """Return the inputs as they are."""
    return dict(inputs)


def decoded(raw: Mapping[str, Any], preprocessing: Letters) -> tuple[dict[str, Any], Any]:
    """Encode words with TensorFlow operations."""
    import tensorflow as tf

    loud = tf.strings.regex_full_match(raw["word"], ".*!.*")
    sound = tf.where(loud, "", raw["word"])
    codes = tf.cast(tf.strings.unicode_decode(sound, "UTF-8").to_tensor(), tf.int64)
    codes = tf.minimum(codes, preprocessing.most)
    return {CODES: codes, LENGTHS: tf.cast(codes > 0, tf.int64)}, tf.where(loud, "loud", "")


INPUT = Input(
    kind="letters",
    noun="word",
    plural="words",
    preprocessing=Letters,
    settings=LettersSettings,
    raw="serve_word",
    default_data="",
    client_module=__name__,
    data_module=__name__,
    graph_module=__name__,
)


def network(answers: int) -> Any:
    """Return a Keras model: the mean of the letters' embeddings, and a dense layer."""
    import keras

    codes, mask = (keras.Input([None], dtype="int64", name=name) for name in (CODES, LENGTHS))
    embedded = keras.layers.Embedding(301, 8, name="letters")(codes)
    here = keras.ops.cast(keras.ops.expand_dims(mask, -1), "float32")
    mean = keras.ops.sum(embedded * here, 1) / keras.ops.maximum(keras.ops.sum(here, 1), 1.0)
    return keras.Model({CODES: codes, LENGTHS: mask}, keras.layers.Dense(answers, name="logits")(mean))


def doubtful(raw: Sequence[str], preprocessing: Letters) -> list[str]:
    """Return nothing: the samples are enough."""
    return []
