"""Training in one process: callbacks, clipping, schedule, weight decay, losses, and refusals."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

import zoo
from tests.conftest import Answer
from tests.trainings import SINGLE, passes
from zoo import recipe as recipes
from zoo import run, weights_file
from zoo.description import Model
from zoo.errors import ZooError
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.recipe import Recipe
from zoo.registry import families
from zoo.training import interruption, loop, start
from zoo.training.batches import left_out_of_epochs
from zoo.training.optimizer import optimizer
from zoo.training.request import DataRequest, Execution, Preflight, TrainingRequest
from zoo.training.steps import clipped, evaluation_step, training_step
from zoo.training.totals import Totals


def train(
    folder: Path,
    *settings: str,
    family: str | None = "cnn",
    size: str | None = "small",
    source: str = "digits",
    preflight: Preflight = passes,
    **fields: Any,
) -> Path:
    """Train; `fields` are of a `TrainingRequest` or of an `Execution`."""
    how = {field.name: fields.pop(field.name) for field in dataclasses.fields(Execution) if field.name in fields}
    data = DataRequest(source)
    request = TrainingRequest(family=family, size=size, data=data, settings=settings, out=folder, **fields)
    return start.start(request, dataclasses.replace(SINGLE, **how), preflight)


def test_a_run_folder_holds_all_that_it_should(tmp_path: Path) -> None:
    folder = train(tmp_path / "run", "epochs=2", "seed=5")
    done = run.read_finished(folder)
    assert done.recipe is not None
    assert done.data is not None
    assert done.recipe.epochs == 2
    assert done.provenance.seed == 5
    assert done.provenance.versions["tensorflow"] == tf.__version__
    assert done.model.labels == tuple("0123456789")
    assert len(done.data.fingerprint) == 64
    assert 0 < done.results["test_interval"][0] <= done.results["test_accuracy"] <= done.results["test_interval"][1]
    rows = [json.loads(line) for line in (folder / run.METRICS).read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert (folder / run.CURVES).read_bytes().startswith(b"\x89PNG")
    assert list((folder / run.TENSORBOARD).rglob("events.out.tfevents.*"))
    assert (folder / run.LAST).exists()
    assert (folder / run.BEST).exists()
    with pytest.raises(ZooError, match=r"is finished already: 'zoo train --weights \S+/run --epochs N' trains on"):
        start.resume(folder, None, SINGLE)


def test_the_recorded_learning_rate_is_that_of_the_last_step(tmp_path: Path) -> None:
    schedule = ("schedule.shape=linear", "schedule.warmup_epochs=0", "optimizer.lr=0.01", "batch_size=200")
    folder = train(tmp_path / "run", "epochs=2", *schedule)
    rates = [json.loads(line)["learning_rate"] for line in (folder / run.METRICS).read_text().splitlines()]
    this = run.read_finished(folder)
    assert this.data is not None
    steps = this.data.counts["train"] // 200
    np.testing.assert_allclose(rates, [0.01 * (1 - (steps - 1) / (2 * steps)), 0.01 / (2 * steps)], rtol=1e-5)


def test_the_learning_rate_in_tensorboard_is_the_recorded_one(tmp_path: Path) -> None:
    schedule = ("schedule.shape=step", "schedule.warmup_epochs=0", "schedule.drop_epochs=1", "schedule.drop=0.1")
    folder = train(tmp_path / "run", "epochs=3", *schedule, family="linear", source="iris")
    (path,) = (folder / run.TENSORBOARD / "train").glob("events.*")
    found = [
        float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "epoch_learning_rate"
    ]
    rates = [row["learning_rate"] for row in rows_of(folder)]
    assert found == pytest.approx(rates)
    assert rates[2] < rates[1] < rates[0]


def test_a_training_says_how_many_examples_each_epoch_leaves_out(tmp_path: Path) -> None:
    said: list[str] = []
    train(tmp_path / "run", "epochs=1", "batch_size=800", say=said.append)
    line = (
        "each epoch leaves out 495 of the 1295 training images, other ones each time, because they do not fill a batch "
        "of 800: --set batch_size=647 leaves out 1"
    )
    assert line in said
    train(tmp_path / "other", "epochs=1", "batch_size=64", say=said.append)
    assert said.count(line) == 1


@pytest.mark.parametrize(
    ("settings", "examples", "parts", "words"),
    [
        (["batch_size=64"], 86, 1, "leaves out 22 of the 86 training images, .*=43 leaves out none"),
        (["batch_size=64"], 90, 8, "leaves out 26 of the 90 .*=40 leaves out 10"),
        (["batch_size=64", "mixup=0.2"], 90, 1, "leaves out 26 of the 90 .*=44 leaves out 2"),
        (["batch_size=4"], 5, 2, "they do not fill a batch of 4$"),
        (["batch_size=64"], 1293, 1, None),
        (["batch_size=64", "repeats=2"], 86, 1, None),
        (["batch_size=64", "sampling=balanced"], 86, 1, None),
    ],
)  # fmt: skip
def test_the_remark_on_examples_left_out(settings: list[str], examples: int, parts: int, words: str | None) -> None:
    line = left_out_of_epochs(recipes.override(Recipe(), settings), parts, examples, "images")
    assert (line is None) == (words is None)
    assert words is None or re.search(words, line or "")


def test_any_keras_callback_works(tmp_path: Path) -> None:
    seen: list[str] = []
    callbacks = [
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=10),
        keras.callbacks.EarlyStopping(monitor="learning_rate", mode="max", patience=1),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", save_weights_only=True),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_train_end=lambda logs: seen.append("end")),
    ]
    folder = train(tmp_path / "run", "epochs=4", callbacks=callbacks)
    rows = (folder / run.METRICS).read_text().splitlines()
    assert len(rows) == 2, "the rate falls from the second epoch on, and EarlyStopping sets model.stop_training"
    assert "val_accuracy" in (tmp_path / "log.csv").read_text()
    assert (tmp_path / "best.weights.h5").exists()
    assert seen == ["end"]


@pytest.mark.parametrize(
    "callback", [keras.callbacks.ReduceLROnPlateau(), keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)]
)
def test_a_callback_that_sets_the_learning_rate_is_refused_before_the_training(
    callback: keras.callbacks.Callback, tmp_path: Path
) -> None:
    line = f"the recipe's schedule sets the learning rate, and the callback {type(callback).__name__} would, too"
    with pytest.raises(ZooError, match=line):
        train(tmp_path / "run", "epochs=1", callbacks=[callback])
    with pytest.raises(ZooError, match=line):
        start.resume(tmp_path / "run", None, dataclasses.replace(SINGLE, callbacks=[callback]))
    assert not list(tmp_path.iterdir())


class Batches(keras.callbacks.Callback):
    """Records the loss and metrics of every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[tuple[int, dict[str, float]]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.logs.append((batch, dict(logs)))


class SignalAt(keras.callbacks.Callback):
    """Sends a signal to this process when a step of the second epoch begins."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step, self.epoch = step, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if (self.epoch, batch) == (1, self.step):
            signal.raise_signal(signal.SIGINT)


def rows_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / run.METRICS).read_text().splitlines()]


def test_figures_are_read_at_the_end_of_an_epoch_unless_a_callback_wants_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Totals] = []
    read = Totals.read

    def counted(totals: Totals) -> dict[str, float]:
        reads.append(totals)
        return read(totals)

    monkeypatch.setattr(Totals, "read", counted)
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_READS", math.inf)
    (seldom,) = rows_of(train(tmp_path / "seldom", "epochs=1", "batch_size=64"))
    assert len(reads) == 3, "training, validation and test"

    batches = Batches()
    (often,) = rows_of(train(tmp_path / "often", "epochs=1", "batch_size=64", callbacks=[batches]))
    assert [number for number, _ in batches.logs] == [*range(20)]
    assert batches.logs[-1][1] == {name: often[name] for name in ("loss", "accuracy")}
    assert (tmp_path / "seldom" / run.WEIGHTS).read_bytes() == (tmp_path / "often" / run.WEIGHTS).read_bytes()
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert seldom[name] == often[name]


def test_the_step_that_is_not_finite_is_found_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ("epochs=1", "batch_size=64", "optimizer.name=sgd", "optimizer.lr=1e6", "schedule.warmup_epochs=0")
    with pytest.raises(ZooError) as at_once:
        train(tmp_path / "at_once", *settings, callbacks=[Batches()])
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_READS", math.inf)
    with pytest.raises(ZooError) as afterwards:
        train(tmp_path / "afterwards", *settings)
    first, second = (re.findall(r"at step \d+", str(error.value)) for error in (at_once, afterwards))
    assert first
    assert first == second
    assert not (tmp_path / "afterwards" / run.LAST).exists()


def test_ctrl_c_saves_the_steps_of_an_epoch_and_handlers_are_as_before(tmp_path: Path) -> None:
    settings = ("epochs=2", "batch_size=64", "image.shift=0.1")
    said: list[str] = []
    alone = train(tmp_path / "alone", *settings)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", *settings, callbacks=[SignalAt(4)], say=said.append)
    assert signal.getsignal(signal.SIGINT) == before
    assert said[-1] == (
        f"saved after 1 epoch and 5 steps of the next: continue with zoo train --resume {tmp_path / 'stopped'}"
    )
    batches = Batches()
    start.resume(tmp_path / "stopped", None, dataclasses.replace(SINGLE, callbacks=[batches]))
    assert [number for number, _ in batches.logs] == [*range(5, 20)]
    assert (alone / run.WEIGHTS).read_bytes() == (tmp_path / "stopped" / run.WEIGHTS).read_bytes()


def test_a_second_signal_does_not_wait() -> None:
    with pytest.raises(KeyboardInterrupt), interruption.deferred() as request:
        signal.raise_signal(signal.SIGINT)
        assert request
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it waited")


def test_patience_ends_training_and_the_best_epoch_is_kept(tmp_path: Path) -> None:
    folder = train(tmp_path / "run", "epochs=30", "patience=1", "optimizer.lr=1e-9")
    done = run.read_finished(folder)
    rows = [json.loads(line) for line in (folder / run.METRICS).read_text().splitlines()]
    assert len(rows) < 30
    assert done.results["kept_epoch"] == 1 + int(np.argmax([row["val_accuracy"] for row in rows]))
    assert done.results["val_accuracy"] == max(row["val_accuracy"] for row in rows)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precisions_train_and_give_a_run_and_an_artifact_in_float32(precision: str, tmp_path: Path) -> None:
    folder = train(tmp_path / "run", "epochs=2", f"precision={precision}")
    model = zoo.load(folder)
    assert {variable.dtype for variable in model.weights} == {"float32"}
    assert model.get_layer("conv1").compute_dtype == "float32"
    results = run.read(folder).results
    assert results["test_accuracy"] > 0.3
    evaluated = zoo.evaluate(folder, out=tmp_path / "evaluation").evaluation
    assert (results["test_accuracy"], *results["test_interval"]) == (evaluated.accuracy, evaluated.low, evaluated.high)
    zoo.export_run(folder, onnx=True, out=tmp_path / "artifact")
    graph = onnx.load(tmp_path / "artifact" / "onnx" / "model.onnx").graph
    types = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    types |= {array.data_type for array in graph.initializer}
    assert onnx.TensorProto.FLOAT in types
    assert not types & {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}


def test_a_loss_that_is_not_finite_stops_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        ZooError, match=r"the loss is (nan|inf) at step \d+, with a learning rate of 9\.89e\+05.*: lower optimizer.lr"
    ):
        train(tmp_path / "run", "epochs=3", "optimizer.name=sgd", "optimizer.lr=1e6", "schedule.warmup_epochs=0")


class Poison(keras.callbacks.Callback):
    """Damages one variable at the end of the first epoch, after its last loss."""

    def __init__(self, layer: str, variable: str, value: float) -> None:
        super().__init__()
        self.place, self.value = f"{layer}/{variable}", value

    def on_test_begin(self, logs: Any = None) -> None:
        variable = weights_file.weights(self.model)[self.place]
        array = variable.numpy()
        array.flat[0] = self.value
        variable.assign(array)


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        (("logits", "bias"), np.nan, "the loss is nan on the validation images after epoch 1: lower optimizer.lr"),
        (("conv1", "kernel"), np.inf, "the loss is nan on the validation images after epoch 1: lower optimizer.lr"),
    ],
)
def test_an_epoch_that_ends_in_no_numbers_stops_with_the_same_line(
    place: tuple[str, str], value: float, line: str, tmp_path: Path
) -> None:
    with pytest.raises(ZooError, match=line):
        train(tmp_path / "run", "epochs=2", callbacks=[Poison(*place, value)])
    assert not (tmp_path / "run" / run.LAST).exists()


def test_weights_that_no_loss_shows_are_looked_at(tmp_path: Path, images_folder: Path) -> None:
    with pytest.raises(ZooError, match=r"no longer sound on the validation images .* is a variance and has 1 of"):
        train(
            tmp_path / "run", "epochs=1", "batch_size=8", "image.size=16", family="resnet",
            source=f"folder:{images_folder}", callbacks=[Poison("stem_norm", "moving_variance", -1e-7)],
        )  # fmt: skip


def test_a_name_that_is_a_formula_stops_nothing(tmp_path: Path) -> None:
    folder = train(tmp_path / "$run_{ and $", "epochs=1")
    assert run.read_finished(folder).results["epochs"] == 1
    assert (folder / run.CURVES).read_bytes().startswith(b"\x89PNG")


def test_a_drawing_that_fails_stops_nothing(tmp_path: Path) -> None:
    class InTheWay(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            (tmp_path / "run" / run.CURVES).mkdir()

    said: list[str] = []
    folder = train(tmp_path / "run", "epochs=1", callbacks=[InTheWay()], say=said.append)
    assert run.read_finished(folder).results["epochs"] == 1
    assert said[-1].startswith("curves.png is left out")


@pytest.mark.parametrize(("name", "family"), [("sgd", "resnet"), ("adamw", "resnet"), ("adamw", "vit")])
def test_weight_decay_is_of_kernels_only(name: str, family: str) -> None:
    model = zoo.create(family, size="small", classes=3, input_shape=(16, 16, 3))
    recipe = recipes.override(Recipe(), [f"optimizer.name={name}", "schedule.warmup_epochs=0", "optimizer.lr=0.1"])
    made = optimizer(recipe, model, steps_per_epoch=10, depths={}, undecayed=families()[family].undecayed)
    for variable in model.trainable_variables:
        variable.assign(tf.ones(variable.shape))
    made.apply([tf.zeros(variable.shape) for variable in model.trainable_variables], model.trainable_variables)
    for variable in model.trainable_variables:
        expected = 1 - 0.1 * recipe.optimizer.weight_decay if variable.name == "kernel" else 1.0
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6, err_msg=variable.path)


def test_the_loss_that_is_reported_is_without_smoothing_and_the_gradient_with_it() -> None:
    images = tf.random.stateless_uniform((6, 16, 16, 3), (0, 0))
    labels = tf.constant([0, 1, 2, 0, 1, 2], tf.int64)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    preprocessing = Preprocessing(16, 16, 3, (0.5,) * 3, (0.5,) * 3)
    description = Model("cnn", "small", ("a", "b", "c"), preprocessing, 0, 0)
    kernels = []
    for smoothing in (0.0, 0.5):
        keras.utils.set_random_seed(0)
        model = zoo.create("cnn", classes=3, input_shape=(16, 16, 3))
        # A frozen network drops nothing, so that training and evaluation see the same logits.
        recipe = recipes.override(Recipe(), [f"label_smoothing={smoothing}", "freeze=true", "batch_size=6"])
        evaluated = evaluation_step(model, description, strategy)({"image": images}, labels, tf.ones(6))
        step = training_step(model, description, optimizer(recipe, model, 10, {}), strategy, recipe)
        trained = step({"image": images}, labels)
        assert float(trained["loss"]) == pytest.approx(float(evaluated["loss"]), rel=1e-6)
        kernels.append(model.get_layer("logits").kernel.numpy())
    assert np.abs(kernels[0] - kernels[1]).max() > 0


def test_clipping_is_of_the_global_norm() -> None:
    gradients = [tf.constant([3.0, 0.0]), tf.constant([[4.0]])]
    small, large = clipped(gradients, 10.0), clipped(gradients, 1.0)
    np.testing.assert_allclose(small[0], [3, 0])
    np.testing.assert_allclose(large[0], [0.6, 0])
    np.testing.assert_allclose(large[1], [[0.8]])


def test_preflight_stops_before_anything_is_written(tmp_path: Path) -> None:
    def cannot(model: Any) -> None:
        raise ZooError("cannot be exported")

    with pytest.raises(ZooError, match="cannot be exported"):
        train(tmp_path / "run", preflight=cannot)
    assert not list(tmp_path.iterdir())


def test_preflight_names_the_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import registry
    from zoo.export.preflight import preflight
    from zoo.family import Family, Size
    from zoo.layers import Outputs, logits

    def random_network(image: Any, classes: int, structure: Any) -> Outputs:
        x = keras.layers.Flatten()(image)
        return Outputs(logits(keras.layers.Lambda(lambda y: y * tf.random.uniform([1]))(x), classes))

    family = Family("odd", "", "", (Size("small", (), {}, 0, 0),), builder="odd")
    monkeypatch.setitem(sys.modules, "odd", SimpleNamespace(build=random_network))
    monkeypatch.setitem(registry.families(), "odd", family)
    with pytest.raises(ZooError, match="RandomUniform"):
        train(tmp_path / "run", family="odd", preflight=preflight)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("no_trial_export")
def test_the_next_run_of_a_name_has_a_number(
    tmp_path: Path, zoo_command: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = [zoo_command("train", "linear", "--data", "iris", "--epochs", 1, "--json") for _ in range(2)]
    assert [json.loads(one.out)["run"] for one in made] == ["runs/linear-small-iris", "runs/linear-small-iris-2"]
