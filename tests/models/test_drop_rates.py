"""A recipe's rates of dropout and drop-path: the layers that they change, and the families that refuse them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests import processes
from tests.conformance import described, inputs, smallest
from tests.training.test_training import SignalAt, train
from tests.trainings import SINGLE
from zoo import factory, run, weights_file
from zoo.drop_rates import LAST
from zoo.dropout import Dropout
from zoo.errors import ZooError
from zoo.recipe import OWN_RATES, Network
from zoo.registry import families
from zoo.training import start

SHAPE = (16, 16, 3)

TAKES = {
    "bert": ("dropout", "drop_path"),
    "cnn": ("dropout",),
    "convnext": ("dropout", "drop_path"),
    "efficientnet": ("dropout", "drop_path"),
    "inception": ("dropout",),
    "keyword": ("dropout",),
    "linear": (),
    "lstm": ("dropout",),
    "mlp": ("dropout",),
    "mobilenet": ("dropout", "drop_path"),
    "resnet": ("dropout", "drop_path"),
    "vgg": ("dropout",),
    "vit": ("dropout", "drop_path"),
    "wav2vec2": ("dropout", "drop_path"),
}
"""The rates that the cheapest size of each family takes. Inception-ResNet and MatchboxNet have branches."""

DAILY = ("cnn", "linear", "mlp")
"""The families whose networks are built in a moment."""


def rates(model: Any, paths: bool) -> dict[str, float]:
    """The rates of drop-path, or of all other dropout, by layer."""
    return {layer.name: layer.rate for layer in dropouts(model) if bool(layer.noise_shape) == paths}


def dropouts(model: Any) -> list[Any]:
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dropout)]


def test_without_a_wish_a_network_is_the_familys() -> None:
    assert rates(zoo.create("cnn", classes=3, input_shape=SHAPE), paths=False) == {"dropout": 0.5}
    assert dropouts(zoo.create("vit_tiny", classes=3, input_shape=SHAPE)) == []


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("name", "before"), [("alexnet", ["pool5", "head1_relu"]), ("vgg11", ["head1_relu", "head2_relu"])]
)
def test_the_dense_heads_drop_where_torchvision_does(name: str, before: list[str]) -> None:
    found = dropouts(zoo.create(name, classes=3, input_shape=(64, 64, 3)))
    assert [layer.name for layer in found] == ["head1_dropout", "head2_dropout"]
    assert [layer.input._keras_history.operation.name for layer in found] == before


def test_a_family_spreads_drop_path_over_its_blocks_itself() -> None:
    """ViT's blocks have two branches each, at the same rate."""
    assert rates(zoo.create("vit_tiny", classes=3, input_shape=SHAPE, drop_path=0.11), paths=True) == {
        f"block{number}{part}_drop": pytest.approx(0.01 * (number - 1))
        for number in range(2, 13)
        for part in ("_attention", "")
    }


def test_drop_path_rises_over_the_branches_of_a_family_that_has_none() -> None:
    made = zoo.create("resnet18", classes=3, input_shape=SHAPE, drop_path=0.35)
    assert list(rates(made, paths=True).values()) == pytest.approx([0.05 * number for number in range(8)])


@pytest.mark.full
@pytest.mark.parametrize("name", ["vit_small", "convnext_tiny", "efficientnetv2_b0"])
def test_a_family_spreads_its_own_drop_path_up_to_another_last_rate(name: str) -> None:
    own = zoo.create(name, classes=3, input_shape=(32, 32, 3), drop_path=0.2)
    other = zoo.create(name, classes=3, input_shape=(32, 32, 3), drop_path=0.4)
    assert rates(other, paths=True) == pytest.approx({key: 2 * rate for key, rate in rates(own, paths=True).items()})
    assert max(rates(own, paths=True).values()) == pytest.approx(0.2)
    assert rates(zoo.create(name, classes=3, input_shape=(32, 32, 3), drop_path=0.0), paths=True) == {}


def test_dropout_is_of_all_dropout_but_drop_path() -> None:
    made = zoo.create("mobilenet", classes=3, input_shape=(32, 32, 3), dropout=0.4, drop_path=0.1)
    assert rates(made, paths=False) == {"dropout": 0.4, LAST: 0.0}
    assert max(rates(made, paths=True).values()) == pytest.approx(0.1)
    assert rates(zoo.create("cnn", classes=3, input_shape=SHAPE, dropout=0.0), paths=False) == {"dropout": 0.0}


def test_a_network_without_dropout_gets_one_before_the_logits() -> None:
    made = zoo.create("mlp", classes=3, dropout=0.3)
    assert rates(made, paths=False) == {LAST: 0.3}
    assert made.get_layer("logits").input is made.get_layer(LAST).output


def test_dropout_within_a_layer_is_reached() -> None:
    made = dropouts(zoo.create("bert", size="mini", classes=2, dropout=0.25))
    assert [layer.name for layer in made if layer.rate == 0] == [LAST]
    # Of the embeddings, two of each block and one within its attention, and before the logits.
    assert [layer.rate for layer in made if layer.rate] == [0.25] * (1 + 4 * (2 + 1) + 1)


@pytest.mark.parametrize("asked", ["dropout", "drop_path"])
@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=() if name in DAILY else pytest.mark.full) for name in families()]
)
def test_every_family_takes_a_rate_or_says_in_one_line_that_it_cannot(
    family: str, asked: str, images_folder: Path
) -> None:
    size = smallest(families()[family]).name
    description, _, _ = described(images_folder, family, size, side=32)
    rates = Network(**{asked: 0.5})
    if asked not in TAKES[family]:
        with pytest.raises(ZooError, match=rf"^{family} {size} has no .*: leave network\.{asked} out$"):
            factory.build(description, rates=rates)
        factory.build(description, rates=Network(**{asked: 0.0}))
        return
    plain, made = factory.build(description), factory.build(description, rates=rates)
    own, other = weights_file.weights(plain), weights_file.weights(made)
    assert own.keys() == other.keys()
    for name, variable in own.items():
        other[name].assign(variable)
    given = inputs(description)
    first, second = (factory.apply(model, given, training=False) for model in (plain, made))
    np.testing.assert_array_equal(first, second, "inference does not know the rates")
    trained = [np.asarray(factory.apply(made, given, training=True)) for _ in range(4)]
    assert any((one != trained[0]).any() for one in trained)


def test_a_rate_that_is_none_is_refused() -> None:
    for wrong in (1.0, -0.5):
        with pytest.raises(ZooError, match="dropout should be 0 or more and below 1, or -1 for the family's own"):
            zoo.create("cnn", dropout=wrong)
    assert Network() == OWN_RATES == Network(dropout=-1, drop_path=-1)


def test_a_run_with_rates_goes_on_bit_for_bit_and_loads_as_any_other(tmp_path: Path) -> None:
    settings = (
        "epochs=2", "batch_size=256", "network.dropout=0.2", "ema_decay=0.9", "optimizer.name=lamb",
        "optimizer.lr=0.01", "optimizer.weight_decay=0.02", "schedule.shape=one_cycle",
    )  # fmt: skip
    alone = train(tmp_path / "alone", *settings)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", *settings, callbacks=[SignalAt(2)])
    start.resume(tmp_path / "stopped", None, SINGLE)
    assert (alone / run.WEIGHTS).read_bytes() == (tmp_path / "stopped" / run.WEIGHTS).read_bytes()
    done = run.read_finished(alone)
    assert done.recipe is not None
    assert done.recipe.network == Network(dropout=0.2)
    assert rates(zoo.load(alone), paths=False) == {"dropout": 0.5}, "a run is loaded as the family builds it"
    last, _ = weights_file.read(alone / run.LAST)
    assert "model/dropout/seed_generator_state" in last
    with pytest.raises(ZooError, match="freeze switches dropout off"):
        train(tmp_path / "run", "network.dropout=0.1", "freeze=true", weights=alone)
    with pytest.raises(ZooError, match="cnn small has no residual branches"):
        train(tmp_path / "run", "network.drop_path=0.1")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.9])
def test_dropout_drops_the_share_that_it_says_and_keeps_the_mean(dtype: str, rate: float) -> None:
    layer = Dropout(rate, seed=1, dtype=dtype)
    ones = tf.ones([401, 501], dtype)
    first, second = (layer(ones, training=True).numpy().astype(float) for _ in range(2))
    error = 5 * np.sqrt(rate * (1 - rate) / first.size)
    assert abs((first == 0).mean() - rate) < error, "an odd number of units"
    assert first.max() == pytest.approx(1 / (1 - rate), rel=4e-3 if dtype == "bfloat16" else 1e-3)
    assert (first != second).any()
    assert (Dropout(rate, seed=1, dtype=dtype)(ones, training=True).numpy().astype(float) == first).all()
    assert (layer(ones, training=False).numpy() == ones.numpy()).all()


def test_dropout_drops_rows_of_any_number_together() -> None:
    layer = Dropout(0.5, noise_shape=(None, None, 1), seed=1)
    found = tf.function(lambda x: layer(x, training=True), reduce_retracing=True)
    for batch in (3, 5, 64):
        rows = found(tf.ones([batch, 7, 33])).numpy()
        assert (rows == rows[..., :1]).all()
        assert {*np.unique(rows)} == {0.0, 2.0}


def test_dropout_takes_sequences_of_any_length() -> None:
    layer = Dropout(0.5, seed=1)
    found = tf.function(lambda x: layer(x, training=True), input_signature=[tf.TensorSpec([None, None, 3], tf.float32)])
    for length in (5, 7):
        assert {*np.unique(found(tf.ones([9, length, 3])).numpy())} == {0.0, 2.0}


def test_replicas_drop_other_units() -> None:
    """The test runs a process of its own, because a process can set its logical devices only once."""
    done = processes.run("tests.training.dropped_units")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "as it should be"
