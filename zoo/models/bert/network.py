"""The builder of BERT."""

from __future__ import annotations

from typing import Literal

import keras

from zoo import layers
from zoo.blocks import residual
from zoo.dropout import Dropout
from zoo.errors import ZooError
from zoo.inputs.text.preprocessing import TextPreprocessing
from zoo.layers import Outputs, Tensor
from zoo.models.bert import parts

EPSILON = 1e-12
"""The epsilon of all normalizations, as in the first BERT."""

DROPOUT = 0.1
"""The dropout rate of the embeddings, of each branch, of the weights of attention, and before the logits."""

Pooling = Literal["first", "mean"]
"""The vector of a text: a layer with tanh on the first token, as BERT was trained; or the mean of all its tokens."""


def build(
    input_ids: Tensor,
    attention_mask: Tensor,
    count: int,
    preprocessing: TextPreprocessing,
    *,
    width: int,
    depth: int,
    heads: int,
    longest: int,
    pooling: Pooling,
    all_tokens: bool = False,
) -> Outputs:
    """Build embeddings, `depth` blocks of attention and two dense layers, and logits from one vector of the text.

    Ids and mask are int64 [batch, length], the mask 1 for each token and 0 for padding. With the pooling `first`, the
    last block computes the first token only, as nothing else of it is read: its feature map is [batch, width]. With
    `all_tokens` it computes all, for pretraining.

    Raises:
        ZooError: texts may have more tokens than there are positions.
    """
    if preprocessing.max_length > longest:
        raise ZooError(f"texts of {preprocessing.max_length} tokens cannot be taken: there are {longest} positions")
    width, heads = layers.width_and_heads("embeddings", width, heads)
    x = parts.Embeddings(len(preprocessing.vocabulary), width, longest, name="embeddings")(input_ids)
    x = layers.LayerNormalization(EPSILON, name="embeddings_norm")(x)
    x = Dropout(DROPOUT, name="embeddings_drop")(x)
    mask = parts.AdditiveMask(name="mask")(attention_mask)
    maps = {}
    for number in range(1, depth + 1):
        first = pooling == "first" and number == depth and not all_tokens
        x = _block(x, mask, heads, first=first, name=f"block{number}")
        maps[f"block{number}"] = layers.FeatureMap(x, 1)
    if pooling == "first":
        x = parts.First(name="first")(x) if all_tokens else x
        x = _dense(width, name="pooler")(x)
        x = keras.layers.Activation("tanh", name="pooler_tanh")(x)
    else:
        x = parts.MaskedMean(name="mean")((x, attention_mask))
    x = Dropout(DROPOUT, name="drop")(x)
    return Outputs(layers.logits(x, count), maps)


def _block(x: Tensor, mask: Tensor, heads: int, *, first: bool, name: str) -> Tensor:
    width = x.shape[-1]
    y = _dense(3 * width, name=f"{name}_queries_keys_values")(x)
    y = parts.MaskedAttention(heads, first=first, dropout=DROPOUT, name=f"{name}_attention")((y, mask))
    y = _dense(width, name=f"{name}_attended")(y)
    if first:
        x = parts.First(name=f"{name}_first")(x)
    x = _normalized_sum(x, y, name=f"{name}_attention")
    y = _dense(4 * width, name=f"{name}_widen")(x)
    y = layers.activation(y, "gelu", name=f"{name}_gelu")
    y = _dense(width, name=f"{name}_narrow")(y)
    return _normalized_sum(x, y, name=name)


def _normalized_sum(x: Tensor, branch: Tensor, *, name: str) -> Tensor:
    """Add a branch to its shortcut and normalize the sum: after the addition, unlike in later transformers."""
    branch = Dropout(DROPOUT, name=f"{name}_drop")(branch)
    x = residual(x, branch, name=name)
    return layers.LayerNormalization(EPSILON, name=f"{name}_norm")(x)


def _dense(units: int, *, name: str) -> keras.layers.Layer:
    start = keras.initializers.TruncatedNormal(stddev=0.02)
    return layers.Dense(units, kernel_initializer=start, name=name)
