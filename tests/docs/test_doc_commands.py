"""The commands and programs of README.md and docs/ run in order, exactly as they are printed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import zoo
from tests.conftest import leave_trial_exports_out
from tests.docs.doc_blocks import Block, blocks, pages
from zoo import artifact, run

FIRST = next(page for page in pages() if page.name == "getting-started.md")
"""The page whose commands make the run and the artifact that all other documents find."""

NOT_RUN = {
    "needs the network": 8,
    "takes minutes": 8,
    "needs data that are not here": 1,
    "needs an interrupted run": 1,
    "needs a fresh process": 1,
    "needs several machines": 4,
    "needs a server": 1,
    "needs an object store": 1,
    "needs the folder": 1,
    "needs a plugin, and waits for a browser": 1,
}
"""The number of blocks that the documents mark as not run, by reason; update it with every new block."""

OTHERS = [page for page in pages() if page != FIRST and any(block.runs for block in blocks(page))]


def run_zoo(command: list[str]) -> None:
    """Run `zoo` in this process, which has imported TensorFlow; a benchmark without --seconds gets a short time."""
    from zoo.cli import main

    if command[1] == "benchmark" and "--seconds" not in command:
        command = [*command, "--seconds", "0.1"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.setattr(sys, "argv", command)
        main()
    assert stop.value.code == 0, f"{' '.join(command)} ended with {stop.value.code}"


def commands(page: Path) -> list[list[str]]:
    """The commands of a document that are run."""
    return [command for block in blocks(page) if block.runs for command in block.commands()]


def run_page(page: Path, done: Sequence[list[str]] = ()) -> None:
    """Run every block of a document in the current folder; its Python blocks share variables, as in one session.

    Commands in `done` are skipped, because the folder already holds their results.
    """
    variables: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if not block.runs:
            continue
        if block.language == "python":
            # Behind empty lines, so that a traceback names the line of the document.
            exec(compile("\n" * block.line + block.text, str(page), "exec"), variables)
        for command in block.commands():
            if command[0] != "zoo":
                subprocess.run(command, check=True)
            elif command not in done:
                run_zoo(command)


@pytest.fixture(scope="session")
def after_first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the commands of the first page leave."""
    folder = tmp_path_factory.mktemp("documents") / "first"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        leave_trial_exports_out(patch)
        run_page(FIRST)
    return folder


def test_the_first_page_runs(after_first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to the accuracy gives the same one, and nothing half-written is left."""
    monkeypatch.chdir(after_first)
    assert {path.name for path in after_first.iterdir()} >= {"runs", "artifacts", "digit.png"}
    evaluation = after_first / "evaluations/cnn-small-digits"
    scores = artifact.read(after_first / "artifacts/cnn-small-digits").score
    accuracies = {
        run.read_finished(after_first / "runs/cnn-small-digits").results["test_accuracy"],
        json.loads((evaluation / "report.json").read_text())["accuracy"],
        scores["onnx"].value,
        scores["saved_model"].value,
        zoo.evaluate("artifacts/cnn-small-digits", out=tmp_path / "evaluation").evaluation.accuracy,
    }
    assert len(accuracies) == 1
    assert (evaluation / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert not [path for path in after_first.rglob(".*") if path.name != ".gitkeep"]


@pytest.mark.usefixtures("no_trial_export")
@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.stem)
def test_what_a_document_says_runs(
    page: Path, after_first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(after_first, tmp_path / "folder")
    monkeypatch.chdir(tmp_path / "folder")
    run_page(page, done=commands(FIRST))


def test_blocks_that_are_not_run_are_counted() -> None:
    reasons = Counter(block.reason for page in pages() for block in blocks(page) if not block.runs)
    assert dict(reasons) == NOT_RUN


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_commands_name_verbs_and_options_that_exist(page: Path) -> None:
    """Options of commands that cannot be run here exist in the command line."""
    for block in blocks(page):
        for command in block.commands():
            if command[0] == "zoo":
                assert_options_exist(block, command)


def assert_options_exist(block: Block, command: list[str]) -> None:
    """Each option of a `zoo` command is one of its verb's."""
    import click

    from zoo.cli import cli

    words = [word for word in command[1:] if word not in ("--debug", "--version", "--help")]
    if not words:
        return
    verb: click.Command | None = cli
    for word in words:
        if not isinstance(verb, click.Group):
            break
        verb = verb.get_command(click.Context(verb), word)
        assert verb is not None, f"{block}: there is no verb {word}"
    assert verb is not None
    known = {option for parameter in verb.params for option in (*parameter.opts, *parameter.secondary_opts)}
    asked = [word.partition("=")[0] for word in words if word.startswith("--")]
    assert not set(asked) - known - {"--help"}, f"{block}: {' '.join(command)}"
