"""The map of a network's channels, and networks of other widths that are built with it."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

import zoo
from zoo import complexity, factory, layers, weights_file
from zoo.description import Model
from zoo.errors import ZooError
from zoo.family import Family, Size
from zoo.input import find
from zoo.pruning.channel_map import ChannelMap, channel_map
from zoo.pruning.prune import narrowed, sliced
from zoo.pruning.scaling import scaled_widths
from zoo.registry import families, matching, resolve

UNMAPPED = ("bert", "vit", "wav2vec2")
"""The families whose channels cannot be followed. An LSTM's can, and none of them can be removed."""

DAILY = ("cnn-base", "keyword-base", "mlp-base")


def network(family: Family, size: Size) -> Any:
    full = f"{family.name}-{size.name}" not in DAILY
    return pytest.param(
        family.name, size.name, id=f"{family.name}-{size.name}", marks=[pytest.mark.full] if full else []
    )


MAPPED = [
    network(family, size)
    for family, size in matching()
    if family.name not in (*UNMAPPED, "lstm", "linear") and (size.parameters < 62_000_000 or size.name == "small")
]


def described(name: str, size: str, side: int = 24) -> Model:
    family, row = resolve(name, size)
    shape = (side, side, 3) if family.input == "image" else row.input_shape
    preprocessing = find(family.input).data.reference(shape)
    model = Model(name, size, ("a", "b", "c"), preprocessing, 0, 0, task=family.tasks[0])
    built = factory.build(model)
    return Model(
        name,
        size,
        model.labels,
        preprocessing,
        complexity.parameters(built),
        complexity.multiply_adds(built),
        task=model.task,
    )


def random_weights(model: Any, seed: int) -> dict[str, np.ndarray]:
    """Random weights without zeros among scales, means and offsets, so that every layer affects the answer."""
    generator = np.random.default_rng(seed)
    arrays = {}
    for name, variable in weights_file.weights(model).items():
        if name.endswith(("gamma", "moving_variance")):
            arrays[name] = generator.uniform(0.5, 1.5, variable.shape)
        elif name.endswith("kernel"):
            fan_in = np.prod(variable.shape[:-1])
            arrays[name] = generator.normal(size=variable.shape) * np.sqrt(2 / fan_in)
        else:
            arrays[name] = generator.normal(size=variable.shape) * 0.1
    return arrays


def drawn(channels: ChannelMap, seed: int) -> np.ndarray:
    """A random choice of channels that stay, at least one of each group."""
    generator = np.random.default_rng(seed)
    kept = np.ones(channels.count, bool)
    for group in channels.groups:
        kept[group] = generator.random(len(group)) < generator.uniform(0.2, 0.9)
        kept[generator.choice(group)] = True
    return kept


def masked(network: Any, channels: ChannelMap, kept: np.ndarray, inputs: list[Any]) -> np.ndarray:
    """The answers of the original network if every layer reads 0 from the removed channels."""
    values = {id(tensor): value for tensor, value in zip(network.inputs, inputs, strict=True)}
    for operation in network.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        several = isinstance(operation.input, list)
        given = [values[id(tensor)] for tensor in (operation.input if several else [operation.input])]
        read = channels.places.get(f"{operation.name}/kernel", {})
        if len(read) == 2:
            given[0] = given[0] * kept[next(iter(read.values()))].astype(float)
        if isinstance(operation, layers.LayerNormalization):
            made = normalized(operation, given[0], kept[channels.places[f"{operation.name}/gamma"][0]])
        else:
            made = operation(given if several else given[0])
        values[id(operation.output)] = made
    return np.asarray(values[id(network.outputs[0])])


def normalized(layer: Any, x: Any, kept: np.ndarray) -> np.ndarray:
    """Layer normalization over the channels that stay; the others are 0."""
    x = np.asarray(x)
    some = x[..., kept]
    std = np.sqrt(some.var(-1, keepdims=True) + layer.epsilon)
    made = np.zeros_like(x)
    made[..., kept] = (some - some.mean(-1, keepdims=True)) / std * layer.gamma.numpy()[kept] + layer.beta.numpy()[kept]
    return made


def numbers(model: Any) -> list[Any]:
    generator = np.random.default_rng(0)
    return [generator.normal(size=(2, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]


@pytest.mark.parametrize("seed", [2, pytest.param(3, marks=pytest.mark.full)])
@pytest.mark.parametrize(("family", "size"), MAPPED)
def test_a_pruned_network_is_the_whole_one_that_reads_zeros(family: str, size: str, seed: int) -> None:
    description = described(family, size)
    whole = factory.build(description, precision="float64")
    channels = channel_map(whole)
    arrays = random_weights(whole, seed=1)
    weights_file.assign(weights_file.weights(whole), arrays, "here")
    kept = drawn(channels, seed)
    smaller = narrowed(description, channels, kept)
    pruned = factory.build(smaller, precision="float64")
    weights_file.assign(weights_file.weights(pruned), sliced(arrays, channels, kept), "here")
    inputs = numbers(whole)
    expected = masked(whole, channels, kept, inputs)
    found = np.asarray(pruned(inputs[0] if len(inputs) == 1 else inputs, training=False))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize(("family", "size"), MAPPED)
def test_widths_that_coincide_do_not_change_the_form(family: str, size: str) -> None:
    """If pruning makes two numbers of channels equal, a projected shortcut and a widened map keep their layers."""
    description = described(family, size)
    own = factory.build(description)
    channels = channel_map(own)
    kept = np.ones(channels.count, bool)
    fewest = min(map(len, channels.groups))
    for group in channels.groups:
        kept[group[fewest:]] = False

    alike = factory.build(narrowed(description, channels, kept))

    assert [layer.name for layer in alike.layers] == [layer.name for layer in own.layers]
    assert len({len(group) for group in channel_map(alike).groups}) == 1


def test_the_input_and_the_answer_stay() -> None:
    model = factory.build(described("cnn", "base"))
    channels = channel_map(model)
    removable = set(np.concatenate(channels.groups).tolist())
    assert not removable & set(channels.places["conv1/kernel"][2].tolist())
    assert not removable & set(channels.made["logits"].tolist())
    assert sorted(map(len, channels.groups)) == [32, 64, 128]


def test_a_residual_stream_is_one_group_and_flattened_maps_are_read_pixel_by_pixel() -> None:
    channels = channel_map(zoo.create("keyword", size="base", classes=3))
    block, shortcut = channels.made["block1_shortcut"], channels.made["block1_2_pointwise"]
    np.testing.assert_array_equal(block, shortcut)

    channels = channel_map(zoo.create("cnn", classes=3, input_shape=(8, 8, 1)))
    np.testing.assert_array_equal(channels.places["logits/kernel"][0], np.tile(channels.made["conv2"], 16))


@pytest.mark.full
@pytest.mark.parametrize("family", UNMAPPED)
def test_attention_is_refused(family: str) -> None:
    model = factory.build(described(family, "tiny" if family == "vit" else "small", side=32))
    with pytest.raises(ZooError, match="cannot be followed through its layer"):
        channel_map(model)


@pytest.mark.parametrize("kind", ["softmax", "tokens"])
def test_a_layer_that_mixes_channels_or_is_not_known_is_refused(kind: str) -> None:
    image = keras.Input((8, 8, 3))
    layer = keras.layers.Activation(kind, name="across") if kind == "softmax" else layers.Tokens(name="across")
    x = layer(layers.convolution(image, 8, 3, name="conv"))
    with pytest.raises(ZooError, match="its layer across"):
        channel_map(keras.Model(image, layers.logits(layers.Flatten()(x), 3)))


def test_widths_that_do_not_fit_are_refused() -> None:
    for widths, message in (
        ({"conv9": 8}, "no layers with these channels \\(conv9 8\\)"),
        ({"pool1": 8}, "no layers with these channels"),
    ):
        with pytest.raises(ZooError, match=message):
            zoo.create("cnn", classes=3, input_shape=(8, 8, 1), widths=widths)
    with pytest.raises(ZooError, match="cannot be built with these widths"):
        zoo.create("keyword", size="base", classes=3, widths={"block1_shortcut": 8})


@pytest.mark.parametrize("factor", [0.5, pytest.param(2, marks=pytest.mark.full)])
def test_all_widths_are_scaled(factor: float) -> None:
    description = described("keyword", "base")
    widths = scaled_widths(description, factor)
    own = {layer: len(made) for layer, made in channel_map(factory.build(description)).made.items()}
    assert widths == {layer: factor * width for layer, width in own.items() if layer != "logits"}
    factory.build(dataclasses.replace(description, widths=widths))


@pytest.mark.parametrize("family", [name for name, family in families().items() if family.scaled])
def test_layers_that_the_family_names_are_scaled_and_all_others_follow(family: str) -> None:
    description = described(family, "small", side=32)
    widths = scaled_widths(description, 0.5)
    assert widths
    assert widths.keys() <= families()[family].scaled.keys()
    half = factory.build(dataclasses.replace(description, widths=widths))
    assert complexity.multiply_adds(half) < 0.3 * description.multiply_adds


@pytest.mark.parametrize(("family", "layer"), [("vit", "patches"), ("bert", "embeddings"), ("wav2vec2", "projection")])
def test_the_channels_of_a_transformer_must_make_whole_heads(family: str, layer: str) -> None:
    description = dataclasses.replace(described(family, "small", side=32), widths={layer: 36})
    with pytest.raises(ZooError, match=r"cannot be built with these widths \(36 channels do not make heads of"):
        factory.build(description)


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(name, marks=[] if name in ("cnn", "mobilenet", "vit") else [pytest.mark.full])
        for name, family in families().items()
        if family.input == "image"
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_a_network_in_pretraining_is_scaled_like_one_with_a_head(family: str) -> None:
    description = described(family, "small", side=32)
    pretrained = dataclasses.replace(description, task="simclr", labels=())
    widths = scaled_widths(description, 0.5)
    assert scaled_widths(pretrained, 0.5) == widths != {}
    features = factory.build(dataclasses.replace(pretrained, widths=widths)).output.shape[-1]
    assert features == factory.build(pretrained).output.shape[-1] / 2


def test_a_factor_of_one_changes_nothing() -> None:
    description = described("cnn", "base")
    assert scaled_widths(description, 1) == {}
    with pytest.raises(ZooError, match="above 0"):
        scaled_widths(description, 0)
