"""The functions of `zoo.task.Pretext` for masked autoencoders: encoder, decoder, and images with hidden patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.data.numbered import EVALUATION, numbered, random_numbers
from zoo.data.share import Share
from zoo.errors import ZooError, listed
from zoo.input import kind_of
from zoo.inputs.image.recipes import for_pretraining
from zoo.provenance import usable_cpus
from zoo.registry import families
from zoo.tasks.mae import TASK

if TYPE_CHECKING:
    from zoo.data.dataset import Examples
    from zoo.description import Model
    from zoo.family import Family
    from zoo.recipe import Recipe

ORDER = "order"
"""The input with the positions of the patches: first those that the network sees, then those that are masked."""

WIDTH_OF_HEAD = 32
"""The channels of each head of attention in the decoder."""

LEAST_STD = 1e-3
"""The least std that a patch is divided by."""

recipe = for_pretraining


def check(family: Family, recipe: Recipe) -> None:
    """Raise ZooError where the family does not read images as tokens of patches, or a key would have no effect."""
    if TASK.kind not in family.pretext_options:
        able = listed(name for name, candidate in families().items() if TASK.kind in candidate.pretext_options)
        raise ZooError(f"mae is for networks that read images in patches ({able}), not for {family.name}")
    if recipe.network.dropout > 0:
        raise ZooError("network.dropout drops what the head reads, and mae trains without a head: leave it out")


def shown(patches: int, share: float) -> int:
    """Return how many patches are shown: at least one, and not all."""
    return min(max(1, patches - round(share * patches)), patches - 1)


def network(trunk: Any, model: Model, recipe: Recipe) -> Any:
    """Let the network's blocks read the patches that are shown, and a small decoder find the values of all.

    It takes the image and the order of its patches, and returns [batch, patches, values of a patch].
    """
    import keras

    from zoo import blocks, layers
    from zoo.inputs.image.mae_layers import Restored, Shown

    tokens = next(layer for layer in trunk.layers if isinstance(layer, layers.Tokens))
    sequence = tokens.output
    readers = trunk.layers[trunk.layers.index(tokens) + 1 :]
    last = [layer for layer in readers if layer.output.shape == sequence.shape][-1]
    patches = sequence.shape[1] - 1
    order = keras.Input((patches,), dtype="int32", name=ORDER)
    outputs = {id(sequence): Shown(shown(patches, recipe.mae.share), name="mae_shown")([sequence, order])}
    for layer in readers[: readers.index(last) + 1]:
        outputs[id(layer.output)] = layer(keras.tree.map_structure(lambda tensor: outputs[id(tensor)], layer.input))
    x = layers.LayerNormalization(name="mae_norm")(outputs[id(last.output)])
    x = layers.Dense(recipe.mae.width, name="mae_narrow")(x)
    x = Restored(name="mae_restored")([x, order])
    for number in range(1, recipe.mae.depth + 1):
        x = blocks.attention_block(x, recipe.mae.width // WIDTH_OF_HEAD, name=f"mae_block{number}")
    x = layers.LayerNormalization(name="mae_decoded_norm")(x)
    x = keras.layers.Cropping1D((1, 0), name="mae_patches")(x)
    x = layers.Dense(side_of_patch(model) ** 2 * model.preprocessing.channels, name="mae_values")(x)
    (image,) = trunk.inputs
    return keras.Model({image.name: image, ORDER: order}, x, name=trunk.name)


def side_of_patch(model: Model) -> int:
    """Return the side of a patch in pixels."""
    assert model.structure is not None, "networks of images record their structure"
    return int(2**model.structure.halvings)


def training_batches(
    examples: Examples, model: Model, recipe: Recipe, *, epoch: int, start: int = 0, share: Share
) -> Any:
    """Return one epoch as a tf.data.Dataset of (image and order, values of the patches), see `hidden`."""
    graph = kind_of(model.preprocessing).graph
    batches = graph.training_batches(
        numbered(examples), model.preprocessing, recipe.input,
        batch_size=recipe.batch_size, seed=recipe.seed, epoch=epoch, start=start, share=share,
    )  # fmt: skip
    return _hidden(batches, model, recipe, epoch)


def evaluation_batches(examples: Examples, model: Model, recipe: Recipe, *, share: Share) -> Any:
    """Return every image in order, as (image and order, values of the patches, weights float32 [batch])."""
    graph = kind_of(model.preprocessing).graph
    batches = graph.evaluation_batches(
        numbered(examples), model.preprocessing, batch_size=recipe.batch_size, share=share
    )
    return _hidden(batches, model, recipe, EVALUATION)


def _hidden(batches: Any, model: Model, recipe: Recipe, epoch: int) -> Any:
    """Hide patches of batches of (inputs, numbers of the images, …); which ones depends on seed, epoch and number."""
    import tensorflow as tf

    side, preprocessing = side_of_patch(model), model.preprocessing
    count = (preprocessing.height // side) * (preprocessing.width // side)
    key = (recipe.seed, epoch - EVALUATION)

    def hide(inputs: Any, numbers: Any, *others: Any) -> tuple[Any, ...]:
        ((_, image),) = inputs.items()
        order = tf.argsort(random_numbers(numbers, [count], key), -1)
        hidden = tf.cast(tf.argsort(order, -1) >= shown(count, recipe.mae.share), tf.float32)
        targets = tf.concat([normalized(patches_of(image, side)), hidden[..., None]], -1)
        return {**inputs, ORDER: order}, targets, *others

    with tf.device("CPU"):
        return batches.map(hide, num_parallel_calls=usable_cpus(), deterministic=True).prefetch(1)


def patches_of(image: Any, side: int) -> Any:
    """Return the values of square patches, row by row: [batch, height, width, channels] to [batch, patches, values].

    Pixels at the end that do not fill a patch are left out.
    """
    import tensorflow as tf

    _, height, width, channels = image.shape
    rows, columns = height // side, width // side
    x = tf.reshape(image[:, : rows * side, : columns * side], [-1, rows, side, columns, side, channels])
    return tf.reshape(tf.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, rows * columns, side * side * channels])


def normalized(patches: Any) -> Any:
    """Give the values of each patch mean 0 and variance 1."""
    import tensorflow as tf

    mean, variance = tf.nn.moments(patches, -1, keepdims=True)
    return (patches - mean) / tf.maximum(tf.sqrt(variance), LEAST_STD)
