"""The functions of `zoo.task.Pretext` for masked language modeling: hidden tokens, and the layers that find them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from zoo.data.numbered import EVALUATION, numbered, random_numbers
from zoo.data.share import Share
from zoo.errors import ZooError, listed
from zoo.inputs.text import batches as text_batches
from zoo.inputs.text.preprocessing import INPUT_IDS, TextPreprocessing
from zoo.provenance import usable_cpus
from zoo.registry import families
from zoo.tasks.mlm import TASK
from zoo.tasks.mlm.graph import NOT_ASKED

if TYPE_CHECKING:
    from zoo.data.dataset import Examples
    from zoo.description import Model
    from zoo.family import Family
    from zoo.recipe import Recipe

MASK = "[MASK]"
"""The token that stands for a hidden one; a vocabulary without it takes the token of unknown words instead."""

MASKED, REPLACED = 0.8, 0.1
"""The shares of the hidden tokens that `MASK` and a random token replace; the others stay as they are."""

EPOCHS, RATE = 30, 5e-4
"""The epochs and the learning rate where the recipe states none; Devlin et al. take 1e-4 for batches of 256 texts."""


def recipe(recipe: Recipe) -> Recipe:
    """Return a recipe for training from scratch instead of fine-tuning; it keeps the last weights."""
    faster = dataclasses.replace(recipe.optimizer, lr=RATE)
    warmup = dataclasses.replace(recipe.schedule, warmup_epochs=1.0)
    return dataclasses.replace(recipe, epochs=EPOCHS, keep="last", optimizer=faster, schedule=warmup)


def check(family: Family, recipe: Recipe) -> None:
    """Raise ZooError where the family has no network that reads whole texts."""
    if TASK.kind not in family.pretext_options:
        able = listed(name for name, candidate in families().items() if TASK.kind in candidate.pretext_options)
        raise ZooError(f"mlm is for networks that read all tokens at once ({able}), not for {family.name}")


def network(trunk: Any, model: Model, recipe: Recipe) -> Any:
    """Add a dense layer, a normalization, and logits for the whole vocabulary to the last vectors of the tokens."""
    import keras

    from zoo import layers

    vectors = [layer.output for layer in trunk.layers if len(getattr(layer.output, "shape", ())) == 3][-1]
    x = layers.Dense(vectors.shape[-1], name="mlm_dense")(vectors)
    x = layers.LayerNormalization(name="mlm_norm")(layers.activation(x, "gelu", name="mlm_gelu"))
    x = layers.Dense(len(model.preprocessing.vocabulary), name="mlm_logits")(x)
    return keras.Model(trunk.input, x, name=trunk.name)


def training_batches(
    examples: Examples, model: Model, recipe: Recipe, *, epoch: int, start: int = 0, share: Share
) -> Any:
    """Return one epoch as a tf.data.Dataset of (inputs with hidden tokens, the hidden ids int64 [batch, length])."""
    batches = text_batches.training_batches(
        numbered(examples), model.preprocessing, recipe.input,
        batch_size=recipe.batch_size, seed=recipe.seed, epoch=epoch, start=start, share=share,
    )  # fmt: skip
    return _hidden(batches, model.preprocessing, recipe, epoch)


def evaluation_batches(examples: Examples, model: Model, recipe: Recipe, *, share: Share) -> Any:
    """Return every text in order, as (inputs with hidden tokens, the hidden ids, weights float32 [batch])."""
    batches = text_batches.evaluation_batches(
        numbered(examples), model.preprocessing, batch_size=recipe.batch_size, share=share
    )
    return _hidden(batches, model.preprocessing, recipe, EVALUATION)


def _hidden(batches: Any, preprocessing: TextPreprocessing, recipe: Recipe, epoch: int) -> Any:
    """Hide tokens of batches of (inputs, numbers of the texts, …); which ones depends on seed, epoch and number."""
    import tensorflow as tf

    key = (recipe.seed, epoch - EVALUATION)

    def hide(inputs: Any, numbers: Any, *others: Any) -> tuple[Any, ...]:
        random = random_numbers(numbers, [preprocessing.max_length, 3], key)
        ids = inputs[INPUT_IDS]
        shown, targets = hidden(ids, random[:, : tf.shape(ids)[1]], preprocessing, recipe.mlm.share)
        return {**inputs, INPUT_IDS: shown}, targets, *others

    with tf.device("CPU"):
        return batches.map(hide, num_parallel_calls=usable_cpus(), deterministic=True).prefetch(1)


def hidden(ids: Any, random: Any, preprocessing: TextPreprocessing, share: float) -> tuple[Any, Any]:
    """Hide tokens, at least one of each text that has any.

    Args:
        ids: int64 [batch, length].
        random: float32 [batch, length, 3] in [0, 1): they decide which tokens are hidden, whether `MASK`, a random
            token or the token itself stands there, and which random token.
        preprocessing: the preprocessing of the network, whose special tokens are never hidden.
        share: the share of the tokens that is hidden.

    Returns:
        The ids that the network sees, and those that it has to find, with `NOT_ASKED` for all others.
    """
    import tensorflow as tf

    special = [preprocessing.id_of(token) for token in preprocessing.special_tokens]
    vocabulary = preprocessing.vocabulary
    mask_id = vocabulary.index(MASK) if MASK in vocabulary else preprocessing.id_of(preprocessing.unk_token)
    can_hide = tf.reduce_all(tf.not_equal(ids[..., None], tf.constant(special, tf.int64)), -1)
    order = tf.where(can_hide, random[..., 0], 2.0)
    is_first = tf.equal(order, tf.reduce_min(order, -1, keepdims=True))
    is_hidden = can_hide & ((order < share) | is_first)
    random_token = tf.cast(random[..., 2] * len(vocabulary), tf.int64)
    replacement = tf.where(random[..., 1] < MASKED, tf.constant(mask_id, tf.int64), random_token)
    is_replaced = is_hidden & (random[..., 1] < MASKED + REPLACED)
    return tf.where(is_replaced, replacement, ids), tf.where(is_hidden, ids, tf.constant(NOT_ASKED, tf.int64))
