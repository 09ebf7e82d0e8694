"""Settings outside zoo, a keras.json, KERAS_BACKEND and a notebook's settings, do not change a network."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import config

import zoo
from zoo import complexity, factory, migration, processor, run, schema, tensorflow_setup, weights_file
from zoo.description import Model
from zoo.errors import ZooError
from zoo.export import gates
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.keras_settings import own_randomness, own_settings
from zoo.provenance import environment

PIXELS = Preprocessing(28, 28, 1, (0.5,), (0.5,))

COUNT = """
import zoo
from zoo import complexity
model = zoo.create("resnet", classes=10, input_shape=(28, 28, 1))
print("counted:", complexity.parameters(model), complexity.multiply_adds(model), {w.dtype for w in model.weights})
"""


def described(family: str = "cnn", size: str = "small") -> Model:
    empty = Model(family, size, tuple("abc"), PIXELS, parameters=0, multiply_adds=0)
    model = factory.build(empty)
    return dataclasses.replace(
        empty, parameters=complexity.parameters(model), multiply_adds=complexity.multiply_adds(model)
    )


def finished_run(folder: Path, description: Model) -> Path:
    """A run as `zoo pull` leaves it, of fresh weights."""
    from zoo import provenance

    folder.mkdir()
    weights_file.save(folder / run.WEIGHTS, weights_file.weights(factory.build(description)))
    made = dataclasses.replace(provenance.here(0), finished=provenance.now())
    run.write(folder, run.Run(migration.SCHEMA, description, None, None, made))
    return folder


@pytest.fixture
def notebook() -> Iterator[tuple[Any, ...]]:
    """Keras with settings that other code has changed."""
    config = keras.config
    with own_settings():
        config.set_image_data_format("channels_first")
        config.set_floatx("float64")
        config.set_epsilon(0.5)
        config.set_dtype_policy("mixed_float16")
        tf.config.run_functions_eagerly(True)
        tf.config.optimizer.set_jit(True)
        tf.config.experimental.enable_tensor_float_32_execution(True)
        yield ("channels_first", "float64", 0.5, "mixed_float16", True, "autoclustering", True)


def settings() -> tuple[Any, ...]:
    config = keras.config
    return (
        config.image_data_format(),
        config.floatx(),
        config.epsilon(),
        config.dtype_policy().name,
        tf.config.functions_run_eagerly(),
        tf.config.optimizer.get_jit(),
        tf.config.experimental.tensor_float_32_execution_enabled(),
    )


@pytest.mark.parametrize(("family", "size"), [("resnet", "small"), ("vit", "tiny")])
def test_a_notebooks_settings_change_no_network_and_stay(
    family: str, size: str, tmp_path: Path, notebook: tuple[Any, ...]
) -> None:
    with own_settings():
        expected = zoo.create(family, size=size, classes=3, input_shape=(28, 28, 1))
        folder = finished_run(tmp_path / "run", described(family, size))
        images = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
        logits = zoo.load(folder)(images).numpy()

    assert settings() == notebook
    made = zoo.create(family, size=size, classes=3, input_shape=(28, 28, 1))
    assert settings() == notebook
    assert [layer.get_config() for layer in made.layers] == [layer.get_config() for layer in expected.layers]
    assert {variable.dtype for variable in made.weights} == {"float32"}
    np.testing.assert_array_equal(zoo.load(folder)(images).numpy(), logits)
    zoo.load(folder, features=True)
    with pytest.raises(ZooError):
        zoo.create(family, size=size, classes=3, input_shape=(4, 4, 1))
    assert settings() == notebook


class Settings(keras.callbacks.Callback):
    """The settings that are in effect during a training."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.found = settings()


@pytest.mark.usefixtures("no_trial_export")
def test_what_is_measured_and_exported_is_float32_and_only_training_is_tensor_float_32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFloat-32 would round the logits that gates compare: on an H200, the export of a ResNet-18 failed."""
    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    seen: list[bool] = []
    apply = factory.apply

    def watched(*arguments: Any, **options: Any) -> Any:
        seen.append(enabled())
        return apply(*arguments, **options)

    monkeypatch.chdir(tmp_path)
    tf.config.experimental.enable_tensor_float_32_execution(True)
    made = zoo.train("linear", data="wine", epochs=1, out="run")
    monkeypatch.setattr(factory, "apply", watched)
    zoo.evaluate(made)
    zoo.export_run(made)
    assert seen
    assert not any(seen)
    assert enabled()


@pytest.mark.usefixtures("no_trial_export")
def test_a_notebooks_settings_change_no_training_and_no_export(
    tmp_path: Path, notebook: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with own_settings():
        expected = zoo.train("cnn", epochs=1, out="expected")
    watch = Settings()
    made = zoo.train("cnn", epochs=1, out="made", callbacks=[watch])
    assert watch.found == ("channels_last", "float32", 1e-7, "float32", False, "", True)
    assert settings() == notebook
    assert (made.folder / run.WEIGHTS).read_bytes() == (expected.folder / run.WEIGHTS).read_bytes()
    assert zoo.evaluate(made).evaluation == zoo.evaluate(expected).evaluation
    zoo.export_run(made)
    assert settings() == notebook


def draws() -> list[float]:
    """A number from each generator that a program can seed."""
    drawn = [random.random(), np.random.random(), tf.random.uniform(()), keras.random.uniform(())]
    return [float(number) for number in drawn]


class Determinism(keras.callbacks.Callback):
    """The determinism of operations during a training."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.found = config.is_op_determinism_enabled()


@pytest.mark.usefixtures("no_trial_export")
def test_a_training_changes_neither_the_random_numbers_nor_the_determinism_of_later_code(tmp_path: Path) -> None:
    def in_a_training(number: int, **settings: object) -> bool:
        watch = Determinism()
        zoo.train("linear", data="iris", epochs=1, set=settings, callbacks=[watch], out=tmp_path / f"{number}")
        return watch.found

    with own_randomness():
        config.disable_op_determinism()  # another test of this process may have trained without `zoo.train`
        keras.utils.set_random_seed(7)
        draws()
        expected = draws()
        keras.utils.set_random_seed(7)
        draws()
        assert in_a_training(1)
        assert draws() == expected
        assert not config.is_op_determinism_enabled()
        assert not in_a_training(2, deterministic=False), "TensorFlow can go back"
        tf.config.experimental.enable_op_determinism()
        in_a_training(3)
        assert config.is_op_determinism_enabled(), "the caller's own choice stays"


def test_an_error_and_seeds_that_were_never_set_leave_no_seed() -> None:
    tf.random.set_seed(None)
    with pytest.raises(ZooError), own_randomness():
        keras.utils.set_random_seed(7)
        raise ZooError("of a test")
    assert context.global_seed() is None


@pytest.mark.parametrize("collecting", [True, False])
def test_the_garbage_collector_is_as_it_was_after_an_import(collecting: bool) -> None:
    (gc.enable if collecting else gc.disable)()
    try:
        with tensorflow_setup._uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() == collecting
    finally:
        gc.enable()


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # zoo's command line sets the variable in its process, which in other tests is this one.
    inherited = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code], env={**inherited, **variables}, capture_output=True, text=True, check=False
    )


def test_a_keras_json_changes_no_network(tmp_path: Path) -> None:
    said = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1, "backend": "tensorflow"}
    (tmp_path / "keras.json").write_text(json.dumps(said))
    assert "counted: 11172810 455800832 " in (done := python(COUNT, KERAS_HOME=str(tmp_path))).stdout, done.stderr
    assert "{'float32'}" in done.stdout


@pytest.mark.parametrize("said", [{"backend": "numpy"}, {"backend": "jax"}, {"floatx": "float99"}, []], ids=str)
def test_a_keras_json_that_cannot_be_had_is_refused_in_python(said: Any, tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text(json.dumps(said))
    done = python("import zoo; zoo.create('cnn')", KERAS_HOME=str(tmp_path))
    last = done.stderr.splitlines()[-1]
    assert last.startswith("zoo.errors.ZooError: Keras"), done.stderr
    assert "KERAS_BACKEND=tensorflow" in last


@pytest.mark.parametrize("backend", ["jax", "torch", "nonsense"])
def test_another_backend_is_refused_in_one_line(backend: str, tmp_path: Path) -> None:
    folder = finished_run(tmp_path / "run", described())
    for arguments in (["train", "cnn"], ["export", str(folder)]):
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "KERAS_BACKEND": backend},
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"zoo: Keras is set to the backend '{backend}'")
    done = python("import zoo; zoo.create('cnn')", KERAS_BACKEND=backend)
    assert f"ZooError: Keras is set to the backend '{backend}'" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("figure", ["parameters", "multiply_adds"])
def test_a_network_that_is_not_the_described_one_is_refused(figure: str, tmp_path: Path) -> None:
    description = described()
    wrong = dataclasses.replace(description, **{figure: getattr(description, figure) + 1})
    model = factory.build(description)

    assert gates.network_gate(model, description).passed
    gate = gates.network_gate(model, wrong)
    assert not gate.passed
    assert f"not {getattr(wrong, figure):,}" in gate.figures["problems"][0]
    with pytest.raises(ZooError, match="does not describe the network that is built"):
        zoo.load(finished_run(tmp_path / "run", wrong))


def test_variables_that_move_figures_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    assert environment()["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert "XLA_FLAGS" not in environment()
    for name, value in tensorflow_setup.KERNELS.items():
        monkeypatch.setenv(name, value)
        assert name not in environment(), "zoo itself sets it"


def test_kernels_that_zoo_could_not_choose_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """This module has imported TensorFlow before zoo, as a notebook does."""
    for name in tensorflow_setup.KERNELS:
        monkeypatch.delenv(name, raising=False)
        tensorflow_setup.import_tensorflow()
        assert name not in os.environ, "TensorFlow would not read it"
        monkeypatch.setattr(processor, "has_vnni", lambda: False)
        assert environment()[name] == "unset"
        monkeypatch.setattr(processor, "has_vnni", lambda: True)
        assert name not in environment(), "TensorFlow chooses the same kernels by itself"


def test_a_measuring_process_has_the_allocator_and_the_kernels_of_a_server() -> None:
    ours = tensorflow_setup.ALLOCATOR | tensorflow_setup.KERNELS
    program = (
        "import os; from zoo.tensorflow_setup import server_environment, import_tensorflow; import_tensorflow(); "
        "print(*sorted(os.environ.keys() - server_environment().keys()))"
    )
    for mine in ({}, {"TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1"}):
        environment = {name: value for name, value in os.environ.items() if name not in ours} | mine
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split() == sorted(ours.keys() - mine.keys()), "variables of the user stay"


def test_a_run_of_before_has_no_variables() -> None:
    from zoo import provenance
    from zoo.description import Provenance

    values = schema.to_dict(provenance.here(0))
    del values["environment"]
    assert schema.parse(Provenance, values, "run.json").environment == {}
