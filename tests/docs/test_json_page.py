"""docs/json.md lists the fields that the commands print and that the files have."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import Answer
from tests.docs.doc_blocks import ROOT
from zoo.artifact import Manifest
from zoo.experiment import Experiment
from zoo.folder_copy import Copy
from zoo.installation import Installation
from zoo.run import Run
from zoo.tasks.classes.figures import Evaluation

FILES = {
    "run.json": Run,
    "manifest.json": Manifest,
    "scale.json": Experiment,
    "study.json": Experiment,
    "zoo.folder_copy.Copy": Copy,
    "zoo.installation.Installation": Installation,
}
"""The records that the page names in place of fields."""


def names(record: type) -> set[str]:
    """The fields of a record."""
    return {field.name for field in dataclasses.fields(record)}


def rows(title: str) -> Iterator[tuple[str, str]]:
    """The first two cells of each row of the first table below a heading."""
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8").partition(f"\n## {title}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table, title
    for line in table[0].splitlines()[2:]:
        _, command, fields, _ = line.split("|")
        yield command.strip(), fields.strip()


def documented(command: str) -> set[str]:
    """The fields that the page lists for a command."""
    (cell,) = (fields for commands, fields in rows("Commands") if f"`{command}`" in commands.split(", "))
    found: set[str] = set()
    for part in re.split(r"\([^)]*\)", cell):
        words = re.findall(r"`([^`]+)`", part)
        found |= {word for word in words if word not in FILES and word != "report.json"}
        found |= {name for word in words if word in FILES for name in names(FILES[word])}
        if "report.json" in words:
            (report,) = (fields for file, fields in rows("Files") if file.startswith("`report.json`"))
            found |= {word for word in re.findall(r"`([^`]+)`", report) if word != "Evaluation"} | names(Evaluation)
    return found


def test_each_command_prints_the_fields_that_the_page_lists(
    digits_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zoo_command: Callable[..., Answer]
) -> None:
    monkeypatch.chdir(tmp_path)
    run, artifact = digits_made / "runs" / "cnn-small-digits", digits_made / "artifacts" / "cnn-small-digits"
    Image.new("L", (8, 8), 200).save("one.png")

    def printed(*words: object) -> set[str]:
        done = zoo_command(*words, "--json")
        assert done.status == 0, done.err
        found: Any = json.loads(done.out)
        return set(found)

    assert printed("evaluate", artifact, "--out", "evaluation") == documented("zoo evaluate")
    assert printed("verify", artifact) == documented("zoo verify")
    assert printed("predict", artifact, "one.png") == documented("zoo predict")
    short = ("--batch", 1, "--threads", 1, "--seconds", 0.1)
    assert printed("benchmark", artifact, *short) == documented("zoo benchmark")
    assert printed("info", run) == documented("zoo info FOLDER")
    assert printed("info", artifact) == documented("zoo info FOLDER")
    linear = ("linear", "--data", "iris", "--epochs", 1)
    assert printed("train", *linear, "--out", "run") == documented("zoo train")
    assert printed("export", "run", "--out", "artifact") == documented("zoo export")
    assert printed("publish", "artifact", "base") == documented("zoo publish")


def test_each_file_has_the_record_that_the_page_names(digits_made: Path) -> None:
    run, artifact = digits_made / "runs" / "cnn-small-digits", digits_made / "artifacts" / "cnn-small-digits"
    for file, record in ((run / "run.json", Run), (artifact / "manifest.json", Manifest)):
        assert json.loads(file.read_text()).keys() == names(record)
        assert f"{record.__module__}.{record.__name__}" in dict(rows("Files")).__str__()
