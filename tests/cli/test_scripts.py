"""Class names in any writing system, on any terminal: every verb prints them, unchanged or as escapes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Answer, write_images
from zoo.cli import main
from zoo.data.sources.folder import class_folders
from zoo.errors import ZooError
from zoo.input import find
from zoo.text import is_printable, printable

NAMES = ("$x_{", "猫\u3000犬", "👩\u200d👧 ไทย", "می\u200cخواهم")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_images(tmp_path_factory.mktemp("scripts") / "crops", classes=len(NAMES), each=10, side=8)
    for number, name in enumerate(NAMES):
        (folder / f"class{number}").rename(folder / name)
    return folder


@pytest.mark.usefixtures("no_trial_export")
@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_every_verb_writes_to_such_a_terminal(
    encoding: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def zoo(*arguments: str) -> str:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
        monkeypatch.setattr(sys, "argv", ["zoo", *arguments])
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as stop:
            main()
        out.flush()
        err.flush()
        assert stop.value.code == 0, err.buffer.getvalue()
        assert b"left out" not in err.buffer.getvalue()
        return out.buffer.getvalue().decode(errors="replace")

    few = ("--epochs", "1", "--set", "batch_size=8")
    zoo("train", "cnn", "--data", f"folder:{images}", "--out", "猫 $run_{", *few)
    table = zoo("evaluate", "猫 $run_{", "--out", "evaluated")
    assert "\\u732b\\u3000\\u72ac" in table or "猫" in table
    zoo("export", "猫 $run_{", "--onnx", "--out", "猫")
    zoo("verify", "猫")
    zoo("predict", "猫", str(images / NAMES[1]))
    zoo("predict", "猫", str(images / NAMES[1]), "--json")
    zoo("list")
    zoo("info", "cnn")
    labels = (tmp_path / "猫/labels.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(labels) == sorted(NAMES)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_process_of_that_encoding(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "list", "cnn"], capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("name", NAMES)
def test_letters_spaces_and_joiners_are_text(name: str) -> None:
    assert is_printable(name)
    assert printable(name) == name


@pytest.mark.parametrize("character", ["\n", "\x1b", "\x85", "\u2028", "\u202e", "\u2066", "\udcff", "\ufeff", "\x00"])
def test_what_moves_a_terminal_is_not(character: str, tmp_path: Path) -> None:
    assert printable(f"a{character}b") == "a�b"
    if character == "\x00":
        return
    for name in ("a", f"b{character}"):
        (tmp_path / name).mkdir()
    with pytest.raises(ZooError, match="use printable characters") as said:
        class_folders(tmp_path, find("image"))
    assert "\n" not in str(said.value)


def test_an_error_is_one_line_whatever_is_in_a_name(zoo_command: Callable[..., Answer], tmp_path: Path) -> None:
    answer = zoo_command("export", tmp_path / "a\nb\x1b[31m\udcff")
    assert answer.status == 2
    (line,) = answer.err.splitlines()
    assert "a�b�[31m�" in line
