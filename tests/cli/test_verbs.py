"""Each verb is one Python function with the command's names and defaults; it returns a record and prints nothing."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import zoo
from tests.conftest import Answer
from zoo.cli import VERBS

OF_PYTHON = {"say", "progress", "callbacks", "leave_out"}
"""Arguments that take a Python function or object: a command line has none."""

OF_THE_COMMAND_LINE = {"json"}
"""The options that choose how a result is printed."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "list": zoo.list_models,
    "export": zoo.export_run,
    "data serve": zoo.serve_data,
}
"""Functions with another name than their verb: `list` is a built-in of Python, and `zoo.export` is a package."""

OTHER_NAMES = {
    ("pull", "--from"): "from_",  # a keyword of Python
    # `target` is what is evaluated, and the others would read as the data themselves.
    **{
        (verb, f"--{name}"): f"{name}_column"
        for verb in ("train", "pretrain", "tune", "scale", "benchmark", "evaluate")
        for name in ("target", "text", "image", "audio")
    },
    ("predict", "paths"): "artifact paths",  # a command line tells them apart by what they are
    ("publish", "places"): "artifact base",
}


def function(verb: str) -> Callable[..., Any]:
    found: Callable[..., Any] = FUNCTIONS[verb] if verb in FUNCTIONS else getattr(zoo, verb)
    return found


def command(verb: str) -> click.Command:
    name, *below = verb.split()
    found = importlib.import_module(f"zoo.cli.{name}").command
    for word in below:
        found = found.commands[word]
    assert isinstance(found, click.Command)
    return found


def verbs() -> Iterator[str]:
    """Every verb; a group of verbs is replaced by its verbs."""
    for verb in VERBS:
        found = command(verb)
        yield from (f"{verb} {name}" for name in found.commands) if isinstance(found, click.Group) else [verb]


def spelled(parameter: click.Parameter) -> str:
    """The name as people type it, without the leading dashes."""
    return parameter.opts[0].lstrip("-").replace("-", "_")


def typed(parameter: click.Parameter) -> str:
    """The name of an argument, or that of an option with its dashes."""
    return parameter.opts[0]


def default(parameter: click.Parameter, context: click.Context) -> Any:
    """The value that a command passes on when the option is not given."""
    value = parameter.get_default(context)
    value = None if repr(value) == "Sentinel.UNSET" else parameter.type_cast_value(context, value)
    return () if value is None and (parameter.nargs == -1 or getattr(parameter, "multiple", False)) else value


@pytest.mark.parametrize("verb", [*verbs()])
def test_options_and_keyword_arguments_have_the_same_names_and_defaults(verb: str) -> None:
    context = click.Context(command(verb))
    options: dict[str, Any] = {}
    for parameter in command(verb).params:
        names = OTHER_NAMES.get((verb, typed(parameter)), spelled(parameter)).split()
        for name in names:
            options[name] = inspect.Parameter.empty if parameter.required else default(parameter, context)
    arguments = {name: one.default for name, one in inspect.signature(function(verb)).parameters.items()}
    assert {name: value for name, value in options.items() if name not in OF_THE_COMMAND_LINE} == {
        name: value for name, value in arguments.items() if name not in OF_PYTHON
    }


@pytest.mark.parametrize("verb", [*verbs()])
def test_every_argument_is_documented(verb: str) -> None:
    said = inspect.getdoc(function(verb)) or ""
    for name in inspect.signature(function(verb)).parameters:
        assert f"{name}:" in said or f"`{name}`" in said, name


def test_from_a_family_to_predictions_in_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = zoo.train("cnn", epochs=1, set={"batch_size": 64, "optimizer.lr": 0.001})
    assert run.folder == Path("runs/cnn-small-digits")
    assert run.run.recipe is not None
    assert (run.run.recipe.batch_size, run.run.recipe.optimizer.lr) == (64, 0.001)

    done = zoo.evaluate(run)
    assert 0 < done.evaluation.accuracy == run.run.results["test_accuracy"]
    report = json.loads((done.folder / "report.json").read_text())
    assert report == json.loads(json.dumps(done.report()))
    assert report["accuracy"] == done.evaluation.accuracy
    assert report["provenance"]["versions"]["keras"]
    assert zoo.describe(run)["kind"] == "run"

    artifact = zoo.export_run(run, onnx=True)
    assert artifact.manifest.formats == ("onnx",)
    assert zoo.evaluate(artifact).evaluation.correct == done.evaluation.correct
    assert zoo.verify(artifact).passed
    (shown,) = zoo.predict(artifact, images := image(tmp_path / "images"), top=3)
    assert len(shown.answer.plain()["labels"]) == 3
    left_out: list[str] = []
    (images / "notes.txt").write_text("no image")
    zoo.predict(artifact, [images], leave_out=lambda path, reason: left_out.append(path.name))
    assert left_out == ["notes.txt"]
    measured = zoo.benchmark(artifact, batch=[1], threads=[1], seconds=0.1, csv="rows.csv")
    assert [row.runtime for row in measured.rows] == ["onnx"]
    assert (tmp_path / "rows.csv").exists()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")

    lines: list[str] = []
    assert zoo.verify(say=lines.append).artifact == artifact.folder
    assert lines == [f"the newest artifact: {artifact.folder}"]
    for made in (run, done, artifact):
        assert os.fspath(made) == str(made.folder)
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.folder = tmp_path  # type: ignore[misc]


def image(folder: Path) -> Path:
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "black.png")
    return folder


def test_the_environment_that_moves_figures_is_in_the_report(
    zoo_command: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.test_surroundings import described, finished_run

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    finished_run(tmp_path / "run", described())
    for label in "abc":
        image(tmp_path / "data" / label)
    answer = zoo_command("evaluate", "run", "--data", "folder:data", "--json")
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)["provenance"]["environment"] == {"TF_ENABLE_ONEDNN_OPTS": "0"}


def test_wrong_requests_raise_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for call, part in (
        (lambda: zoo.train(), "name a family"),
        (lambda: zoo.train(resume="run", epochs=2), "leave --epochs out"),
        (lambda: zoo.train("cnn", resume="run"), "leave family out"),
        (lambda: zoo.evaluate("run", bad_examples="skip"), "name them with --data"),
        (lambda: zoo.export_run("run", force=True), "add --int8"),
        (lambda: zoo.export_run(), "no finished run"),
        (lambda: zoo.predict(None, "image.png"), "no artifact"),
        (lambda: zoo.publish("artifact", "base", rollback=True), "leave artifact out"),
        (lambda: zoo.benchmark("nowhere"), "no artifact at nowhere"),
        (lambda: zoo.benchmark("nowhere", data="digits", family="cnn"), "leave artifacts, --batch"),
        (lambda: zoo.benchmark(data="digits"), "name a family"),
        (lambda: zoo.benchmark(family="cnn"), "leave family out, or name the data"),
    ):
        with pytest.raises(zoo.ZooError, match=part):
            call()
    assert list(tmp_path.iterdir()) == []
