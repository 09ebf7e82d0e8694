"""Distillation: the loss, every kind of teacher, the answers that a run keeps, and refusals."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

import zoo
from tests.conformance import described, untrained_run
from tests.conftest import Answer
from tests.training.test_fine_tuning import Stop
from tests.training.test_processes import drive
from tests.training.test_training import train
from tests.training.test_workers import assert_all, assert_close
from tests.training.test_workers import train as train_with_workers
from tests.trainings import SINGLE
from zoo import files, inference, run
from zoo.agreement import softmax
from zoo.data import digests
from zoo.data.dataset import Examples
from zoo.data.reload import load_again
from zoo.description import InitialWeights, Model, Scale, Teacher, Weights, license_of
from zoo.errors import Refused, ZooError
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.recipe import Distill, Recipe
from zoo.text import silent
from zoo.training import distillation, known_answers, start
from zoo.training.input_speed import measure
from zoo.training.objective import objective
from zoo.training.request import TrainingRequest
from zoo.training.teacher import answers, check_teacher, find_teacher

PREPROCESSING = Preprocessing(8, 8, 1, (0.5,), (0.5,))
CLASSES = Model("cnn", "small", tuple("abc"), PREPROCESSING, 0, 0)
VALUES = dataclasses.replace(CLASSES, labels=("x", "y"), task="values", scales=(Scale(1.0, 2.0), Scale(-3.0, 0.5)))
FEW = ("epochs=3", "batch_size=32", "keep=last", "schedule.warmup_epochs=0")


Command = Callable[..., Answer]


def student(folder: Path, teacher: Path | None, *settings: str, family: str = "mlp", **options: Any) -> Path:
    """Train on iris, or on the data of `options`."""
    return train(folder, *FEW, *settings, family=family, **{"source": "iris", "teacher": teacher, **options})


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of rows with random weights, which nobody can learn from the labels of the data."""
    place = tmp_path_factory.mktemp("teachers")
    keras.utils.set_random_seed(0)
    return untrained_run(place / "random", place, "mlp", "small", 0)


def training_examples(folder: Path) -> tuple[Model, Examples]:
    """The network of a run, and the examples that it was trained on."""
    this = run.read(folder)
    assert this.data is not None
    assert this.recipe is not None
    return this.model, load_again(this.data, this.model.preprocessing.kind, this.recipe.split).train


def batch(labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A teacher's answers and a network's, float32 [6, labels]."""
    generator = np.random.default_rng(seed)
    return tuple(generator.normal(size=(2, 6, labels)).astype(np.float32) * 3)


@pytest.mark.parametrize("class_weights", [None, np.array([0.5, 1.0, 2.0], np.float32)])
def test_the_soft_loss_is_that_of_hinton(class_weights: np.ndarray | None) -> None:
    taught, found = batch(3)
    targets, weight, temperature = np.array([0, 1, 2, 2, 1, 0]), 0.3, 2.5
    recipe = Recipe(label_smoothing=0.1, distill=Distill("soft", temperature, weight))

    each = objective(CLASSES, recipe, class_weights)(tf.constant(targets), tf.constant(found), tf.constant(taught))

    wanted = 0.9 * np.eye(3)[targets] + 0.1 / 3
    cross_entropy = -(wanted * np.log(softmax(found))).sum(-1)
    p, q = softmax(taught / temperature), softmax(found / temperature)
    divergence = (p * np.log(p / q)).sum(-1)
    expected = (1 - weight) * cross_entropy + weight * temperature**2 * divergence
    np.testing.assert_allclose(each, expected * (1 if class_weights is None else class_weights[targets]), rtol=1e-5)
    np.testing.assert_allclose(keras.losses.KLDivergence(reduction=None)(p, q), divergence, rtol=1e-4)


def test_the_hard_loss_is_the_cross_entropy_with_the_likeliest_class() -> None:
    taught, found = batch(3)
    recipe = Recipe(distill=Distill("hard", weight=0.5))
    each = objective(CLASSES, recipe)(tf.zeros(6, tf.int64), tf.constant(found), tf.constant(taught))
    logs = np.log(softmax(found))
    np.testing.assert_allclose(each, -0.5 * logs[:, 0] - 0.5 * logs[range(6), taught.argmax(-1)], rtol=1e-5)


def test_values_are_compared_in_standard_deviations() -> None:
    taught, found = batch(2)
    recipe = Recipe(distill=Distill("soft", weight=1.0))
    each = objective(VALUES, recipe)(tf.zeros((6, 2)), tf.constant(found), tf.constant(taught))
    standardized = (taught - np.array([1.0, -3.0])) / np.array([2.0, 0.5])
    np.testing.assert_allclose(each, ((found - standardized) ** 2).mean(-1), rtol=1e-5)


def test_a_network_that_learns_from_a_teacher_alone_answers_as_it_does(teacher: Path, tmp_path: Path) -> None:
    more = ("epochs=6", "batch_size=5", "optimizer.name=adamw", "optimizer.lr=0.02", "seed=1")
    taught = student(tmp_path / "taught", teacher, *more, "distill.weight=1", "distill.temperature=1")
    alone = student(tmp_path / "alone", None, *more)
    _, examples = training_examples(taught)
    runs = (teacher, taught, alone)
    wanted, learned, other = (softmax(inference.measured_outputs_of_run(run, examples)) for run in runs)
    assert np.abs(learned - wanted).mean() < 0.2 * np.abs(other - wanted).mean()
    assert (learned.argmax(-1) == wanted.argmax(-1)).mean() > 0.9

    this = run.read_finished(taught)
    assert this.recipe is not None
    assert this.recipe.distill.kind == "soft", "as nobody said"
    assert this.teacher == Teacher("random", files.sha256(teacher / run.WEIGHTS), "mlp", "small", None, None)
    kept = load_file(taught / run.TEACHER)["answers"]
    np.testing.assert_allclose(softmax(kept), wanted, atol=1e-5)


def test_a_run_goes_on_bit_for_bit_when_its_teacher_is_gone(teacher: Path, tmp_path: Path) -> None:
    gone = Path(shutil.copytree(teacher, tmp_path / "gone"))
    settings = (
        "epochs=2",
        "ema_decay=0.9",
        "accumulate=2",
        "class_weights=balanced",
        "optimizer.clip_norm=0.5",
        "distill.kind=hard",
    )
    alone = student(tmp_path / "alone", gone, *settings)
    with pytest.raises(KeyboardInterrupt):
        student(tmp_path / "stopped", gone, *settings, callbacks=[Stop()])
    shutil.rmtree(gone)

    start.resume(tmp_path / "stopped", None, SINGLE)

    one, other = load_file(alone / run.WEIGHTS), load_file(tmp_path / "stopped" / run.WEIGHTS)
    for name, value in one.items():
        np.testing.assert_array_equal(other[name], value)
    assert run.read(tmp_path / "stopped").teacher == run.read(alone).teacher


def test_answers_that_are_missing_or_damaged_end_a_resume(teacher: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        student(folder, teacher, callbacks=[Stop()])
    (folder / run.TEACHER).unlink()
    with pytest.raises(ZooError, match=r"teacher\.safetensors is missing"):
        start.resume(folder, None, SINGLE)
    save_file({"answers": np.zeros((5, 3), np.float32)}, folder / run.TEACHER)
    with pytest.raises(ZooError, match="does not hold the answers for"):
        distillation.read(folder, (120, 3))
    save_file({"answers": np.zeros((50_000, 3), np.float32)}, folder / run.TEACHER)
    with pytest.raises(ZooError, match="is larger than the answers for 120 examples"):
        distillation.read(folder, (120, 3))


def test_labels_in_another_order_are_put_into_that_of_the_student(teacher: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(teacher, tmp_path / "other"))
    order = [2, 0, 1]
    values, arrays = json.loads((other / run.DESCRIPTION).read_text()), load_file(other / run.WEIGHTS)
    values["model"]["labels"] = [values["model"]["labels"][place] for place in order]
    head = {name: arrays[name][..., order] for name in ("logits/kernel", "logits/bias")}
    save_file({**arrays, **{name: np.ascontiguousarray(array) for name, array in head.items()}}, other / run.WEIGHTS)
    (other / run.DESCRIPTION).write_text(json.dumps(values))
    model, examples = training_examples(teacher)
    one, two = (answers(find_teacher(place, "table"), model, examples, silent, silent) for place in (teacher, other))
    np.testing.assert_allclose(two, one, rtol=1e-6)


@pytest.fixture(scope="module")
def exported(teacher: Path) -> Path:
    return zoo.export_run(teacher, onnx=True, out=teacher.parent / "artifact").folder


def test_an_artifact_and_an_onnx_file_answer_as_the_run_does(
    teacher: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_answers, "read", lambda *arguments: None)
    file = Path(shutil.copy(exported / "onnx/model.onnx", tmp_path / "alone.onnx"))
    model, examples = training_examples(teacher)
    seen: list[tuple[int, int]] = []
    found = [find_teacher(place, "table") for place in (teacher, exported, file)]
    one, two, three = (
        answers(one, model, examples, silent, lambda done, total, line: seen.append((done, total))) for one in found
    )
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(three, two)
    assert seen[-1] == (len(examples), len(examples))
    assert found[1].record().score == run.read(teacher).score or found[1].score is not None
    assert {one.record().sha256 for one in found[1:]} == {files.sha256(file)}
    assert found[2].digests() is None
    known = found[0].digests()
    assert known is not None
    assert np.isin(examples.digests, known.seen).all()
    with pytest.raises(ZooError, match="is a part of the artifact"):
        find_teacher(exported / "onnx/model.onnx", "table")


def test_a_teacher_answers_once_for_the_same_examples(
    teacher: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    model, examples = training_examples(teacher)
    seen: list[int] = []

    def asked(some: Examples, place: Path = teacher) -> np.ndarray:
        return answers(find_teacher(place, "table"), model, some, silent, lambda done, total, line: seen.append(done))

    first = asked(examples)
    seen.clear()
    np.testing.assert_array_equal(asked(examples), first)
    assert not seen
    np.testing.assert_allclose(asked(examples.only(np.arange(3)[::-1])), first[2::-1], rtol=1e-5)
    assert seen, "other examples, or the same in another order"
    seen.clear()
    other = Path(shutil.copytree(teacher, tmp_path / "other"))
    arrays = load_file(other / run.WEIGHTS)
    save_file({**arrays, "logits/bias": arrays["logits/bias"] + 1}, other / run.WEIGHTS)
    assert not np.array_equal(asked(examples, other), first)
    assert seen, "another teacher"
    kept = sorted((tmp_path / "cache/answers").iterdir())
    assert len(kept) == 3
    renamed = dataclasses.replace(examples, traits=lambda number: ("other", "columns"))
    assert known_answers.place("", model, renamed) != known_answers.place("", model, examples)
    for file in kept:
        file.write_bytes(b"damaged")
    np.testing.assert_array_equal(asked(examples), first)


def test_of_the_answers_that_are_kept_the_oldest_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(known_answers, "MOST", 2)
    for number in range(3):
        known_answers.keep(tmp_path / f"{number}.safetensors", np.zeros((1, 2), np.float32))
        os.utime(tmp_path / f"{number}.safetensors", (number, number))
    assert known_answers.read(tmp_path / "1.safetensors", (1, 2)) is not None
    known_answers.keep(tmp_path / "3.safetensors", np.zeros((1, 2), np.float32))
    assert {file.name for file in tmp_path.iterdir()} == {"1.safetensors", "3.safetensors"}
    assert known_answers.read(tmp_path / "1.safetensors", (2, 2)) is None
    known_answers.keep(tmp_path / "1.safetensors/below", np.zeros((1, 2), np.float32))


def test_a_file_that_was_changed_is_refused(exported: Path, teacher: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(exported, tmp_path / "damaged"))
    content = bytearray((damaged / "onnx/model.onnx").read_bytes())
    labels = bytes(content).index(b'"setosa"')
    content[labels + 1 : labels + 2] = b"S"
    (damaged / "onnx/model.onnx").write_bytes(content)
    model, examples = training_examples(teacher)
    with pytest.raises(Refused, match="is not as it was exported"):
        answers(find_teacher(damaged, "table"), model, examples, silent, silent)
    (tmp_path / "no.onnx").write_bytes(b"no file of ONNX")
    with pytest.raises(ZooError, match="cannot be opened as an ONNX file"):
        find_teacher(tmp_path / "no.onnx", "table")


FAMILIES = [
    pytest.param("cnn", "small", 32, marks=()),
    pytest.param("lstm", "small", 0, marks=pytest.mark.full),
    pytest.param("keyword", "small", 0, marks=pytest.mark.full),
    pytest.param("bert", "small", 0, marks=pytest.mark.full),
]


@pytest.mark.parametrize(("family", "size", "side"), FAMILIES)
def test_the_answers_are_those_that_an_evaluation_sees(
    family: str, size: str, side: int, images_folder: Path, tmp_path: Path
) -> None:
    folder = untrained_run(tmp_path / "run", images_folder, family, size, side)
    model, examples = training_examples(folder)
    few = examples.only(np.arange(0, len(examples), max(1, len(examples) // 40)))
    found = answers(find_teacher(folder, model.preprocessing.kind), model, few, silent, silent)
    np.testing.assert_allclose(found, inference.measured_outputs_of_run(folder, few), rtol=1e-3, atol=1e-4)


def test_a_teacher_may_see_larger_images_than_its_student(images_folder: Path, tmp_path: Path) -> None:
    large = untrained_run(tmp_path / "large", images_folder, "cnn", "base", 32)
    model, dataset, _ = described(images_folder, "cnn", "small", 8)
    found = find_teacher(large, "image")
    check_teacher(found, model, dataset.train, Distill("soft"))
    made = answers(found, model, dataset.train, silent, silent)
    np.testing.assert_allclose(made, inference.measured_outputs_of_run(large, dataset.train), rtol=1e-3, atol=1e-4)
    assert (found.record().family, found.record().size) == ("cnn", "base")


def test_the_license_of_a_teacher_is_named() -> None:
    first = InitialWeights("pulled", "0" * 64, "cnn", "small", "apache-2.0", True)
    pulled = Weights("timm", None, None, None, "file", "0" * 64, "mit")
    taught = Teacher("large", "0" * 64, "cnn", "base", "cc-by-nc-4.0")
    assert license_of(None, None, None) is None
    assert license_of(pulled, None, None) == "mit"
    assert license_of(None, None, taught) == "cc-by-nc-4.0 (the teacher's)"
    assert license_of(None, first, taught) == "apache-2.0; cc-by-nc-4.0 (the teacher's)"
    assert license_of(None, first, dataclasses.replace(taught, license="apache-2.0")) == "apache-2.0"
    assert license_of(None, first, dataclasses.replace(taught, license=None)) == "apache-2.0"


def test_info_and_the_model_card_name_the_teacher_and_what_it_had_seen_counts(
    teacher: Path, tmp_path: Path, zoo_command: Command
) -> None:
    licensed = Path(shutil.copytree(teacher, tmp_path / "licensed"))
    said: list[str] = []
    values = json.loads((licensed / run.DESCRIPTION).read_text())
    came_from = {"run": "pulled", "sha256": "0" * 64, "family": "mlp", "size": "small", "new_head": True}
    values["initial"] = {**came_from, "license": "cc-by-nc-4.0"}
    values["results"] = {"test_accuracy": 0.75, "test_interval": [0.6, 0.9], "test_examples": 30}
    (licensed / run.DESCRIPTION).write_text(json.dumps(values))
    before = find_teacher(teacher, "table").digests()
    assert before is not None
    digests.write(licensed / digests.FILE, before)

    folder = student(tmp_path / "run", licensed, "split.seed=3", "epochs=1", say=said.append)

    assert any("has answered for" in line and "training rows, " in line for line in said), said
    assert any("test examples are also training examples of the teacher" in line for line in said)
    known = digests.read(folder / digests.FILE)
    np.testing.assert_array_equal(known.initial, before.seen)
    assert known.complete
    assert "licensed, mlp small, accuracy 0.7500, cc-by-nc-4.0" in zoo_command("info", folder).out
    made = zoo.export_run(folder, onnx=True, out=tmp_path / "artifact")
    assert made.manifest.license["weights"] == "cc-by-nc-4.0 (the teacher's)"
    assert made.manifest.teacher == run.read(folder).teacher
    card = (made.folder / "README.md").read_text()
    assert "| distilled from | `licensed` (mlp small), accuracy 0.7500, SHA-256" in card
    taught = int(next(line for line in said if "training examples of the teacher" in line).split()[0])
    data = made.manifest.data
    assert data is not None
    assert data.overlap is not None
    assert data.overlap["test"] >= taught
    assert (
        f"**{data.overlap['test']} of the {data.counts['test']} test rows were in training or validation, too, "
        "of this network or of its teacher.**"
    ) in card


REFUSED = {
    "no teacher": (["mlp", "--distill", "soft"], "name one with --teacher"),
    "a temperature alone": (["mlp", "--set", "distill.temperature=2"], "name one with --teacher"),
    "nothing there": (["mlp", "--teacher", "nowhere"], "there is no teacher at nowhere: name a finished run"),
    "another kind": (["cnn", "--teacher", "random"], "takes rows, not images: name a teacher of images"),
    "not finished": (["mlp", "--teacher", "unfinished"], "is not finished: continue it"),
    "an evaluation": (["mlp", "--teacher", "empty"], "run.json is missing"),
    "other classes": (["mlp", "--teacher", "random", "--data", "wine"], "does not know classes of the data: "),
    "more classes": (["mlp", "--teacher", "more"], "knows 4 classes, and the data have 3"),
    "another task": (["mlp", "--teacher", "random", "--data", "diabetes"], "answers with classes, not values"),
    "other columns": (["mlp", "--teacher", "columns"], "takes other examples: "),
    "hard temperature": (
        ["mlp", "--teacher", "random", "--distill", "hard", "--set", "distill.temperature=2"],
        "has no temperature: leave distill.temperature out",
    ),
    "mixed examples": (
        ["cnn", "--teacher", "random", "--set", "mixup=0.2"],
        "mixup trains on mixed examples, for which a teacher has no answers: --set mixup=0",
    ),
    "unlabeled examples": (
        ["cnn", "--teacher", "random", "--unlabeled", "rest", "--set", "label_fraction=0.5"],
        "--teacher and --unlabeled are two ways to learn from more than labels: leave one of them out",
    ),
    "weight of 0": (
        ["mlp", "--teacher", "random", "--set", "distill.weight=0"],
        "distill.weight should be greater than 0",
    ),
    "a resume": (["--resume", "random", "--teacher", "random", "--distill", "hard"], "leave --teacher, --distill out"),
}


@pytest.fixture(scope="module")
def wrong(teacher: Path) -> Path:
    """A folder with teachers that no network of iris can learn from."""
    place = teacher.parent
    (place / "empty").mkdir()

    def changed(name: str, change: Callable[[dict[str, Any]], None]) -> None:
        shutil.copytree(teacher, place / name)
        values = json.loads((teacher / run.DESCRIPTION).read_text())
        change(values)
        (place / name / run.DESCRIPTION).write_text(json.dumps(values))

    changed("unfinished", lambda values: values["provenance"].update(finished=None))
    changed("more", lambda values: values["model"]["labels"].append("rosa"))
    changed("columns", lambda values: values["model"]["preprocessing"]["columns"][0].update(name="petals"))
    return place


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_in_one_line(
    case: str, wrong: Path, tmp_path: Path, zoo_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, message = REFUSED[case]
    monkeypatch.chdir(wrong)
    answer = zoo_command("train", *arguments, *([] if "--resume" in arguments else ["--out", tmp_path / "run"]))
    assert answer.status == 2, answer.err
    assert message in answer.err.splitlines()[-1]
    assert answer.err.splitlines()[-1].startswith("zoo: ")
    assert not (tmp_path / "run").exists()


def test_a_distillation_that_a_task_lacks_is_refused(teacher: Path) -> None:
    found = find_teacher(teacher, "table")
    values = dataclasses.replace(found.model, task="values", scales=(Scale(0.0, 1.0),) * 3)
    _, examples = training_examples(teacher)
    with pytest.raises(ZooError, match="--distill hard is not for values: leave it out, or write --distill soft"):
        check_teacher(dataclasses.replace(found, model=values), values, examples, Distill("hard"))


def test_the_speed_of_a_training_is_measured_without_a_teacher() -> None:
    with pytest.raises(ZooError, match="name one with --teacher"):
        measure(TrainingRequest(family="mlp", settings=["distill.kind=soft"]), seconds=0.1)


@pytest.mark.full
def test_two_replicas_learn_and_survive_a_kill(teacher: Path, tmp_path: Path) -> None:
    settings = [f"mlp-small@{teacher}", "iris", *FEW, "keep=best"]
    assert drive(tmp_path / "alone", 2, "never", *settings) == 0
    assert drive(tmp_path / "killed", 2, "step:1:1", *settings) == -signal.SIGKILL
    assert drive(tmp_path / "killed", 2, "never", *settings) == 0
    alone, killed = (load_file(tmp_path / name / run.WEIGHTS) for name in ("alone", "killed"))
    for name, value in alone.items():
        np.testing.assert_array_equal(killed[name], value)


@pytest.mark.full
def test_two_workers_learn_as_one_does_and_one_alone_sees_the_teacher(teacher: Path, tmp_path: Path) -> None:
    settings = ("epochs=2", "batch_size=24", "precision=float64", "keep=last")
    student(tmp_path / "one", teacher, *settings)
    changes = [word for setting in (*FEW, *settings) for word in ("--set", setting)]
    place = tmp_path / "chief"
    place.mkdir()
    shutil.copytree(teacher, place / "teacher")
    two = train_with_workers("mlp", "--data", "iris", "--teacher", "teacher", *changes, "--out", "two", cwd=place)
    assert_all(two, 0)
    assert_close(tmp_path / "one", place / "two", 1e-9)
