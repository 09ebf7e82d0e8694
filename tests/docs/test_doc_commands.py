"""README.md and docs/ say what is so: their commands and programs run, in order, as they stand there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import Block, blocks, pages

FIRST = "getting-started.md"
"""The page whose commands make the run and the artifact that all other pages find."""

NOT_RUN = {
    "needs the network": 3,
    "takes minutes": 2,
    "needs data that are not here": 1,
    "needs an interrupted run": 1,
    "needs a server": 1,
}
"""How many blocks the documents mark as not run, by reason: whoever adds one says so here."""

PAGES = [page for page in pages() if any(block.reason is None for block in blocks(page))]


def run_zoo(command: list[str]) -> None:
    """`zoo` in this process, which has TensorFlow already."""
    from zoo.cli import main

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.setattr(sys, "argv", command)
        main()
    assert stop.value.code == 0, f"{' '.join(command)} ended with {stop.value.code}"


def run_process(command: list[str]) -> None:
    """Any other program, with those of this environment first."""
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "PATH": os.pathsep.join((scripts, os.environ["PATH"]))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}"


def run_page(page: Path) -> None:
    """Every block of a page in the current folder; its Python blocks share their variables, as in one session."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.reason is not None:
            continue
        if block.language == "python":
            exec(compile("\n" * block.line + block.text, str(page), "exec"), variables)  # so that a traceback has its line
            continue
        for command in block.commands():
            # Logical devices are settled before TensorFlow starts.
            in_process = command[0] == "zoo" and "--devices" not in command
            (run_zoo if in_process else run_process)(command)


@pytest.fixture(scope="session")
def after_first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the commands of the first page leave."""
    folder = tmp_path_factory.mktemp("documents") / "first"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_page(next(page for page in pages() if page.name == FIRST))
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_says_runs(
    page: Path, after_first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name == FIRST:
        return  # it has run
    folder = tmp_path / "page"
    if page.name == "README.md":
        folder.mkdir()
    else:
        shutil.copytree(after_first, folder)
    monkeypatch.chdir(folder)
    run_page(page)


def test_blocks_that_are_not_run_are_counted() -> None:
    reasons = Counter(block.reason for page in pages() for block in blocks(page) if block.reason is not None)
    assert dict(reasons) == NOT_RUN


@pytest.mark.parametrize("place", ["README.md", *(f"docs/{page.name}" for page in pages()[1:])])
def test_commands_name_verbs_and_options_that_exist(place: str) -> None:
    """What cannot be run here is at least spelled as the command line has it."""
    page = next(page for page in pages() if page.as_posix().endswith(place))
    for block in blocks(page):
        if block.language != "python":
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
    verb = cli.get_command(click.Context(cli), words[0])
    assert verb is not None, f"{block}: there is no verb {words[0]}"
    known = {option for parameter in verb.params for option in (*parameter.opts, *parameter.secondary_opts)}
    asked = [word.partition("=")[0] for word in words if word.startswith("--")]
    assert not set(asked) - known - {"--help"}, f"{block}: {' '.join(command)}"
