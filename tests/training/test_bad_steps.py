"""Steps that are not finite: a skipped step changes nothing, and an error names the layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import processes
from tests.training.test_training import SignalAt, rows_of, train
from tests.training.tiny import CLASSES, averaged_parts, parts, tiny_network
from tests.trainings import SINGLE
from zoo import recipe as recipes
from zoo import run, weights_file
from zoo.errors import ZooError
from zoo.inputs.image import graph
from zoo.recipe import Recipe
from zoo.training import bad_steps, start
from zoo.training.bad_steps import LossScale
from zoo.training.diagnosis import first_bad_layer
from zoo.training.schedule import learning_rate


def batch(bad: bool = False, size: int = 6) -> tuple[dict[str, Any], Any]:
    images = np.random.default_rng(0).random((size, 8, 8, 3), np.float32)
    if bad:
        images[-1, 3, 3, 1] = np.nan
    return {"image": tf.constant(images)}, tf.constant(np.arange(size) % CLASSES)


def state_of(model: Any, optimizer: Any) -> list[np.ndarray]:
    """Everything that a step changes, except the scale of the loss."""
    return [
        variable.numpy() for variable in (*model.weights, *optimizer.variables) if "loss_scale" not in variable.name
    ]


@pytest.mark.parametrize("rule", ["sgd", "adamw"])
def test_a_step_that_is_left_out_changes_nothing_and_is_counted(rule: str) -> None:
    settings = ["on_nan=skip", "batch_size=6", f"optimizer.name={rule}", "optimizer.clip_norm=1", "ema_decay=0.5"]
    model, optimizer, step, average = averaged_parts(recipes.override(Recipe(), settings))
    assert float(step(*batch())["loss"]) > 0
    before = state_of(model, optimizer)
    averaged = [variable.numpy() for variable in average.model.weights]
    assert {name: float(value) for name, value in step(*batch(bad=True)).items()} == {
        "loss": 0, "hits": 0, "left_out_steps": 1,
    }  # fmt: skip
    for one, other in zip(before, state_of(model, optimizer), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, variable in zip(averaged, average.model.weights, strict=True):
        np.testing.assert_array_equal(one, variable.numpy())
    after = step(*batch())
    assert float(after["left_out_steps"]) == 0
    assert float(after["loss"]) > 0
    assert any((one != other).any() for one, other in zip(before, state_of(model, optimizer), strict=True))
    assert any((one != new.numpy()).any() for one, new in zip(averaged, average.model.weights, strict=True))


def test_steps_that_can_be_left_out_are_otherwise_the_same() -> None:
    weights = []
    for choice in ("stop", "skip"):
        model, _, step = parts(recipes.override(Recipe(), [f"on_nan={choice}", "batch_size=6"]))
        for _ in range(3):
            step(*batch())
        weights.append([variable.numpy() for variable in model.weights])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_the_scale_of_a_loss_falls_where_a_gradient_overflows() -> None:
    model, optimizer, step = parts(recipes.override(Recipe(), ["precision=float16", "batch_size=6"]))
    scale = optimizer.loss_scale.scale
    assert float(step(*batch())["left_out_steps"]) == 0
    assert scale.numpy() == 2**15
    scale.assign(2.0**40)
    before = state_of(model, optimizer)
    assert float(step(*batch())["left_out_steps"]) == 1
    assert scale.numpy() == 2**39
    for one, other in zip(before[:-1], state_of(model, optimizer)[:-1], strict=True):
        np.testing.assert_array_equal(one, other)
    # A loss that is not finite by itself is not fixed by a lower scale.
    assert np.isnan(float(step(*batch(bad=True))["loss"]))


@pytest.mark.parametrize(("on_nan", "left_out"), [("stop", 0), ("skip", 1)])
def test_a_gradient_that_overflows_at_the_lowest_scale_is_a_bad_step(
    on_nan: str, left_out: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss itself is finite. At a scale this large, a gradient of float16 overflows for certain."""
    monkeypatch.setattr(LossScale, "LEAST", 2.0**40)
    settings = ["precision=float16", "batch_size=6", f"on_nan={on_nan}"]
    _, optimizer, step = parts(recipes.override(Recipe(), settings))
    optimizer.loss_scale.scale.assign(2.0**40)
    sums = step(*batch())
    assert np.isnan(float(sums["loss"])) == (not left_out)
    assert float(sums["left_out_steps"]) == left_out
    assert optimizer.loss_scale.scale.numpy() == 2.0**40


@pytest.mark.parametrize(
    ("steps", "power", "counted"),
    [
        ("good good", 15, 2),
        ("good good good", 16, 0),
        ("good good bad good", 14, 1),
        ("good good bad good good good", 15, 0),
    ],
)
def test_the_scale_of_a_loss_rises_after_a_number_of_good_steps_in_a_row(
    steps: str, power: int, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bad_steps, "STEPS_BETWEEN_RISES", 3)
    scale = LossScale(keras.optimizers.SGD())
    for step in steps.split():
        scale.adjust(tf.constant(step == "good"))
    assert (scale.scale.numpy(), scale._good_steps.numpy()) == (2.0**power, counted)


def test_the_scale_of_a_loss_does_not_change_the_gradient() -> None:
    kernels = []
    for power in (4, 12):
        model, optimizer, step = parts(recipes.override(Recipe(), ["precision=float16", "batch_size=6"]))
        optimizer.loss_scale.scale.assign(2.0**power)
        step(*batch())
        kernels.append(model.get_layer("logits").kernel.numpy())
    np.testing.assert_allclose(kernels[0], kernels[1], rtol=1e-3, atol=1e-5)


def test_all_replicas_leave_out_what_is_bad_on_one_of_them() -> None:
    """The test runs a process of its own, because a process can set its logical devices only once."""
    done = processes.run("tests.training.bad_replica")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "as it should be"


@pytest.fixture
def bad_batches(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Multiplies the images of some steps of every epoch by a factor, NaN by default."""

    def damage(steps: set[int], factor: float = np.nan) -> None:
        whole = graph.training_batches

        def changed(*arguments: Any, start: int = 0, **options: Any) -> Any:
            def change(number: Any, value: Any) -> Any:
                inputs, labels = value
                damaged = tf.where(tf.reduce_any(number == [*steps]), np.float32(factor), np.float32(1))
                return {name: image * damaged for name, image in inputs.items()}, labels

            return whole(*arguments, start=start, **options).enumerate(start).map(change)

        monkeypatch.setattr(graph, "training_batches", changed)

    return damage


def test_bad_steps_are_counted_in_the_log_and_in_the_run(tmp_path: Path, bad_batches: Callable[..., None]) -> None:
    bad_batches({3, 4})
    said: list[str] = []
    folder = train(tmp_path / "run", "epochs=2", "batch_size=64", "on_nan=skip", say=said.append)
    assert [row["left_out_steps"] for row in rows_of(folder)] == [2, 2]
    assert run.read(folder).results["left_out_steps"] == 4
    assert sum(line.endswith("2 steps left out") for line in said) == 2
    # The figures are means over the steps that were made.
    assert all(0.1 < row["loss"] < 3 for row in rows_of(folder))


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_learning_rate_counts_steps_that_are_left_out_and_the_optimizer_does_not(precision: str) -> None:
    made = recipes.override(Recipe(), ["on_nan=skip", "batch_size=6", f"precision={precision}", "accumulate=2"])
    _, optimizer, step = parts(made)
    for bad in (False, True, True, False):
        step(*batch(bad))
    assert optimizer.iterations.numpy() == 2
    assert float(optimizer.learning_rate) == float(learning_rate(made, 10)(4))


def test_an_update_uses_the_rate_of_its_step() -> None:
    changes = ["on_nan=skip", "batch_size=6", "optimizer.momentum=0", "optimizer.weight_decay=0"]
    made = recipes.override(Recipe(), changes)
    rate = learning_rate(made, 10)
    moved = []
    for steps in ((False,), (True, True, False)):
        model, _, step = parts(made)
        kernel = model.get_layer("logits").kernel
        before = kernel.numpy()
        for bad in steps:
            step(*batch(bad))
        moved.append(kernel.numpy() - before)
    np.testing.assert_allclose(moved[1] / moved[0], float(rate(2) / rate(0)), rtol=1e-3)


def test_the_schedule_ends_at_zero_whatever_was_left_out_and_goes_on_after_an_interruption(
    tmp_path: Path, bad_batches: Callable[..., None]
) -> None:
    bad_batches({0, 3, 4, 9})
    settings = ("epochs=3", "batch_size=64", "on_nan=skip", "keep=last", "ema_decay=0.9")
    rows = rows_of(train(tmp_path / "alone", *settings))
    assert [row["left_out_steps"] for row in rows] == [4, 4, 4]
    this = run.read(tmp_path / "alone")
    assert this.recipe is not None
    assert this.data is not None
    steps = this.data.counts["train"] // 64
    rate = learning_rate(this.recipe, steps)
    assert [row["learning_rate"] for row in rows] == [float(rate(epoch * steps - 1)) for epoch in (1, 2, 3)]
    assert rows[-1]["learning_rate"] < 0.1 * this.recipe.optimizer.lr
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "ended", *settings, callbacks=[SignalAt(6)])
    start.resume(tmp_path / "ended", None, SINGLE)
    for name in (run.WEIGHTS, run.LAST):
        alone, ended = (weights_file.read(tmp_path / folder / name)[0] for folder in ("alone", "ended"))
        assert alone.keys() == ended.keys()
        for key, value in alone.items():
            np.testing.assert_array_equal(ended[key], value, err_msg=key)


def test_an_epoch_of_bad_steps_alone_ends_the_training(tmp_path: Path, bad_batches: Callable[..., None]) -> None:
    bad_batches(set(range(100)))
    with pytest.raises(ZooError, match="no step of epoch 1 had a finite loss"):
        train(tmp_path / "run", "epochs=2", "batch_size=64", "on_nan=skip")
    assert not (tmp_path / "run" / run.LAST).exists()


def test_a_bad_step_ends_the_training_with_its_number_rate_and_layer(
    tmp_path: Path, bad_batches: Callable[..., None]
) -> None:
    folder, settings = tmp_path / "run", ("epochs=2", "batch_size=64", "schedule.shape=constant", "optimizer.lr=0.001")
    reads: list[int] = []

    class BadFromTheSecondEpoch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                bad_batches({7}, 1e38)
            reads.append(epoch)

    with pytest.raises(ZooError) as error:
        train(folder, *settings, callbacks=[BadFromTheSecondEpoch()])
    assert str(error.value) == (
        "the loss is nan at step 7, with a learning rate of 0.001, and the first output that is not finite is that of "
        "the layer 'conv1': lower optimizer.lr, or --set optimizer.clip_norm=1"
    )
    assert reads == [0, 1]
    # The checkpoint of the first epoch is the last good one.
    arrays, _ = weights_file.read(folder / run.LAST)
    assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.parametrize("bad", [None, "conv", "norm", "logits"])
def test_the_first_bad_layer_is_found(bad: str | None) -> None:
    model = tiny_network()
    if bad:
        for variable in model.get_layer(bad).trainable_variables:
            variable.assign(np.full(variable.shape, np.inf))
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    assert first_bad_layer(model, strategy, batch()[0]) == bad


def test_the_first_bad_layer_of_a_training_that_diverges(tmp_path: Path) -> None:
    """After two steps, the weights are finite, but their products overflow float32."""
    settings = (
        "epochs=3",
        "optimizer.name=sgd",
        "optimizer.lr=1e6",
        "schedule.warmup_epochs=0",
        "schedule.shape=constant",
        "network.dropout=0",
    )
    with pytest.raises(ZooError, match=r"at step 2, with a learning rate of 1e\+06, .* layer 'conv2'"):
        train(tmp_path / "run", *settings)
