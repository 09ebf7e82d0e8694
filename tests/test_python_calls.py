"""Wrong calls from Python are refused in one line, and one value stands for a list of one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import zoo
from tests.conftest import write_images
from zoo import input, schema
from zoo.errors import ZooError
from zoo.named_recipe import RecipeFile, read_if_file
from zoo.registry import families
from zoo.verbs import series
from zoo.verbs.arguments import settings_of, several, several_callbacks
from zoo.verbs.train import request_of


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"input_shape": (32, 32)}, r"input_shape=\(32, 32\): 3 whole numbers above 0 are needed, such as"),
        ({"input_shape": (None, None, 3)}, "3 whole numbers above 0"),
        ({"input_shape": (32.5, 32, 3)}, "3 whole numbers above 0"),
        ({"input_shape": (32, 0, 3)}, "3 whole numbers above 0"),
        ({"input_shape": ()}, "3 whole numbers above 0"),
        ({"input_shape": 32}, "3 whole numbers above 0"),
        ({"structure": "x"}, "structure='x': write 'reference'"),
        ({"classes": 2.5}, "classes=2.5: a whole number of at least 2"),
        ({"classes": -3}, "classes=-3: a whole number of at least 2"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ZooError, match=words) as refused:
        zoo.create("cnn", **wrong)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("family", "shape", "words"),
    [
        ("keyword", (200, 40), "input_shape should be at least one frame of 400 samples, not 200"),
        ("keyword", (16_000, 160), "input_shape: bands should be less than or equal to 128, not 160"),
        ("lstm", (70_000, 8192), "input_shape: max_length should be less than or equal to 65536, not 70000"),
        ("wav2vec2", (1_500_000,), "input_shape: samples should be less than or equal to 1440000, not 1500000"),
        ("bert", (2, 30_522), "input_shape: max_length should be greater than 2, not 2"),
        ("lstm", (128, 3), "input_shape: the vocabulary should have at least 4 tokens, not 3"),
    ],
)
def test_inputs_that_no_network_takes_are_refused(family: str, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ZooError, match=f"^{words}$"):
        zoo.create(family, input_shape=shape)


CHEAP = ("cnn", "linear", "mlp", "keyword", "lstm", "wav2vec2")
"""Families whose smallest networks are built in a moment. Of Wav2Vec 2.0, the head depends on the task."""


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("family", "task"), [(name, task) for name in CHEAP for task in families()[name].all_tasks])
def test_a_network_without_a_head_ends_before_its_first_head_layer(family: str, task: str) -> None:
    whole, cut = (zoo.create(family, task=task, classes=3, head=head) for head in (True, False))
    head = set(families()[family].head)
    present = [layer for layer in whole.layers if layer.name in head]
    assert present
    assert not head & {layer.name for layer in cut.layers}
    assert cut.output_shape == present[0].input.shape


def test_a_task_is_checked_without_a_head_too() -> None:
    with pytest.raises(ZooError, match="resnet has no network for clases: did you mean 'classes'"):
        zoo.create("resnet18", task="clases", head=False)
    assert zoo.create("cnn", task="simclr", head=False, input_shape=(16, 16, 1)).output_shape[0] is None


@pytest.mark.parametrize("family", ["mlp", "lstm", "keyword"])
def test_a_network_refuses_the_preprocessing_of_another_kind_of_input(family: str) -> None:
    preprocessing = input.find("image").data.reference((32, 32, 3))
    with pytest.raises(ZooError, match=f"{family} takes .*, and the preprocessing is for images"):
        zoo.create(family, preprocessing=preprocessing)


def test_shapes_may_be_of_any_whole_numbers() -> None:
    made: dict[str, Any] = {"classes": np.int64(3), "input_shape": np.array([12, 12, 1])}
    assert zoo.create("cnn", **made).output_shape == (None, 3)
    assert zoo.create("keyword", classes=3, input_shape=(8000, 40)).output_shape == (None, 3)


def test_one_value_stands_for_a_list_of_one() -> None:
    assert several("onnx") == ["onnx"]
    assert several(8) == [8]
    assert several((1, 8)) == [1, 8]
    assert several(Path("a")) == [Path("a")]
    assert settings_of("epochs=1", {}) == ["epochs=1"]
    assert settings_of({"table.ignore": ["a b", "c"], "epochs": 1}, {}) == ["table.ignore=a b,c", "epochs=1"]
    with pytest.raises(ZooError, match=r"there is no (artifact|format)"):
        zoo.benchmark("nothing", runtime="onxx", batch=8, threads=1)
    with pytest.raises(ZooError, match="linear has no size 'small,base'"):
        zoo.train_sizes("linear", size="small,base")


def test_examples_that_cannot_be_read_are_an_error_or_left_out(digits_made: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "data", classes=2, each=3, side=12)
    with pytest.raises(ZooError, match="bad_examples='raise': write error or skip"):
        zoo.evaluate(
            digits_made / "runs/cnn-small-digits",
            data=f"folder:{tmp_path / 'data'}",
            bad_examples="raise",  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    "call",
    [
        lambda wrong: zoo.predict("artifact", wrong),
        lambda wrong: zoo.predict("artifact", ["digit.png", wrong]),
        lambda wrong: zoo.predict(wrong, "digit.png"),
        lambda wrong: zoo.predict("artifact", "digit.png", out=wrong),
        lambda wrong: zoo.verify(wrong),
        lambda wrong: zoo.benchmark(wrong),
        lambda wrong: zoo.publish("artifact", wrong),
        lambda wrong: zoo.evaluate(wrong),
        lambda wrong: zoo.export_run(wrong, onnx=True),
        lambda wrong: zoo.train("cnn", weights=wrong),
        lambda wrong: zoo.train(resume=wrong),
        lambda wrong: zoo.copy(wrong, "s3://bucket/run"),
        lambda wrong: zoo.copy("s3://bucket/run", wrong),
        lambda wrong: zoo.load(wrong),
        lambda wrong: zoo.describe(wrong),
    ],
)
def test_what_is_no_path_is_refused_in_one_line(
    call: Callable[[Any], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digit.png").touch()
    for wrong in (b"\x89PNG", np.zeros((2, 2, 3)), 5.5):
        with pytest.raises(
            ZooError, match=r"^a path is needed, not an object of type [a-z]+: name a file or a folder$"
        ):
            call(wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["digit.png"]


def test_a_path_may_begin_with_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert request_of({"out": "~/runs/x", "weights": Path("~/a")}).out == tmp_path / "runs/x"
    (tmp_path / "mine.toml").write_text("epochs = 3\n")
    assert read_if_file("~/mine.toml") == RecipeFile("mine.toml", {"epochs": 3})
    for call in (
        lambda: zoo.train(resume="~/none"),
        lambda: zoo.train_sizes(resume="~/none"),
        lambda: zoo.tune("mlp", trials=2, data="iris", space="~/none.toml"),
        lambda: zoo.describe("~/none"),
        lambda: zoo.predict("~/none", "~/digit.png"),
        lambda: zoo.copy("~/none", "s3://bucket/run"),
    ):
        with pytest.raises(ZooError, match=rf"{re.escape(str(tmp_path))}/none"):
            call()
    with pytest.raises(ZooError, match="home folder that does not exist: write the whole path"):
        zoo.describe("~nobody-of-this-name/run")


class Frame:
    """A table in memory: it has no truth value, and comparing it gives another table."""

    def __bool__(self) -> bool:
        raise ValueError("the truth value is ambiguous")

    def __eq__(self, other: object) -> Any:
        return self


@pytest.mark.parametrize("wrong", [Path("shop.csv"), Frame()], ids=["path", "frame"])
def test_data_that_are_no_text_are_refused_in_one_line(wrong: Any, tmp_path: Path) -> None:
    for call in (
        lambda: zoo.train("mlp", data=wrong),
        lambda: zoo.train("mlp", unlabeled=wrong),
        lambda: zoo.pretrain("bert", method="mlm", data=wrong),
        lambda: zoo.train_sizes("mlp", size=["small", "base"], data=wrong),
        lambda: zoo.scale("mlp", data=wrong),
        lambda: zoo.tune("mlp", trials=2, data=wrong),
        lambda: zoo.evaluate(tmp_path, data=wrong),
        lambda: zoo.benchmark(data=wrong, family="mlp"),
    ):
        with pytest.raises(ZooError, match=r"^(data|unlabeled) is an object of type \w+: write the source of the data"):
            call()
    for call in (lambda: zoo.train(resume=tmp_path, data=wrong), lambda: zoo.scale(resume=tmp_path, recipe=wrong)):
        with pytest.raises(ZooError, match="--resume continues with the options of the first call"):
            call()


@pytest.mark.parametrize("wrong", [zoo.Recipe(epochs=3), {"epochs": 3}, b"deit"], ids=["recipe", "mapping", "bytes"])
def test_a_recipe_that_is_no_name_and_no_file_is_refused_in_one_line(wrong: Any) -> None:
    for call in (
        lambda: zoo.train("mlp", data="iris", recipe=wrong),
        lambda: zoo.scale("mlp", data="iris", recipe=wrong),
        lambda: zoo.tune("mlp", trials=2, data="iris", recipe=wrong),
    ):
        with pytest.raises(ZooError, match=r"^recipe is an object of type \w+: name a recipe or a file"):
            call()


def test_several_columns_may_be_a_list() -> None:
    for columns in ("a,b", ["a", "b"], ("a", "b"), (name for name in "ab")):
        assert request_of({"data": "csv:shop.csv", "target_column": columns}).data.options == {"target": "a,b"}
    for columns in (["a", "b"], (name for name in "ab")):
        assert series.asked("mlp", {"target_column": columns})["target_column"] == "a,b"


class Batches(keras.callbacks.Callback):
    """Counts the batches of a training."""

    count = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.count += 1


@pytest.mark.usefixtures("no_trial_export")
def test_callbacks_are_one_or_several_of_any_kind_of_iterable(tmp_path: Path) -> None:
    one, other = Batches(), Batches()
    for number, callbacks in enumerate((one, (each for each in (one, other)))):
        zoo.train("linear", data="iris", epochs=1, callbacks=callbacks, out=tmp_path / str(number))
    assert one.count == 2 * other.count > 0
    for wrong in ("TerminateOnNaN", keras.callbacks.TerminateOnNaN, [print], 5):
        with pytest.raises(ZooError, match="is among the callbacks: name objects such as keras"):
            zoo.train("linear", data="iris", callbacks=wrong)
    assert several_callbacks(None) == ()


@pytest.mark.parametrize("wrong", [None, 5, "text", [], True])
def test_a_manifest_without_a_preprocessing_is_refused(wrong: Any) -> None:
    from tests.serving.handmade import MODEL
    from zoo.description import Model

    with pytest.raises(ZooError, match="preprocessing should be a record with the 'kind' of the input"):
        schema.parse(Model, {**schema.to_dict(MODEL), "preprocessing": wrong}, "manifest")


SCRIPT = "import sys; from zoo.cli import main; sys.argv = ['zoo', 'list']; main()"


def test_a_reader_that_has_gone_ends_a_command() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        done = subprocess.run([sys.executable, "-c", SCRIPT], stdout=output, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 141
    assert b"Traceback" not in done.stderr


def test_standard_output_may_be_closed() -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec {sys.executable} -c "{SCRIPT}" >&-'], stderr=subprocess.PIPE, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_verb_the_help_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from zoo.cli import main; sys.argv = ['zoo']; main()"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "Verbs:" in done.stdout


@pytest.mark.parametrize(
    "call",
    [
        lambda: zoo.tune("mlp", trials=1.5),  # type: ignore[arg-type]
        lambda: zoo.tune("mlp", trials=2, parallel=True),
        lambda: zoo.train("mlp", data="iris", devices=1.5),  # type: ignore[arg-type]
        lambda: zoo.train("mlp", data="iris", profile=2.5),  # type: ignore[arg-type]
        lambda: zoo.export_run("run", onnx=True, opset=17.5),  # type: ignore[arg-type]
        lambda: zoo.export_run("run", int8=True, calibration_examples=1.5),  # type: ignore[arg-type]
        lambda: zoo.predict("artifact", "file", top=1.5),  # type: ignore[arg-type]
        lambda: zoo.publish("artifact", "base", keep=1.5),  # type: ignore[arg-type]
    ],
)
def test_numbers_that_are_not_whole_are_refused_before_work_starts(
    call: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(zoo.ZooError, match="is not a whole number: take one such as"):
        call()
    assert not [*tmp_path.iterdir()]


@pytest.mark.usefixtures("no_trial_export")
def test_a_training_in_float64_makes_a_run_as_others_do(tmp_path: Path) -> None:
    made = zoo.train("linear", data="iris", epochs=1, precision="float64", out=tmp_path / "run")
    assert zoo.evaluate(made.folder).evaluation.accuracy == made.run.results["test_accuracy"]
    tuned = zoo.train(weights=made.folder, data="iris", epochs=1, out=tmp_path / "tuned")
    assert tuned.run.finished
